"""Archives and folders, also hostile ones."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from mcusim.datasets import members as room
from mcusim.datasets.members import members
from mcusim.system.errors import DataError

FILES = {"set/a.txt": b"one", "set/sub/b.bin": b"two" * 1000}


def zipped(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(content.getvalue(), mtime=0)


def content(path: Path) -> dict[str, bytes]:
    return {name: read() for name, read in members(path)}


@pytest.mark.parametrize("packed", [zipped, tarred])
def test_archives_and_folders_have_the_same_files(tmp_path: Path, packed: object) -> None:
    archive = tmp_path / "set.archive"
    archive.write_bytes(packed(FILES))  # type: ignore[operator]
    assert content(archive) == FILES
    for name, data in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "set" / "pipe")
    assert content(tmp_path / "set") == FILES


@pytest.mark.parametrize("packed", [zipped, tarred])
def test_names_lead_nowhere(tmp_path: Path, packed: object) -> None:
    archive = tmp_path / "in" / "set.archive"
    archive.parent.mkdir()
    archive.write_bytes(packed({"../out": b"1", "/tmp/mcusim-out": b"2"}))  # type: ignore[operator]
    assert list(content(archive).values()) == [b"1", b"2"]
    assert [path.name for path in tmp_path.iterdir()] == ["in"] and not Path("/tmp/mcusim-out").exists()


@pytest.mark.parametrize("packed", [zipped, tarred])
def test_bombs(tmp_path: Path, packed: object, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "set.archive"
    archive.write_bytes(packed({"a": bytes(2000), "b": bytes(2000)}))  # type: ignore[operator]
    for limit, value in (("LARGEST_FILE", 1999), ("LARGEST_TOTAL", 3999), ("MOST_FILES", 1)):
        with monkeypatch.context() as within, pytest.raises(DataError):
            within.setattr(room, limit, value)
            content(archive)


def test_a_header_as_large_as_all_memory_is_not_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("bomb")
    header.type, header.size = tarfile.XHDTYPE, 2**40
    archive = tmp_path / "set.tar.gz"
    archive.write_bytes(gzip.compress(header.tobuf() + bytes(10240)))
    with pytest.raises(DataError, match="header"):
        content(archive)


@pytest.mark.parametrize("packed", [zipped, tarred])
@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.95])
def test_half_an_archive(tmp_path: Path, packed: object, keep: float) -> None:
    whole = packed({"a": os.urandom(5000)})  # type: ignore[operator]
    archive = tmp_path / "set.archive"
    archive.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(DataError, match="damaged"):
        content(archive)


def test_links_are_no_files(tmp_path: Path) -> None:
    archive = tmp_path / "set.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        info = tarfile.TarInfo("set/passwd")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(info)
    assert content(archive) == {}
