"""ST's X-NUCLEO-LPM01A: it supplies the board, and tells amperes as text over its serial port (UM2269)."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters.reading import Reading, meter_port, sane
from mcusim.system.errors import EngineError

NAME = "lpm01a"
INSTALL = "pip install 'mcusim[hardware]'"
_ANSWER_S = 2.0
_CURRENT = re.compile(rb"\s*([0-9]+)([+-][0-9]{2})\s*")  # 4796-06: 4796e-6 A


@contextmanager
def open(meter: Meter) -> Iterator[Reading]:
    import serial

    try:
        port = serial.Serial(meter_port(meter), 115200, timeout=0.1, exclusive=True)
    except serial.SerialException as error:
        hint = "end what else uses it; docs/hardware.md has the udev rule"
        raise EngineError(f"cannot open the meter: {error}", where="[board.meter]", hint=hint) from None
    with port:
        shield = _Shield(port, meter)
        for told in ("htc", "format ascii_dec", f"volt {round(meter.supply_v * 1000)}m", "freq 1k", "trigsrc sw"):
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
        raise EngineError(what, where="[board.meter]", hint="its firmware is to be in the mode of the host's commands")

    def power_w(self, seconds: float) -> float:
        self.command("acqtime inf")
        self.command("start")
        until, currents = time.monotonic() + seconds, []
        while time.monotonic() < until:
            if found := _CURRENT.fullmatch(self.port.readline()):
                currents.append(int(found[1]) * 10.0 ** int(found[2]))
        self.command("stop")
        if not currents:
            raise EngineError("meter 'lpm01a' tells nothing", where="[board.meter]", hint="plug it in anew")
        return sane(sum(currents) / len(currents) * self.meter.supply_v, self.meter)
