"""Every board that runs in this engine."""

from __future__ import annotations

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names
from tests.every_board import board_with


@pytest.fixture(params=board_names())
def board(request: pytest.FixtureRequest) -> Board:
    return board_with(request.param, "renode")
