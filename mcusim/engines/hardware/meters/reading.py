"""What a meter gives, and what all of them need."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mcusim.engines.hardware.attached import Attached, Meter
from mcusim.engines.hardware.usb import Port, port_of, ports
from mcusim.system.errors import EngineError

METER = "[board.meter]"  # where it stands
LARGEST_W = 5.0  # of a USB port: more is a number that was misread


@dataclass(frozen=True)
class Trace:
    """What a meter saw, `rate_hz` times a second. `high`: its digital input, where it was asked for."""

    power_w: npt.NDArray[np.float64]  # NaN where it tells nothing
    rate_hz: float
    high: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, meter: Meter, power_w: Any, rate_hz: float, high: Any = None) -> "Trace":
        """Raises EngineError where there is nothing in it."""
        power = np.asarray(power_w, np.float64)
        if not np.isfinite(power).any():
            hint = "is the board on, and wired through it? Else plug the meter in anew"
            raise EngineError(f"meter {meter.kind!r} tells nothing", where=METER, hint=hint)
        return cls(power, rate_hz, None if high is None else np.asarray(high, np.bool_))


class Reading(Protocol):
    """An open meter."""

    def trace(self, seconds: float) -> Trace:
        """From now on, for so long; with `channel` of the meter. Raises EngineError when nothing comes."""


OpenMeter = Callable[[Meter], AbstractContextManager[Reading]]


def meter_port(meter: Meter, there: tuple[Port, ...] | None = None) -> str:
    """Its serial port: as the map tells it, else the only one of its kind. Raises EngineError."""
    found = ports() if there is None and not meter.port else there or ()
    if meter.port or meter.serial:
        named = Attached(id=f"meter {meter.kind}", type=meter.kind, port=meter.port, serial=meter.serial)
        return port_of(named, found)
    mine = [port for port in found if port.device and port.device.meter == meter.kind]
    if len(mine) != 1:
        what = f"{len(mine)} meters {meter.kind!r} are connected"
        hint = "name its serial or port in [board.meter]" if mine else "plug it in; mcusim hardware scan"
        raise EngineError(what, where=METER, hint=hint)
    return mine[0].path


def sane(power_w: float, meter: Meter) -> float:
    """Raises EngineError for what no board takes."""
    if not 0 < power_w < LARGEST_W:
        what = f"meter {meter.kind!r} says {power_w:g} W"
        raise EngineError(what, where=METER, hint="is the board wired through it, and on?")
    return power_w
