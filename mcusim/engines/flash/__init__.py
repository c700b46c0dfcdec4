"""Flash of a board: by the disk of its probe, or by a boot loader over its serial port."""

from collections.abc import Callable
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.engines.flash import disk, sbl, svl
from mcusim.engines.hardware.attached import Attached
from mcusim.system.errors import EngineError

Stop = Callable[[], bool]
_WAYS: dict[str, Callable[[bytes, Board, str, Stop], None]] = {"sbl": sbl.flash, "svl": svl.flash}


def flash(
    attached: Attached, image: bytes, board: Board, port: str, folder: Path, stop: Stop, why: str, first: str = ""
) -> None:
    """Writes `image` to where the flash of `board` begins. The board starts with it, and has to tell its digest then.

    `why`: it has to be written; `first`: what to look at before, as a hint begins.

    Raises EngineError, with what to do by hand for a board whose map names no way: `image` then lies in `folder`.
    """
    way = attached.flash or ("disk" if attached.mount else None)
    if way == "disk":
        return disk.flash(attached, image, stop)
    if way in _WAYS:
        return _WAYS[way](image, board, port, stop)
    path = folder / "firmware.bin"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image)
    what = f"board {attached.id!r} has to be flashed ({why}), and the hardware map tells no way that is known"
    ways = ", ".join(["disk", *_WAYS])
    by_hand = f"write {path} to 0x{board.memory.flash.origin:08X} by hand, and run again"
    hint = f"{first}give flash = one of {ways}; or {by_hand}"
    raise EngineError(what, where=f"board {attached.id!r} of the hardware map", hint=hint)
