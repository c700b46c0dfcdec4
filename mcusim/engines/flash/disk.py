"""The disk that an ST-Link shows: what is copied there it writes into the flash of the board, and then resets it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.run_on import BoardTrouble, Stopped
from mcusim.system.errors import EngineError
from mcusim.system.names import printable

_FAILED = "FAIL.TXT"
_NAMES = ("NODE_", "NOD_")  # labels of these disks: the folder that they are mounted at is named so
_LONGEST_S, _LOOK_S = 15.0, 0.1
_SETTLED_S = 1.0  # without a FAIL.TXT: it comes with the disk, which goes and comes again
_LONGEST_TOLD = 300
_MOUNTS = Path("/proc/self/mounts")


def flash(attached: Attached, image: bytes, stop: Callable[[], bool]) -> None:
    """Raises BoardTrouble with the words of FAIL.TXT, EngineError when there is no such disk, or several."""
    folder = attached.mount or _only_disk(attached)
    if not folder.is_dir():
        what = f"the disk of board {attached.id!r} is not mounted"
        raise EngineError(what, where=str(folder), hint="mount it, or correct 'mount' in the hardware map")
    before = _failure(folder)
    try:
        with (folder / "mcusim.bin").open("wb") as file:
            file.write(image)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        what = f"cannot copy the firmware to the disk of board {attached.id!r}: {error.strerror}"
        raise BoardTrouble(
            what, where=str(folder), hint="is it mounted for you, and is the cable plugged in?"
        ) from error
    _await(folder, before, stop)


def _await(folder: Path, before: str | None, stop: Callable[[], bool]) -> None:
    """Until the probe has taken the file, and has shown its disk again without complaints."""
    end, quiet = time.monotonic() + _LONGEST_S, None
    while time.monotonic() < end:
        if stop():
            raise Stopped
        told = _failure(folder)
        if told is not None and told != before:
            what = f"the probe could not flash the board: {told}"
            raise BoardTrouble(what, where=str(folder / _FAILED), hint="plug it out and in; is its flash protected?")
        taken = folder.is_dir() and not (folder / "mcusim.bin").exists()
        quiet = (quiet or time.monotonic()) if taken else None
        if quiet is not None and time.monotonic() - quiet >= _SETTLED_S:
            return
        time.sleep(_LOOK_S)


def _failure(folder: Path) -> str | None:
    try:
        with (folder / _FAILED).open("rb") as file:
            return printable(" ".join(file.read(_LONGEST_TOLD).decode(errors="replace").split())) or "no reason"
    except OSError:
        return None


def _only_disk(attached: Attached) -> Path:
    found = sorted(_disks())
    if len(found) == 1:
        return found[0]
    there = f"there are {len(found)}: {', '.join(map(str, found))}" if found else "there is none"
    what = f"which disk is that of the probe of board {attached.id!r}? {there}"
    raise EngineError(what, where=str(_MOUNTS), hint="mount it, and name its folder: mount = .. in the hardware map")


def _disks() -> Iterator[Path]:
    """Where disks of such names are mounted. The system writes a blank as \\040."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        path = Path(line.split(" ")[1].replace("\\040", " "))
        if path.name.startswith(_NAMES):
            yield path
