"""ST's X-NUCLEO-LPM01A: it supplies the board, and tells amperes as text over its serial port (UM2269)."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters.reading import METER, Reading, Trace, meter_port
from mcusim.engines.hardware.usb import PERMISSION_HINT
from mcusim.system.errors import EngineError

NAME = "lpm01a"
PACKAGE, HAS_PORT = "serial", True
INSTALL = "pip install 'mcusim[hardware]'"
_ANSWER_S = 2.0
_RATE_HZ = 1000.0
_CURRENT = re.compile(rb"\s*([0-9]+)([+-][0-9]{2})\s*")  # 4796-06: 4796e-6 A


@contextmanager
def open(meter: Meter) -> Iterator[Reading]:
    import serial

    try:
        port = serial.Serial(meter_port(meter), 115200, timeout=0.1, exclusive=True)
    except serial.SerialException as error:
        hint = f"end what else uses it; or {PERMISSION_HINT}"
        raise EngineError(f"cannot open the meter: {error}", where=METER, hint=hint) from None
    with port:
        shield = _Shield(port, meter)
        for told in (
            "htc",
            "format ascii_dec",
            f"volt {round(meter.supply_v * 1000)}m",
            f"freq {_RATE_HZ / 1000:g}k",
            "trigsrc sw",
        ):
            shield.command(told)
        shield.command("targrst 0")
        try:
            yield shield
        finally:
            port.write(b"hrc\n")


@dataclass(frozen=True)
class _Shield:
    port: Any
    meter: Meter

    def command(self, text: str) -> None:
        """Raises EngineError unless it says that it did."""
        self.port.write(f"{text}\n".encode())
        until, heard = time.monotonic() + _ANSWER_S, b""
        while time.monotonic() < until:
            heard += self.port.readline()
            if f"ack {text.split(maxsplit=1)[0]}".encode() in heard:
                return
        what = f"meter 'lpm01a' does not take {text!r}: {heard[-80:]!r}"
        raise EngineError(what, where=METER, hint="its firmware is to be in the mode of the host's commands")

    def trace(self, seconds: float) -> Trace:
        self.command("acqtime inf")
        self.command("start")
        until, currents = time.monotonic() + seconds, []
        while time.monotonic() < until:
            if found := _CURRENT.fullmatch(self.port.readline()):
                currents.append(int(found[1]) * 10.0 ** int(found[2]))
        self.command("stop")
        return Trace.of(self.meter, [current * self.meter.supply_v for current in currents], _RATE_HZ)
