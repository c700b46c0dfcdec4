"""Nordic's Power Profiler Kit II as source: it supplies the board, and tells microamperes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters.reading import METER, Reading, Trace, meter_port
from mcusim.system.errors import EngineError

NAME = "ppk2"
PACKAGE, HAS_PORT = "ppk2_api", True
INSTALL = "pip install 'mcusim[meters]'"
_SETTLE_S, _POLL_S = 0.2, 0.005
_RATE_HZ, _SAMPLE_BYTES = 100_000.0, 4


@contextmanager
def open(meter: Meter) -> Iterator[Reading]:
    from ppk2_api.ppk2_api import PPK2_API

    kit = PPK2_API(meter_port(meter))
    if not kit.get_modifiers():  # else it goes on with numbers of no kit at all
        hint = "is a Power Profiler Kit II at that port? Plug it in anew"
        raise EngineError("meter 'ppk2' does not tell its calibration", where=METER, hint=hint)
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

    def trace(self, seconds: float) -> Trace:
        """Bytes are only kept meanwhile: to read them takes longer than they take to come."""
        until, heard = time.monotonic() + seconds, b""
        self.kit.start_measuring()
        try:
            while time.monotonic() < until:
                heard += self.kit.get_data() or b""
                time.sleep(_POLL_S)
        finally:
            self.kit.stop_measuring()
        whole = heard[: len(heard) // _SAMPLE_BYTES * _SAMPLE_BYTES]
        found = self.kit.get_samples(whole) if whole else ([], [])  # of nothing the package makes a sample
        currents_ua, inputs = found if isinstance(found, tuple) else (found, [])
        power_w = np.asarray(currents_ua, np.float64) * 1e-6 * self.meter.supply_v
        return Trace.of(self.meter, power_w, _RATE_HZ, self._high(inputs, len(power_w)))

    def _high(self, inputs: list[int], count: int) -> npt.NDArray[np.bool_] | None:
        """Raises EngineError where an older package tells no digital inputs."""
        if self.meter.channel is None:
            return None
        if len(inputs) != count:
            raise EngineError("this ppk2-api tells no digital inputs", where=METER, hint="pip install -U ppk2-api")
        return np.asarray(np.asarray(inputs, np.int64) >> self.meter.channel & 1, np.bool_)
