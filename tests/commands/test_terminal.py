"""What people see of a run: bars on a terminal, lines in a log."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mcusim.commands.session import Session
from mcusim.commands.terminal import Terminal
from mcusim.training.course import Epoch, TrainingProgress

Shown = Callable[[], str]


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def terminal(session: Session, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    return Terminal(session)


@pytest.fixture
def log(session: Session, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("CI", "true")
    return Terminal(session)


@pytest.fixture
def shown(session: Session, capsys: pytest.CaptureFixture[str]) -> Shown:
    """What is on standard error, without colours, when the command has ended."""

    def read() -> str:
        session.close()
        out, err = capsys.readouterr()
        assert out == ""
        return re.sub(r"\x1b\[[0-9;]*m", "", err)

    return read


def stays(err: str) -> bool:
    """Is the last bar left on the terminal?"""
    return not err.endswith("\x1b[1A\x1b[2K")


def test_a_download_has_bytes_and_speed(terminal: Terminal, shown: Shown) -> None:
    terminal.stage("data set [bold]\x1b]0;x\x07")
    terminal.downloading(0, 61_000_000)
    terminal.downloading(61_000_000, 61_000_000)
    err = shown()
    assert re.search(r"data set \[bold\].+61\.0/61\.0 MB (\?|.+/s) 0:00:00", err) and stays(err)
    assert "\x07" not in err


def test_a_download_of_unknown_size(terminal: Terminal, shown: Shown) -> None:
    terminal.stage("Renode")
    terminal.downloading(2_000_000, 0)
    assert "2.0/? MB" in shown()


def test_a_training_has_its_epochs_and_figures(terminal: Terminal, shown: Shown) -> None:
    terminal.training("training [bold]net")
    terminal.learning(TrainingProgress(0, 20, 0, 2, None))
    terminal.learning(TrainingProgress(10, 20, 1, 2, Epoch(0.25, 0.9, None, 0.1)))
    terminal.learning(TrainingProgress(20, 20, 2, 2, Epoch(0.125, 0.9876, 0.5, 0.1)))
    err = shown()
    assert "training [bold]net" in err and "epoch 2/2  loss 0.1250  accuracy 98.76%  validation 50.00%" in err
    assert stays(err)


def test_epochs_without_validation(terminal: Terminal, shown: Shown) -> None:
    terminal.training("training net")
    terminal.learning(TrainingProgress(10, 20, 1, 2, Epoch(0.25, 0.9, None, 0.1)))
    err = shown()
    assert "epoch 1/2  loss 0.2500  accuracy 90.00%" in err and "validation" not in err


def test_epochs_of_an_autoencoder(terminal: Terminal, shown: Shown) -> None:
    terminal.training("training net")
    terminal.learning(TrainingProgress(10, 20, 1, 2, Epoch(0.25, None, None, 0.1, 0.3)))
    err = shown()
    assert "epoch 1/2  loss 0.2500  validation loss 0.3000" in err and "accuracy" not in err


def test_samples_leave_nothing_behind(terminal: Terminal, shown: Shown) -> None:
    terminal.stage("running net")
    terminal.progress(10, 40)
    terminal.progress(40, 40)
    err = shown()
    assert "40/40" in err and not stays(err)


def test_a_bar_ends_where_the_next_thing_begins(terminal: Terminal, shown: Shown) -> None:
    terminal.stage("data set x")
    terminal.downloading(5, 10)
    terminal.stage("running net")
    terminal.progress(3, 4)
    err = shown()
    assert "3/4" in err and "running net" in err and err.rindex("data set x") < err.index("running net")


def test_a_log_has_one_line_for_each_thing_and_no_bars(log: Terminal, shown: Shown) -> None:
    log.stage("data set uci_har")
    for done in (0, 30_000_000, 61_000_000):
        log.downloading(done, 61_000_000)
    log.training("training net")
    log.learning(TrainingProgress(20, 20, 1, 1, Epoch(0.1, 0.9, None, 0.1)))
    for batches in (10, 15, 20):
        log.learning(TrainingProgress(batches, 20, 1, 2, Epoch(0.1, None, None, 0.1, 0.5), before=1))
    log.stage("Renode")
    log.downloading(0, 0)
    log.progress(1, 2)
    assert shown().splitlines() == [
        "data set uci_har: downloading 61.0 MB",
        "training net",
        "training net: goes on after epoch 1 of 2",
        "Renode: downloading",
    ]
