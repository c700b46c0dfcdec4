"""What engine `serial` is and can do."""

from mcusim.boards.board import Board, MemoryMap
from mcusim.engines.engine import Facts
from mcusim.system.errors import ConfigurationError


def memory_map(board: Board) -> MemoryMap:
    """The board's own. Raises ConfigurationError for one whose console cannot be spoken to."""
    if board.console is None or board.console.receive is None:
        hint = "add [console] with receive, data_in, receiver and rates to its file: docs/serial.md"
        raise ConfigurationError(f"board {board.name!r} names no console that receives", hint=hint)
    return board.memory


FACTS = Facts(
    name="serial",
    title="the board over its serial port",
    summary="the real board, over its serial port: outputs, and cycles by its own counter",
    transport="serial",
    memory_map=memory_map,
    measures=frozenset({"outputs", "cycles", "rom", "ram", "stack"}),
    silicon=True,
)
