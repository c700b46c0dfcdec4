"""A library in a folder: what an earlier run left is removed, what is the user's never."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from mcusim.line.hand_over import MANIFEST, write_library
from mcusim.line.sources import Sources

FIRST = Sources({"model.c": "a", "model.h": "b", "nn_old.S": "c", "nn_old.h": "d"})
SECOND = Sources({"model.c": "a2", "model.h": "b", "nn_new.S": "e"})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_an_earlier_run_wrote_is_removed(tmp_path: Path) -> None:
    assert write_library(FIRST, tmp_path) == ()
    (tmp_path / "notes.txt").write_text("mine")
    assert write_library(SECOND, tmp_path) == ()
    assert names(tmp_path) == {*SECOND.files, MANIFEST, "notes.txt"}
    assert (tmp_path / "model.c").read_text() == "a2"


def test_the_manifest_is_what_sha256sum_checks(tmp_path: Path) -> None:
    write_library(FIRST, tmp_path)
    subprocess.run(["sha256sum", "--strict", "-c", MANIFEST], cwd=tmp_path, check=True, capture_output=True)


def test_files_of_the_user_stay_and_are_told_where_they_would_be_compiled(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("mine")
    write_library(FIRST, tmp_path)
    (tmp_path / "nn_old.S").write_text("mine now")
    (tmp_path / "nn_old.h").write_text("mine, too")
    (note,) = write_library(SECOND, tmp_path)
    assert note == "in this folder, but not of this library: main.c, nn_old.S"
    assert names(tmp_path) == {*SECOND.files, MANIFEST, "main.c", "nn_old.S", "nn_old.h"}


def test_a_manifest_that_others_wrote_removes_nothing_of_theirs(tmp_path: Path) -> None:
    """Only plain names, of files that are what it says: no link, no other folder."""
    lib = tmp_path / "lib"
    (lib / "sub").mkdir(parents=True)
    outside = [tmp_path / "out.c", lib / "sub" / "in.c", lib / ".hidden.c", lib / "data.bin"]
    for path in outside:
        path.write_text("x")
    (lib / "link.c").symlink_to(tmp_path / "out.c")
    (lib / "folder.c").mkdir()
    digest = hashlib.sha256(b"x").hexdigest()
    told = ["../out.c", "sub/in.c", ".hidden.c", "data.bin", "link.c", "folder.c", str(tmp_path / "out.c"), "gone.c"]
    (lib / MANIFEST).write_bytes("".join(f"{digest}  {name}\n" for name in told).encode() + b"\xff\xfe\0")
    write_library(FIRST, lib)
    assert all(path.exists() for path in outside) and (lib / "link.c").is_symlink() and (lib / "folder.c").is_dir()


@pytest.mark.parametrize("text", ["", "nonsense\n", "0" * 64 + "\n"])
def test_a_manifest_that_is_none_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    write_library(FIRST, tmp_path)
    assert len((tmp_path / MANIFEST).read_text().splitlines()) == len(FIRST.files)
