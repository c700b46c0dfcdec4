"""A file system that is soon full."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcusim.system.command import run

PAGE_BYTES, PAGES = 4096, 256


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 256 pages. Only root can mount one: others skip."""
    disk = folder / "disk"
    disk.mkdir()
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "-o", f"size={PAGES * PAGE_BYTES}", "tmpfs", disk]
    if os.geteuid() != 0 or run(mount).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        yield disk
    finally:
        run(["umount", "-l", disk])


def leave_free(disk: Path, pages: int) -> None:
    """Fills all but so many pages of a disk that is otherwise empty."""
    (disk / "ballast").write_bytes(bytes((PAGES - pages) * PAGE_BYTES))
