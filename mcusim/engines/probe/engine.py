"""Engine `probe`: the real board's image, byte for byte Renode's, by a debug probe and the mailbox in RAM."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from mcusim.engines.engine import Execution, Job, Ready
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.rig import Rig
from mcusim.engines.hardware.run_on import Connection, Stop, run_on
from mcusim.engines.linked import board_of, check_linked_for
from mcusim.engines.probe.client import unfit
from mcusim.engines.probe.connection import DOORBELL, connected
from mcusim.engines.probe.facts import FACTS
from mcusim.engines.probe.servers import kinds
from mcusim.system.errors import EngineError, MissingToolError
from mcusim.system.tool import Tool, looked_for
from mcusim.system.version import VERSION

__all__ = ["FACTS", "missing", "open", "tools", "version"]


def missing() -> MissingToolError | None:
    """Nothing: a server may run elsewhere. Who names one of this machine in the hardware map hears what is missing."""
    return None


def version() -> str:
    """Of our own client; that of the servers is known once they are asked."""
    return f"mcusim {VERSION}"


def tools() -> Iterable[Tool]:
    for kind in kinds().values():
        if kind.program is not None:
            yield looked_for(kind.title, f"engine probe, server = '{kind.name}'", kind.installed, required=False)


@contextmanager
def open(jobs: int) -> Iterator[Ready]:
    """Boards that a job takes are held until the end."""
    with Rig(jobs) as rig:
        yield _Probe(rig)


@dataclass(frozen=True)
class _Probe:
    rig: Rig

    def run(self, job: Job) -> Execution:
        """See `Ready.run`. The image must be linked for the board itself."""
        board = board_of(job, FACTS)
        check_linked_for(job, board, FACTS, mailbox=True)
        if DOORBELL not in job.image.symbols:
            what = "the firmware has no label behind its doorbell: an older mcusim built it"
            raise EngineError(what, where=str(job.image.elf), hint="build it anew: mcusim build")
        boards = self.rig.boards(job, partial(unfit, board=board))
        seen: dict[str, bool] = {}

        @contextmanager
        def connect(attached: Attached, job: Job, stop: Stop) -> Iterator[Connection]:
            with connected(attached, job, stop) as connection:
                target = connection.target
                seen[f"{target.title} {target.version}".strip()] = target.emulator
                yield connection

        execution = run_on(boards, job, connect, FACTS, version())
        stand_ins = (f"{name} stood in for the board: nothing was measured on silicon" for name in seen if seen[name])
        told = ", ".join(seen) or execution.engine_version
        silicon = execution.silicon and replace(execution.silicon, emulated=any(seen.values()))
        return replace(execution, engine_version=told, notes=(*execution.notes, *stand_ins), silicon=silicon)
