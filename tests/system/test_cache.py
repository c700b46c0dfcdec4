"""Where things are kept: MCUSIM_CACHE_DIR, else the user's cache folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.system.cache import cache_folder


@pytest.mark.parametrize(
    ("chosen", "caches", "expected"),
    [
        ("/somewhere", "", "/somewhere"),
        ("~/mine", "/caches", "/home/ann/mine"),
        ("", "/caches", "/caches/mcusim"),
        ("", "", "/home/ann/.cache/mcusim"),
    ],
)
def test_cache_folder(chosen: str, caches: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("XDG_CACHE_HOME", caches)
    monkeypatch.setenv("MCUSIM_CACHE_DIR", chosen)
    assert cache_folder() == Path(expected)


def test_a_relative_one_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are started in other folders, and get paths of it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MCUSIM_CACHE_DIR", "cache")
    assert cache_folder() == tmp_path / "cache"
