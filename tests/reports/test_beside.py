"""What lies beside a report: only in the folders of its runs, whatever these are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.reports.beside import file_of


def test_a_file_in_the_folder_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "a" / "f").mkdir(parents=True)
    (tmp_path / "a" / "profile.json").touch()
    assert file_of(tmp_path, "a", "profile.json") == tmp_path / "a" / "profile.json"
    assert file_of(tmp_path, "a", "f") is None and file_of(tmp_path, "b", "profile.json") is None


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/../a", "/etc", "x" * 300, "a\0b", "\udc80"])
def test_an_id_that_is_no_name_of_a_folder(name: str, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "a"):
        folder.mkdir(exist_ok=True)
        (folder / "profile.json").touch()
    assert file_of(tmp_path / "a", name, "profile.json") is None
