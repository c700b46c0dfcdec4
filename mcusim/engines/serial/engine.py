"""Engine `serial`: the same firmware on the real board, samples over its serial port, cycles by its own counter."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mcusim.engines.engine import Execution, Job, Ready
from mcusim.engines.hardware import usb
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.rig import Rig
from mcusim.engines.hardware.run_on import run_on
from mcusim.engines.linked import board_of, check_linked_for
from mcusim.engines.serial.connection import connect
from mcusim.engines.serial.facts import FACTS
from mcusim.system.errors import MissingToolError
from mcusim.system.tool import Tool, installed

__all__ = ["FACTS", "missing", "open", "tools", "version"]


def missing() -> MissingToolError | None:
    return usb.missing()


def version() -> str:
    """Of pyserial: the board has none."""
    error = missing()
    if error:
        raise error
    return f"pyserial {installed('pyserial')}"


def tools() -> Iterable[Tool]:
    yield usb.tool("engine serial")


@contextmanager
def open(jobs: int) -> Iterator[Ready]:
    """Boards that were taken stay ours until the end."""
    with Rig(jobs) as rig:
        yield _Serial(rig)


@dataclass(frozen=True)
class _Serial:
    rig: Rig

    def run(self, job: Job) -> Execution:
        """See `Ready.run`."""
        check_linked_for(job, board_of(job, FACTS), FACTS, mailbox=False)
        return run_on(self.rig.boards(job, _unfit), job, connect, FACTS, version())


def _unfit(attached: Attached) -> str | None:
    """Why it cannot be reached."""
    named = attached.port or attached.serial or attached.usb
    return None if named else "names no serial port: serial, usb or port"
