"""Arrays of pure functions, in a folder for all processes: the same bits, and nothing damaged is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcusim.system.arrays import Array
from mcusim.system.kept_files import KeptArrays, KeptFiles

MADE = (np.array([[0.1, np.nan], [-0.0, 1e300]]), np.arange(3, dtype=np.int64), np.float32([[7]]))


def asked(folder: Path, key: str = "key", given: str = "given", made: tuple[Array, ...] = MADE) -> bool:
    """Was it made? What comes is, bit for bit, what was made at first."""
    calls = []
    process = KeptArrays(KeptFiles(folder, ".kept", 2**20), given)
    found = process.do(key, lambda: calls.append(1) or made)  # type: ignore[func-returns-value]
    assert [(one.dtype, one.shape, one.tobytes()) for one in found] == [
        (one.dtype, one.shape, one.tobytes()) for one in MADE
    ]
    assert all(one.flags.aligned and one.flags.writeable for one in found)
    return bool(calls)


def test_another_process_does_not_make_it_again(tmp_path: Path) -> None:
    assert asked(tmp_path / "there")
    assert not asked(tmp_path / "there", made=())
    assert asked(tmp_path / "there", key="other") and asked(tmp_path / "there", given="other")


@pytest.mark.parametrize(
    "harm", [lambda data: data[:-9], lambda data: b"", lambda data: data.replace(b"mcusim 1", b"mcusim 2")]
)
def test_what_is_damaged_is_made_again(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    asked(tmp_path)
    [path] = tmp_path.iterdir()
    path.write_bytes(harm(path.read_bytes()))
    assert asked(tmp_path) and not asked(tmp_path)


def test_a_file_under_another_name_is_not_believed(tmp_path: Path) -> None:
    asked(tmp_path)
    [path] = tmp_path.iterdir()
    path.rename(path.with_name(path.name.replace("key", "other")))
    assert asked(tmp_path, "other")


def test_errors_are_not_kept(tmp_path: Path) -> None:
    def fail() -> tuple[Array]:
        raise ValueError("of the function")

    with pytest.raises(ValueError, match="of the function"):
        KeptArrays(KeptFiles(tmp_path, ".kept", 2**20), "given").do("key", fail)
    assert asked(tmp_path)


def test_what_cannot_be_written_is_made_each_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert asked(tmp_path / "file") and asked(tmp_path / "file")


def test_a_folder_keeps_what_was_used_last(tmp_path: Path) -> None:
    files = KeptFiles(tmp_path, ".kept", 1000)
    for number in range(200):
        files.write(str(number), bytes(100))
    left = {int(path.stem) for path in tmp_path.iterdir()}
    assert len(left) <= 11 and min(left) > 100, "a look at the folder each 16th of what it has room for"


def test_what_is_forgotten_leaves_files_of_others(tmp_path: Path) -> None:
    there = tmp_path / "there"
    files = KeptFiles(there, ".kept", 1000)
    files.forget()  # there is nothing yet
    files.write("one", b"1")
    (there / ".two.kept.x7").write_bytes(b"half of one that was being written")
    (there / "mine.txt").write_text("mine")
    files.forget()
    assert [path.name for path in there.iterdir()] == ["mine.txt"]
    (there / "mine.txt").unlink()
    files.forget()
    assert not there.exists()
