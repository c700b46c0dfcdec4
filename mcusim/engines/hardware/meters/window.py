"""A board that runs one sample again and again + an open meter -> what the model takes, where it surely runs.

With a pin of the board at a digital input of the meter energy is summed from edge to edge; without, the mean power of
the middle of that time is taken.
"""

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from mcusim.engines.hardware.attached import Attached, Meter
from mcusim.engines.hardware.meters.reading import METER, Reading, Trace, sane
from mcusim.system.errors import EngineError

PIN = "mcusim_energy_pin_high"  # a function of firmware that raises the pin (codegen/templates/energy_pin.h.j2)
METERED_S = 2.0
_EDGE = 0.1  # of that time, at its begin and its end, nobody knows whether the model runs
_AGREES = 0.1  # a window with as many runs of the model as were asked for; readings that were lost make it shorter
_AHEAD_S, _BEHIND_S = 0.3, 0.5  # that a capture is longer, for meters that are slow to begin
_WIRING = "are the board's energy pin and its ground wired to the meter, and is channel the right input?"


@runtime_checkable
class Repeating(Protocol):
    """A connection that can make the board run for long."""

    def may_repeat(self) -> bool:
        """Does its firmware know how? Then also how long it takes is known, if it ever is."""

    def repeat(self, sample: bytes, times: int, lasts_s: float) -> None:
        """Runs a sample so often, without anything between, which takes `lasts_s`. Raises as `Connection.answer`."""


class Metered(NamedTuple):
    """`energy_j`: of one run of the model, by the window of a pin; None where there is none."""

    power_w: float
    energy_j: float | None = None


def loose_end(board: Attached, pin: bool) -> tuple[str, ...]:
    """What a reader of the report should know of a pin that nobody looks at, or of a wire that nobody drives."""
    wired = board.meter is not None and board.meter.channel is not None
    if pin and not wired:
        return (f"the energy pin of board {board.id!r} is at no meter: the map names no channel for it",)
    if wired and not pin:
        return (
            f"the energy pin of board {board.id!r} stays low: [target] energy_pin = true lets the firmware raise it",
        )
    return ()


def metered_power(
    connection: Repeating, reading: Reading, meter: Meter, sample: bytes, latency_s: float, around_s: float, pin: bool
) -> Metered:
    """While the board runs `sample` for METERED_S.

    `around_s`: what it takes to ask for a sample, besides. `pin`: does the firmware raise one? Raises EngineError for
    what cannot be believed.
    """
    times = max(1, math.ceil(METERED_S / latency_s))
    lasts_s = times * latency_s

    def during(delay_s: float, read_s: float, ahead_s: float) -> tuple[Trace, float]:
        """What the meter saw, and how long the board took."""

        def read() -> Trace:
            time.sleep(delay_s)
            return reading.trace(read_s)

        with ThreadPoolExecutor(1) as pool:
            seeing = pool.submit(read)
            time.sleep(ahead_s)
            began = time.monotonic()
            connection.repeat(sample, times, lasts_s)
            took_s = time.monotonic() - began
            return seeing.result(), took_s

    if pin and meter.channel is not None:
        return _of_window(during, meter, times, lasts_s, around_s)
    trace, took_s = during(around_s + lasts_s * _EDGE, lasts_s * (1 - 3 * _EDGE), 0.0)
    if took_s < lasts_s * (1 - _EDGE):
        what = f"the board was done after {took_s:.2f} s, and not {lasts_s:.2f} s: what the meter saw is no run of it"
        raise EngineError(what, where=METER, hint="please report it")
    return Metered(sane(float(np.nanmean(trace.power_w)), meter))


def _of_window(
    during: Callable[[float, float, float], tuple[Trace, float]],
    meter: Meter,
    times: int,
    lasts_s: float,
    around_s: float,
) -> Metered:
    trace, _ = during(0.0, _AHEAD_S + around_s + lasts_s + _BEHIND_S, _AHEAD_S)
    begin, end = window_of(trace, meter)
    window_s = (end - begin) / trace.rate_hz
    if abs(window_s / lasts_s - 1) > _AGREES:
        what = f"the pin was high for {window_s:.3f} s, and {times:,} runs of the model take {lasts_s:.3f} s"
        raise EngineError(what, where=METER, hint=f"{_WIRING} Or this machine was too busy to hear the meter")
    power_w = sane(float(np.nanmean(trace.power_w[begin:end])), meter)
    return Metered(power_w, power_w * window_s / times)


def window_of(trace: Trace, meter: Meter) -> tuple[int, int]:
    """From which to which reading the pin was high. Raises EngineError unless it rose once, and fell again."""
    assert trace.high is not None
    told = f"input {meter.channel} of meter {meter.kind!r}"
    changes = np.diff(trace.high.astype(np.int8))
    edges = np.flatnonzero(changes)
    if not trace.high.any():
        raise EngineError(f"{told} saw no pin: it was low all the time", where=METER, hint=_WIRING)
    if trace.high.all():
        raise EngineError(f"{told} was high all the time", where=METER, hint=_WIRING)
    if len(edges) == 1:
        which = "is high when the meter begins" if trace.high[0] else "is still high when the meter ends"
        hint = f"{_WIRING} Or the cable to the board was bad: run it again"
        raise EngineError(f"{told} {which}: the window of the model is cut off", where=METER, hint=hint)
    if trace.high[0] or len(edges) != 2:
        rises = int((changes == 1).sum())
        raise EngineError(f"{told} rose {rises:,} times, and not once", where=METER, hint=_WIRING)
    return int(edges[0]) + 1, int(edges[1]) + 1
