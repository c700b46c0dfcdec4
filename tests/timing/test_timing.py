"""From priced cycles to the figures of a report."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.timing.profile import Profile, energy_uwh
from mcusim.timing.timing import to_timing

BOARD = load_board("nucleo_l452re_p")


def profile(cycles: list[float], clock_hz: int = 48_000_000) -> Profile:
    array = np.array(cycles)
    return Profile(clock_hz, array, array, {}, {}, {"cnn": 10.0}, {"cnn": float(array.mean())}, {}, {}, {})


def test_figures() -> None:
    timing = to_timing(profile([48_000.0, 96_000.0]), BOARD, 60_000.0)
    assert (timing.cycles.min, timing.cycles.max, timing.cycles.mean) == (48_000, 96_000, 72_000.0)
    assert (timing.cycles.samples, timing.cycles.how) == (2, "modelled")
    assert timing.latency_ms == pytest.approx(1.5)
    assert timing.cycles_per_instruction == pytest.approx(1.2)
    assert timing.function_cycles == {"cnn": 72_000.0}


def test_energy_is_that_of_the_paper() -> None:
    """Table A5: 1034.033 ms on the Nucleo are 4.581 uWh, 1003.365 ms on the SparkFun Edge 0.754 uWh."""
    assert energy_uwh(1034.033e-3 * 48e6, BOARD) == pytest.approx(4.581, rel=1e-2)
    assert energy_uwh(1003.365e-3 * 48e6, load_board("sparkfun_edge")) == pytest.approx(0.754, rel=1e-2)
