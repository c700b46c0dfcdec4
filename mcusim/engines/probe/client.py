"""A board of the hardware map -> a GDB server that speaks to its probe: started here, or running already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.probe.gdb import Gdb
from mcusim.engines.probe.servers import kinds, served
from mcusim.engines.probe.target import Stop, Target
from mcusim.system.names import file_name


def unfit(attached: Attached, board: Board) -> str | None:
    """Why a probe cannot be used for it; None: it can."""
    if attached.server is None:
        return "names no server (server = 'openocd', or host:port)"
    if attached.address is None and attached.server not in _names(board):
        return f"has server {kinds()[attached.server].title}, which does not know {board.chip.title}"
    return None


def _names(board: Board) -> dict[str, str]:
    return board.chip.debug.servers if board.chip.debug else {}


@contextmanager
def client_for(attached: Attached, board: Board, folder: Path, stop: Stop) -> Iterator[Target]:
    """Raises MissingToolError, EngineError for a server that cannot be used, BoardTrouble, or Stopped."""
    log = folder / f"server-{file_name(attached.id)}.log"
    with served(attached, _names(board).get(attached.server or "", ""), log, stop) as (host, port, kind):
        target = Gdb(host, port, kind, stop)
        try:
            yield target
        finally:
            target.close()
