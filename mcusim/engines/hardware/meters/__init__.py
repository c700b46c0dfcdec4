"""Energy meters: what a board takes while it runs the same sample again and again.

A member is a module with NAME, PACKAGE (of Python), INSTALL (what brings it), HAS_PORT (a serial one, which the map or
USB tells) and `open(meter)`, a context that gives a `Reading`.
None was at hand: they follow what their makers write, and tests play the other side.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import Protocol

from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters import joulescope, lpm01a, ppk2
from mcusim.engines.hardware.meters.reading import METER, OpenMeter, Reading, meter_port
from mcusim.engines.hardware.usb import Port
from mcusim.system.errors import MissingToolError


class Member(Protocol):
    """A module with these names."""

    NAME: str
    PACKAGE: str
    INSTALL: str
    HAS_PORT: bool
    open: OpenMeter


METERS: dict[str, Member] = {one.NAME: one for one in (ppk2, joulescope, lpm01a)}


@contextmanager
def metered(meter: Meter) -> Iterator[Reading]:
    """Supplies the board where the meter does, as long as it is open.

    Raises MissingToolError without its package, EngineError when it does not answer.
    """
    member = METERS[meter.kind]
    with ExitStack() as stack:
        try:
            reading = stack.enter_context(member.open(meter))
        except ImportError:
            raise _lacks(member) from None
        yield reading


def look_for(meter: Meter, there: Sequence[Port]) -> str | None:
    """Its serial port, where it has one. Raises as `metered`, but opens nothing. `there`: ports of this machine."""
    member = METERS[meter.kind]
    if find_spec(member.PACKAGE) is None:
        raise _lacks(member)
    return meter_port(meter, tuple(there)) if member.HAS_PORT else None


def _lacks(member: Member) -> MissingToolError:
    what = f"the Python package of meter {member.NAME!r} is not installed: {member.PACKAGE}"
    return MissingToolError(what, where=METER, hint=member.INSTALL)
