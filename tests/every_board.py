"""The boards that there are: tests find them, nobody lists them."""

from __future__ import annotations

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board


def board_with(name: str, *tables: str) -> Board:
    """A board, when its file has all of `tables`; else the test is skipped: not every board is in every engine."""
    board = load_board(name)
    for table in tables:
        if getattr(board, table) is None:
            pytest.skip(f"board {name!r} has no [{table}]")
    return board
