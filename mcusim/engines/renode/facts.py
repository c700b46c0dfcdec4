"""What engine `renode` is and can do."""

from __future__ import annotations

from mcusim.boards.board import Board, MemoryMap
from mcusim.engines.engine import Facts
from mcusim.engines.renode.install import install


def memory_map(board: Board) -> MemoryMap:
    """The board's own: its platform is of the exact chip."""
    return board.memory


FACTS = Facts(
    name="renode",
    title="Renode",
    summary="the board's own image, on a platform of the exact chip",
    transport="mailbox",
    memory_map=memory_map,
    measures=frozenset({"outputs", "instructions", "cycles", "rom", "ram", "stack"}),
    profiles=True,
    install=install,
)
