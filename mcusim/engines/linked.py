"""Firmware + engine -> nothing, or the error that it was built for another engine or board."""

from __future__ import annotations

from mcusim.boards.board import Board
from mcusim.line.build import Firmware
from mcusim.system.errors import EngineError

MAILBOX = "mcusim_mailbox"


def check_linked_for(firmware: Firmware, board: Board, engine: str, *, mailbox: bool) -> None:
    """Raises EngineError unless `firmware` is for `board` as `engine` (a name as its users know it) emulates it.

    `mailbox`: does the engine give samples through the mailbox in RAM?
    """
    if firmware.host:
        raise EngineError(f"this program is for the host engine, not for {engine}", where=str(firmware.elf))
    hint = f"build it for this board and for engine {engine.lower()}"
    memory = board.memory_for(engine.lower())
    places_known = (firmware.symbols.get(name) for name in ("mcusim_vectors", "mcusim_stack_start"))
    have = [symbol.address if symbol else 0 for symbol in places_known]
    want = [memory.flash.origin, memory.ram.origin]
    if have != want or (".reset" in firmware.sections) != (memory.reset_at is not None):
        places = "flash at 0x{:08X} and RAM at 0x{:08X}"
        raise EngineError(
            f"this firmware was linked for {places.format(*have)}, {engine} has {places.format(*want)}",
            where=str(firmware.elf),
            hint=hint,
        )
    if (MAILBOX in firmware.symbols) != mailbox:
        has = "waits for samples in its mailbox" if not mailbox else "has no mailbox for samples"
        raise EngineError(f"this firmware {has}: {engine} cannot run it", where=str(firmware.elf), hint=hint)
