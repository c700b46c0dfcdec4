"""A board that runs one sample again and again + an open meter -> watts of the middle of that time."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, runtime_checkable

from mcusim.engines.hardware.meters.reading import Reading
from mcusim.system.errors import EngineError

METERED_S = 2.0
_EDGE = 0.1  # of that time, at its begin and its end, nobody knows whether the model runs


@runtime_checkable
class Repeating(Protocol):
    """A connection that can make the board run for long."""

    def repeat(self, sample: bytes, times: int) -> None:
        """Runs a sample so often, without anything between. Raises as `Connection.answer`."""


def mean_power_w(connection: Repeating, reading: Reading, sample: bytes, latency_s: float) -> float:
    """While the board runs `sample` for METERED_S: of the middle of that time, where it surely does.

    Raises EngineError when the board was done before.
    """
    times = max(1, math.ceil(METERED_S / latency_s))
    lasts_s = times * latency_s

    def read() -> float:
        time.sleep(lasts_s * _EDGE)
        return reading.power_w(lasts_s * (1 - 3 * _EDGE))

    with ThreadPoolExecutor(1) as pool:
        began, measuring = time.monotonic(), pool.submit(read)
        connection.repeat(sample, times)
        took_s = time.monotonic() - began
        power_w = measuring.result()
    if took_s < lasts_s * (1 - _EDGE):
        what = f"the board was done after {took_s:.2f} s, and not {lasts_s:.2f} s: what the meter saw is no run of it"
        raise EngineError(what, where="[board.meter]", hint="please report it")
    return power_w
