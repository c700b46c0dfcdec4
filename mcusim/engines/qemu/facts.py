"""What engine `qemu` is and can do."""

from mcusim.boards.board import Board, MemoryMap
from mcusim.engines.engine import Facts


def memory_map(board: Board) -> MemoryMap:
    """The board's own, except where the machine has memory elsewhere."""
    return board.memory if board.qemu is None else board.qemu.memory_map(board.memory)


FACTS = Facts(
    name="qemu",
    title="QEMU",
    summary="a machine of stock QEMU that stands in for the board",
    transport="semihosting",
    memory_map=memory_map,
    measures=frozenset({"outputs", "instructions", "cycles", "rom", "ram", "stack"}),
    profiles=True,
    foreign=True,
    has_registers=False,
)
