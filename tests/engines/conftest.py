"""A board, and one folder in which everything is built."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board


@pytest.fixture
def nucleo() -> Board:
    return load_board("nucleo_l452re_p")


@pytest.fixture(autouse=True, scope="session")
def ctrl_c() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and Python then leaves it at that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def build_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by all tests: the same sources are compiled once."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go, in which nothing is left at the end."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
