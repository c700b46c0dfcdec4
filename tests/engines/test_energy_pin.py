"""A pin of the board that is high while the model runs, for a meter; nothing of it where nobody asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.engines.hardware import run_on as running
from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters import window
from mcusim.engines.hardware.meters.reading import Trace
from mcusim.engines.serial import clock, connection
from mcusim.line.emit import emit_energy_pin
from mcusim.system.errors import ConfigurationError
from mcusim.workloads.generated import emit_firmware
from tests.engines.serial.conftest import Rig, rig  # noqa: F401
from tests.engines.serial.test_engine import over, right
from tests.tiny_library import build_library, library

RATE_HZ = 100_000.0
SLOW = "for (volatile int turn = 0; turn < 20000; turn++) {}"


@pytest.mark.parametrize("engine", ["qemu", "renode", "probe", "serial"])
def test_who_does_not_ask_gets_what_he_always_got(engine: str, nucleo: Board) -> None:
    """A board that names a pin has the C of one that names none."""
    facts, bare = ENGINES[engine].FACTS, nucleo.model_copy(update={"energy_pin": None})
    assert nucleo.energy_pin and emit_firmware(library(), facts, nucleo) == emit_firmware(library(), facts, bare)


@pytest.mark.arm
@pytest.mark.parametrize(("name", "engine"), [("nucleo_l452re_p", "probe"), ("sparkfun_edge", "serial")])
def test_firmware_that_raises_it_says_so(name: str, engine: str, build_folder: Path) -> None:
    """The model itself is at the same place, byte for byte."""
    board = load_board(name)
    plain, pinned = (
        build_library(sources, board, build_folder, engine).image
        for sources in (library(), library().merged(emit_energy_pin(board)))
    )
    assert window.PIN in pinned.symbols and window.PIN not in plain.symbols
    assert pinned.entry == plain.entry and pinned.sections[".model"] == plain.sections[".model"]


def test_a_board_without_one() -> None:
    with pytest.raises(ConfigurationError, match="'nucleo_l4r5zi' names no pin") as caught:
        emit_energy_pin(load_board("nucleo_l4r5zi"))
    assert "[energy_pin]" in (caught.value.hint or "")


class Watching:
    """A meter that sees the pin of a stand-in by its log: from now on, until the pin was high and low again."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.windows: list[float] = []

    def trace(self, seconds: float) -> Trace:
        seen, until = len(self.events()), time.monotonic() + 20
        while "".join(what for what, _ in self.events()[seen:]).count("L") == 0 and time.monotonic() < until:
            time.sleep(0.01)
        (first, high), *_, (last, low) = self.events()[seen:]
        assert first == "H" and last == "L"
        self.windows.append(low - high)
        readings = np.arange(high - 0.01, low + 0.01, 1 / RATE_HZ)
        is_high = (readings >= high) & (readings < low)
        return Trace(np.where(is_high, 0.02, 0.5), RATE_HZ, is_high)

    def events(self) -> list[tuple[str, float]]:
        return [(what, float(when)) for what, when in map(str.split, self.log.read_text().splitlines())]


@pytest.mark.arm
@pytest.mark.parametrize("name", ["nucleo_l452re_p", "sparkfun_edge"])
def test_a_meter_sees_the_model_run(
    name: str,
    rig: Rig,  # noqa: F811
    build_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The firmware's own C, over the serial port: once for a sample, and often, in one window, for the meter."""
    board, log = load_board(name), tmp_path / "log"
    meter = Watching(log)

    @contextmanager
    def opened(_: Meter) -> Iterator[Any]:
        yield meter

    monkeypatch.setattr(running, "metered", opened)
    monkeypatch.setattr(window, "METERED_S", 0.05)
    for module in (clock, connection):
        monkeypatch.setattr(module, "ENOUGH_S", 0.05)
    monkeypatch.setattr(window, "_AGREES", 100.0)  # a busy machine is no clock
    sources = library(SLOW).merged(emit_energy_pin(board))
    rigged = rig(board, sources, environment={"STANDIN_HZ": "1e6", "STANDIN_LOG": str(log)})
    rigged.write_map('[board.meter]\nkind = "ppk2"\nchannel = 0')
    execution = over(rigged, 4, tmp_path)
    assert right(execution, 4) and execution.silicon and execution.silicon.metered and not execution.trouble
    told = "".join(what for what, _ in meter.events())
    once, often = "HML" * (1 + 4 + 1), told.count("M") - 6  # the first sample twice, and how long asking takes
    assert told == "L" + once + "H" + "M" * often + "L" and often > 5
    assert execution.silicon.energy_j == pytest.approx(0.02 * meter.windows[0] / often, rel=0.01)
    assert all(before <= after for (_, before), (_, after) in pairwise(meter.events()))
