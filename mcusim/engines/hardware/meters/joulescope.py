"""Joulescope JS110 and JS220 in the board's supply: current and voltage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters.reading import Reading, sane
from mcusim.system.errors import EngineError

NAME = "joulescope"
INSTALL = "pip install 'mcusim[meters]'"


@contextmanager
def open(meter: Meter) -> Iterator[Reading]:
    import joulescope

    try:
        device = joulescope.scan_require_one(config="auto")
    except RuntimeError as error:
        hint = "plug in one, and end what else uses it"
        raise EngineError(f"no Joulescope: {error}", where="[board.meter]", hint=hint) from None
    with device as scope:
        yield _Scope(scope, meter)


@dataclass(frozen=True)
class _Scope:
    scope: Any
    meter: Meter

    def power_w(self, seconds: float) -> float:
        current_a, voltage_v = np.asarray(self.scope.read(contiguous_duration=seconds), np.float64).T[:2]
        power = current_a * voltage_v
        known = power[np.isfinite(power)]  # it tells NaN while it changes its range
        if not len(known):
            raise EngineError("the Joulescope tells nothing", where="[board.meter]", hint="is the board on?")
        return sane(float(known.mean()), self.meter)
