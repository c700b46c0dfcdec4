"""The boards that there are: tests find them, nobody lists them."""

from __future__ import annotations

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names, load_board


def one_of_each_core(table: str) -> list[str]:
    """The first board of every core whose file has that table. All boards of a core run the same object file of a
    model, which tests/line/test_build.py proves: what only that file decides needs no other board.
    """
    boards = [load_board(name) for name in reversed(board_names())]
    return sorted({board.chip.core: board.name for board in boards if getattr(board, table) is not None}.values())


def board_with(name: str, *tables: str) -> Board:
    """A board, when its file has all of `tables`; else the test is skipped: not every board is in every engine."""
    board = load_board(name)
    for table in tables:
        if getattr(board, table) is None:
            pytest.skip(f"board {name!r} has no [{table}]")
    return board
