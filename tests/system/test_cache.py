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
        ("", "relative", "/home/ann/.cache/mcusim"),
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


def test_a_user_without_a_home_keeps_nothing_where_others_write(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "MCUSIM_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as for a number that is no user
    folder = cache_folder()
    assert folder.is_absolute() and folder == cache_folder() and folder.stat().st_mode & 0o077 == 0
