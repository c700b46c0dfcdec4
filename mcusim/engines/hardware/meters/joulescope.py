"""Joulescope JS110 and JS220 in the board's supply: current and voltage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters.reading import METER, Reading, Trace
from mcusim.system.errors import EngineError

NAME = "joulescope"
PACKAGE, HAS_PORT = "joulescope", False
INSTALL = "pip install 'mcusim[meters]'"
_INPUTS = ("current_lsb", "voltage_lsb")


@contextmanager
def open(meter: Meter) -> Iterator[Reading]:
    import joulescope

    try:
        device = joulescope.scan_require_one(config="auto")
    except RuntimeError as error:
        hint = "plug in one, and end what else uses it"
        raise EngineError(f"no Joulescope: {error}", where=METER, hint=hint) from None
    with device as scope:
        found = _Scope(scope, meter)
        found.prepare()
        yield found


@dataclass(frozen=True)
class _Scope:
    scope: Any
    meter: Meter

    def trace(self, seconds: float) -> Trace:
        """NaN is told while it changes its range."""
        names = ["current", "voltage", *self._input]
        told = self.scope.read(contiguous_duration=seconds, out_format="samples_get", fields=names)
        current_a, voltage_v, *high = (np.asarray(told["signals"][name]["value"]) for name in names)
        rate_hz = float(told["time"]["sampling_frequency"]["value"])
        return Trace.of(self.meter, current_a.astype(np.float64) * voltage_v, rate_hz, *high)

    @property
    def _input(self) -> list[str]:
        """The field that its input is in: as the lowest bit of another one in a JS110, which has to be told so."""
        return [] if self.meter.channel is None else [_INPUTS[self.meter.channel]]

    def prepare(self) -> None:
        for name in self._input:
            self.scope.parameter_set(name, f"gpi{self.meter.channel}")
