"""A board, and one folder in which everything is built."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines import shares
from tests.processes import running_in
from tests.tiny_library import OUTPUTS


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


@pytest.fixture
def no_time_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`no_time_before(n)`: for who watches a run in tmp_path the clock stands still until n samples are answered and
    at most one process is left, so that on a busy machine nothing but that process stalls.
    """

    def install(samples: int) -> None:
        began: list[float] = []

        def monotonic() -> float:
            if not began and _answered(tmp_path) >= samples and len(_left_in(tmp_path)) <= 1:
                began.append(time.monotonic())
            return time.monotonic() - began[0] if began else 0.0

        monkeypatch.setattr(shares, "time", SimpleNamespace(monotonic=monotonic, sleep=time.sleep))

    return install


def _answered(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("output.bin")) // OUTPUTS


def _left_in(folder: Path) -> list[int]:
    return running_in(lambda working: Path(working).is_relative_to(folder))
