"""What a meter gives, and what all of them need."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from mcusim.engines.hardware.attached import Attached, Meter
from mcusim.engines.hardware.usb import Port, port_of, ports
from mcusim.system.errors import EngineError

LARGEST_W = 5.0  # of a USB port: more is a number that was misread


class Reading(Protocol):
    """An open meter."""

    def power_w(self, seconds: float) -> float:
        """The mean from now on, for so long. Raises EngineError when nothing comes."""


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
        raise EngineError(what, where="[board.meter]", hint=hint)
    return mine[0].path


def sane(power_w: float, meter: Meter) -> float:
    """Raises EngineError for what no board takes."""
    if not 0 < power_w < LARGEST_W:
        what = f"meter {meter.kind!r} says {power_w:g} W"
        raise EngineError(what, where="[board.meter]", hint="is the board wired through it, and on?")
    return power_w
