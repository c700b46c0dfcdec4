"""Library + board + engine -> Firmware: the model's C with the harness around it."""

from __future__ import annotations

from pathlib import Path

from mcusim.boards.board import Board
from mcusim.line.build import Firmware, build
from mcusim.line.emit_firmware import emit_for
from mcusim.line.sources import Sources


def make_firmware(engine: str, library: Sources, board: Board, folder: Path) -> Firmware:
    """Raises as `build` does."""
    return build(emit_for(engine, library, board), board, folder, host=engine == "host")
