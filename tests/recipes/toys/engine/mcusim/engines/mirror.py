"""Engine `mirror`: a program of this machine, whose samples run from the last to the first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from mcusim.engines import host
from mcusim.engines.engine import Execution, Job, Ready
from mcusim.engines.host import missing, tools, version

__all__ = ["FACTS", "missing", "open", "tools", "version"]

FACTS = replace(
    host.FACTS, name="mirror", title="the mirror", summary="from the last sample to the first", transport="mirror"
)


@contextmanager
def open(jobs: int) -> Iterator[Ready]:
    with host.open(jobs) as ready:
        yield _Mirror(ready)


@dataclass(frozen=True)
class _Mirror:
    ready: Ready

    def run(self, job: Job) -> Execution:
        """See `Ready.run`. After Ctrl-C nothing is finished that anybody could use."""
        seen = self.ready.run(replace(job, samples=job.samples[::-1]))
        if not seen.complete:
            raise KeyboardInterrupt
        return replace(seen, answers=seen.answers[::-1], engine=FACTS.name, notes=("mirrored",))
