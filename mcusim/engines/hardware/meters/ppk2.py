"""Nordic's Power Profiler Kit II as source: it supplies the board, and tells microamperes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters.reading import Reading, meter_port, sane
from mcusim.system.errors import EngineError

NAME = "ppk2"
INSTALL = "pip install 'mcusim[meters]'"
_SETTLE_S, _POLL_S = 0.2, 0.005


@contextmanager
def open(meter: Meter) -> Iterator[Reading]:
    from ppk2_api.ppk2_api import PPK2_API

    kit = PPK2_API(meter_port(meter))
    kit.get_modifiers()
    kit.set_source_voltage(round(meter.supply_v * 1000))
    kit.use_source_meter()
    kit.toggle_DUT_power("ON")
    try:
        time.sleep(_SETTLE_S)
        yield _Kit(kit, meter)
    finally:
        kit.toggle_DUT_power("OFF")


@dataclass(frozen=True)
class _Kit:
    kit: Any
    meter: Meter

    def power_w(self, seconds: float) -> float:
        until, total, count = time.monotonic() + seconds, 0.0, 0
        self.kit.start_measuring()
        try:
            while time.monotonic() < until:
                found = self.kit.get_samples(self.kit.get_data() or b"")
                samples = found[0] if isinstance(found, tuple) else found  # an older package tells no digital inputs
                total, count = total + sum(samples), count + len(samples)
                time.sleep(_POLL_S)
        finally:
            self.kit.stop_measuring()
        if not count:
            raise EngineError("meter 'ppk2' tells nothing", where="[board.meter]", hint="plug it in anew")
        return sane(total / count * 1e-6 * self.meter.supply_v, self.meter)
