"""Energy meters: what a board takes while it runs the same sample again and again.

A member is a module with NAME, PACKAGE (of Python), INSTALL (what brings it), HAS_PORT (a serial one, which the map or
USB tells) and `open(meter)`, a context that gives a `Reading`.
None was at hand: they follow what their makers write, and tests play the other side.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters import joulescope, lpm01a, ppk2
from mcusim.engines.hardware.meters.reading import METER, OpenMeter, Reading, Trace, meter_port
from mcusim.engines.hardware.usb import Port
from mcusim.system.errors import EngineError, McusimError, MissingToolError
from mcusim.system.names import words_of


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

    Raises MissingToolError without its package, EngineError when it does not answer; so does what it gives.
    """
    member = METERS[meter.kind]
    with ExitStack() as stack:
        with _told(member):
            reading = stack.enter_context(member.open(meter))
        try:
            yield _Guarded(reading, member)
        finally:
            with suppress(OSError):  # it has told all, and may be gone
                stack.close()


@contextmanager
def _told(member: Member) -> Iterator[None]:
    """Packages of others, and the system below them, raise what they like."""
    try:
        yield
    except McusimError:
        raise
    except ImportError:
        raise _lacks(member) from None
    except Exception as error:
        hint = "is it plugged in, yours to use, and nobody else's? mcusim hardware check looks for it"
        raise EngineError(f"meter {member.NAME!r}: {words_of(error)}", where=METER, hint=hint) from error


@dataclass(frozen=True)
class _Guarded:
    reading: Reading
    member: Member

    def trace(self, seconds: float) -> Trace:
        with _told(self.member):
            return self.reading.trace(seconds)


def look_for(meter: Meter, there: Sequence[Port]) -> str | None:
    """Its serial port, where it has one. Raises as `metered`, but opens nothing. `there`: ports of this machine."""
    member = METERS[meter.kind]
    if find_spec(member.PACKAGE) is None:
        raise _lacks(member)
    return meter_port(meter, tuple(there)) if member.HAS_PORT else None


def _lacks(member: Member) -> MissingToolError:
    what = f"the Python package of meter {member.NAME!r} is not installed: {member.PACKAGE}"
    return MissingToolError(what, where=METER, hint=member.INSTALL)
