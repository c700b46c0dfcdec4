"""What engine `unicorn` is and can do."""

from __future__ import annotations

from mcusim.boards.board import Board, MemoryMap
from mcusim.engines.engine import Facts


def memory_map(board: Board) -> MemoryMap:
    """The board's own: it has whatever memory the chip's file names."""
    return board.memory


FACTS = Facts(
    name="unicorn",
    title="Unicorn",
    summary="the core with all memory of the chip: no interrupts, no devices, no memory protection",
    transport="semihosting",
    memory_map=memory_map,
    measures=frozenset({"outputs", "instructions", "cycles", "rom", "ram", "stack"}),
    profiles=True,
    foreign=True,
    has_registers=False,
)
