"""A board of the hardware map -> what speaks to its probe: a GDB server, started here or running already, or pyOCD in
this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.probe.gdb import Gdb
from mcusim.engines.probe.pyocd import opened
from mcusim.engines.probe.servers import kinds, served
from mcusim.engines.probe.target import Stop, Target
from mcusim.system.names import file_name


def unfit(attached: Attached, board: Board) -> str | None:
    """Why a probe cannot be used for it; None: it can."""
    if attached.server is None:
        return "names no server (server = 'openocd', or host:port)"
    if attached.address is None and _name(attached, board) is None:
        return f"has server {kinds()[attached.server].title}, which does not know {board.chip.title}"
    return None


def _name(attached: Attached, board: Board) -> str | None:
    """Of the chip, as its server calls it."""
    kind = kinds().get(attached.server or "")
    return board.chip.debug.servers.get(kind.speaks) if board.chip.debug and kind else None


@contextmanager
def client_for(attached: Attached, board: Board, folder: Path, stop: Stop) -> Iterator[Target]:
    """Raises MissingToolError, EngineError for a server that cannot be used, BoardTrouble, or Stopped."""
    log = folder / f"server-{file_name(attached.id)}.log"
    name, kind_of_it = _name(attached, board) or "", kinds().get(attached.server or "")
    if kind_of_it and kind_of_it.package:
        with opened(attached, kind_of_it, name, log, stop) as board_of_pyocd:
            try:
                yield board_of_pyocd
            finally:
                board_of_pyocd.close()
        return
    with served(attached, name, log, stop) as (host, port, known):
        target = Gdb(host, port, known, stop)
        try:
            yield target
        finally:
            target.close()
