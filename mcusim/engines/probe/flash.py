"""Image -> the flash of the board that a probe has, unless it is there already, and the proof that it is."""

from pathlib import Path

from mcusim.boards.board import Board
from mcusim.engines.probe.target import Refused, Target
from mcusim.system.elf import reading
from mcusim.system.errors import EngineError

_SERVERS_HINT = "flash it by another server (docs/hardware.md has a table), or with the maker's tool: {elf}"


def flashed(elf: Path) -> list[tuple[int, bytes]]:
    """(address, contents) of all that a programmer writes, as `objcopy -O binary` would."""
    with reading(elf) as file:
        found = (s for s in file.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"])
        return [(int(s["p_paddr"]), bytes(s.data())) for s in found]


def demand_chip(target: Target, board: Board) -> None:
    """Raises EngineError unless the chip says that it is the board's."""
    identity = board.chip.debug and board.chip.debug.identity
    if not identity:
        return
    told = int.from_bytes(target.read(identity.address, 4), "little")
    if told & identity.mask != identity.equals:
        what = f"the chip on the board is no {board.chip.title}: {identity.what} is 0x{told & identity.mask:X}"
        what += f", of that it is 0x{identity.equals:X}"
        raise EngineError(
            what, where=f"{target.title} {target.version}", hint="is another board at this probe? --board"
        )


def demand_image(target: Target, elf: Path, board: Board, *, may_flash: bool = True) -> None:
    """Flashes what is not there.

    Raises EngineError when flash cannot be read, or holds another image that cannot be replaced.
    """
    pieces = flashed(elf)
    try:
        if _is_there(target, pieces):
            return
        if not may_flash:
            what = "the board has another image, and flash = 'none' in the hardware map leaves it there"
            raise EngineError(what, where=str(elf), hint=_hint(elf))
        _demand_programmer(target, elf, board)
        target.load(pieces)
        there = _is_there(target, pieces)
    except Refused as error:
        hint = error.hint or "is the flash protected? An STM32 with RDP level 1 loses its contents when that is undone"
        raise EngineError(error.what, where=error.where, hint=hint) from error
    if not there:
        what = f"flash does not hold what {target.title} wrote into it"
        raise EngineError(what, where=str(elf), hint="is a part of it protected, or worn out? " + _hint(elf))


def _is_there(target: Target, pieces: list[tuple[int, bytes]]) -> bool:
    return all(target.same(address, data) for address, data in pieces)


def _demand_programmer(target: Target, elf: Path, board: Board) -> None:
    """Some servers erase the flash of chips that they do not know, as if it were that of others."""
    can = board.chip.debug.servers if board.chip.debug else {}
    if not target.emulator and target.kind not in can:
        what = f"the board has another image, and {target.title} does not know the flash of {board.chip.title}"
        raise EngineError(what, where=str(elf), hint=_hint(elf))


def _hint(elf: Path) -> str:
    return _SERVERS_HINT.format(elf=elf)
