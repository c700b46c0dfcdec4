"""Energy meters: what a board takes while it runs the same sample again and again.

A member is a module with NAME, INSTALL (what brings its package) and `open(meter)`, a context that gives a `Reading`.
None was at hand: they follow what their makers write, and tests play the other side.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from mcusim.engines.hardware.attached import Meter
from mcusim.engines.hardware.meters import joulescope, lpm01a, ppk2
from mcusim.engines.hardware.meters.reading import OpenMeter, Reading
from mcusim.system.errors import MissingToolError


class Member(Protocol):
    """A module with these names."""

    NAME: str
    INSTALL: str
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
        except ImportError as error:
            what = f"the Python package of meter {meter.kind!r} is not installed: {error.name}"
            raise MissingToolError(what, hint=member.INSTALL) from None
        yield reading
