"""What engine `renode` is and can do."""

from __future__ import annotations

from mcusim.boards.board import Board, MemoryMap
from mcusim.engines.engine import Facts, Tell
from mcusim.system.progress import Listener


def memory_map(board: Board) -> MemoryMap:
    """The board's own: its platform is of the exact chip."""
    return board.memory


def _install(force: bool, tell: Tell, listener: Listener) -> None:
    from mcusim.engines.renode.install import install

    install(force, tell, listener)


FACTS = Facts(
    name="renode",
    title="Renode",
    summary="the board's own image, on a platform of the exact chip",
    transport="mailbox",
    memory_map=memory_map,
    measures=frozenset({"outputs", "instructions", "cycles", "rom", "ram", "stack"}),
    profiles=True,
    install=_install,
)
