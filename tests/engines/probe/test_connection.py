"""A board behind a probe, played: what is asked of it in which order, and what becomes of one that goes wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.engines.engine import Job, records
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.meters.window import Repeating
from mcusim.engines.hardware.run_on import BoardTrouble, Stopped
from mcusim.engines.probe import connection as connections
from mcusim.engines.probe import flash
from mcusim.engines.probe.connection import Connected, connected
from mcusim.engines.probe.flash import demand_chip, demand_image
from mcusim.system.errors import EngineError
from tests.engines.probe.board import FLASH, PlayedBoard, answer_of, faults, hangs, image
from tests.tiny_library import samples

NUCLEO, APOLLO = load_board("nucleo_l452re_p"), load_board("sparkfun_edge")
INPUTS = samples(5)


def job(folder: Path, stall_s: float = 60.0) -> Job:
    return Job(image(folder / "firmware.elf"), records(INPUTS), folder, NUCLEO, stall_s)


def joined(board: PlayedBoard, folder: Path, stall_s: float = 60.0) -> Connected:
    told = job(folder, stall_s)
    attached = Attached(id="here", type="nucleo_l452re_p")
    found = Connected(board, attached, told, NUCLEO, told.image, NUCLEO.memory, lambda: False)
    found.begin()
    return found


@pytest.mark.parametrize("breakpoints", [True, False])
def test_each_sample_and_the_end(breakpoints: bool, tmp_path: Path) -> None:
    board = PlayedBoard(breakpoints=breakpoints, reads_running=not breakpoints)
    found = joined(board, tmp_path)
    for index, sample in enumerate(INPUTS):
        answered = found.answer(sample.tobytes(), index)
        assert answered == (answer_of(sample.tobytes()), 1000 + index)
    assert (found.end(), found.window_cycles, found.clock_hz) == (48, 10, None)


@pytest.mark.parametrize("breakpoints", [True, False])
def test_a_sample_again_and_again(breakpoints: bool, tmp_path: Path) -> None:
    """For who measures energy; then each is run once again, and checked."""
    repeats: list[int] = []
    board = PlayedBoard(breakpoints=breakpoints, reads_running=not breakpoints)
    found = joined(board, tmp_path)
    assert isinstance(found, Repeating)
    board.spoil = lambda box: repeats.append(box["repeat"])
    found.repeat(INPUTS[0].tobytes(), 500, 0.5)
    assert found.answer(INPUTS[1].tobytes(), 1).output == answer_of(INPUTS[1].tobytes())
    assert repeats == [500, 1]


def test_nobody_looks_while_the_model_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who polls learns from the first sample how long it takes, and looks again when that is over, and no later."""
    clock = itertools.count(0, 0.01)  # each look at it takes 10 ms
    slept: list[float] = []
    found = joined(PlayedBoard(breakpoints=False, reads_running=True, takes_looks=3), tmp_path)
    monkeypatch.setattr(connections.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(connections.time, "sleep", slept.append)
    found.answer(INPUTS[0].tobytes(), 0)
    board = found.target
    assert isinstance(board, PlayedBoard) and board.looks == 4 and found.pace_s > 0
    board.takes_looks, before, learned = 0, len(slept), found.pace_s
    for index in (1, 2, 3):
        found.answer(INPUTS[index].tobytes(), index)
        assert board.looks == 1 and len(slept) > before and found.pace_s == learned


WRONG = {
    "a fault": (PlayedBoard(spoil=faults), EngineError, "faulted in sample 2"),
    "a hang": (PlayedBoard(spoil=hangs), BoardTrouble, "no answer to sample 2 within 0.01 s"),
    "a reset": (PlayedBoard(spoil=lambda box: box.update(samples=0)), BoardTrouble, "came to nothing: .* 0 answered"),
    "a bad wire": (PlayedBoard(damages=True), BoardTrouble, "damaged between Played and the board"),
    "another mailbox": (PlayedBoard(spoil=lambda box: box.update(input_bytes=8)), EngineError, "not the mailbox"),
    "version 1": (PlayedBoard(spoil=lambda box: box.update(version=1)), EngineError, "not the mailbox"),
    "nothing to hear it by": (PlayedBoard(breakpoints=False), EngineError, "sets no hardware breakpoint"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_goes_wrong_is_told(name: str, tmp_path: Path) -> None:
    board, kind, words = WRONG[name]
    with pytest.raises(kind, match=words) as caught:
        # Where an answer comes it may take any time: a busy machine is no hang.
        found = joined(replace(board), tmp_path, stall_s=0.01 if name == "a hang" else 30)
        for index, sample in enumerate(INPUTS):
            found.answer(sample.tobytes(), index)
    assert caught.value.hint or name == "a fault"


def test_it_stops_when_it_is_told_to(tmp_path: Path) -> None:
    found = joined(PlayedBoard(spoil=hangs), tmp_path)
    found.stop = lambda: found.box.samples == 2
    with pytest.raises(Stopped):
        for index, sample in enumerate(INPUTS):
            found.answer(sample.tobytes(), index)


def test_an_image_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board, pieces = PlayedBoard(emulator=False), [(FLASH, b"new image")]
    monkeypatch.setattr(flash, "flashed", lambda elf: pieces)
    with pytest.raises(EngineError, match="another image, and flash = 'none'"):
        demand_image(board, tmp_path, NUCLEO, may_flash=False)
    demand_image(board, tmp_path, NUCLEO)
    assert board.told == ["load"] and board.peek(FLASH, 9) == b"new image"
    demand_image(board, tmp_path, NUCLEO)
    assert board.told == ["load"]


def test_nobody_erases_a_flash_that_they_do_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenOCD takes an Apollo3 for an older chip."""
    board = PlayedBoard(emulator=False, kind="openocd", title="OpenOCD")
    monkeypatch.setattr(flash, "flashed", lambda elf: [(0xC000, b"new image")])
    with pytest.raises(EngineError, match="OpenOCD does not know the flash of Ambiq Apollo3") as caught:
        demand_image(board, tmp_path, APOLLO)
    assert board.told == [] and "another server" in str(caught.value.hint)


def test_a_flash_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flash, "flashed", lambda elf: [(FLASH, b"new image")])
    with pytest.raises(EngineError, match="no reading") as caught:
        demand_image(PlayedBoard(protected=True), tmp_path, NUCLEO)
    assert "RDP" in str(caught.value.hint)
    board = PlayedBoard()
    monkeypatch.setattr(board, "load", lambda pieces: None)
    with pytest.raises(EngineError, match="does not hold what Played wrote"):
        demand_image(board, tmp_path, NUCLEO)


def test_another_chip_is_refused() -> None:
    demand_chip(PlayedBoard(), NUCLEO)
    with pytest.raises(EngineError, match="no STM32L452RE: DEV_ID in DBGMCU_IDCODE is 0x415, of that it is 0x462"):
        demand_chip(PlayedBoard(chip=0x10076415), NUCLEO)


def test_the_order_of_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = PlayedBoard()

    @contextmanager
    def client(*_: object) -> Iterator[PlayedBoard]:
        yield board
        board.close()

    monkeypatch.setattr(connections, "client_for", client)
    monkeypatch.setattr(flash, "flashed", lambda elf: [(FLASH, b"new image")])
    with connected(Attached(id="here", type="nucleo_l452re_p"), job(tmp_path), lambda: False) as found:
        assert np.frombuffer(found.answer(INPUTS[0].tobytes(), 0).output, np.uint8).size == 4
    assert board.told == ["reset", "load", "reset", "close"]


def test_the_clock_is_measured_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(0.0, 1.0)
    cycles = itertools.count(2**32 - 48_000_000, 48_000_000)  # it wraps meanwhile
    board = PlayedBoard(emulator=False)
    found = joined(PlayedBoard(), tmp_path)
    monkeypatch.setattr(found, "target", board)
    monkeypatch.setattr(found, "_counter", lambda: next(cycles) & 0xFFFFFFFF)
    monkeypatch.setattr(found, "_sleep", lambda s: None)
    monkeypatch.setattr(connections.time, "monotonic", lambda: next(seconds))
    assert found._clock() == 48_000_000
