"""Every board that runs in this engine, and each way to drive it."""

from __future__ import annotations

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names
from mcusim.engines.renode import installation as renode_installation
from mcusim.engines.renode.installation import DRIVERS
from mcusim.system.errors import MissingToolError
from tests.every_board import board_with
from tests.required import skip_or_fail


@pytest.fixture(params=board_names())
def board(request: pytest.FixtureRequest) -> Board:
    return board_with(request.param, "renode")


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Renode driven in one of the two ways; skipped where that is not installed."""
    monkeypatch.setenv("MCUSIM_RENODE_DRIVER", request.param)
    try:
        renode_installation.find_installation()
    except MissingToolError as error:
        skip_or_fail(request.param, f"{error.what}: {error.hint}")
    name: str = request.param
    return name
