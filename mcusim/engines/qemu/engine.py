"""Engine `qemu` (the default): stock qemu-system-arm, 6.2 to 11.x, with a plugin that counts each inference exactly.

A profile is never part of the accuracy pass: the profiling plugin is slower than the counting one, and what it counts
is only needed to tell cycles.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution, Job, Ready
from mcusim.engines.qemu.facts import FACTS
from mcusim.engines.qemu.foreign import profile_foreign
from mcusim.engines.qemu.installation import missing, tools, version
from mcusim.engines.qemu.process import QemuProcess, machine_of, notes, prepare, read_summary, replay_options
from mcusim.engines.qemu.watched import PROFILER
from mcusim.engines.shares import Ran

__all__ = ["FACTS", "missing", "open", "tools", "version"]


@contextmanager
def open(jobs: int) -> Iterator[Ready]:
    """Holds nothing."""
    yield _Qemu(jobs)


@dataclass(frozen=True)
class _Qemu:
    jobs: int

    def run(self, job: Job) -> Execution:
        """See `Ready.run`."""
        if job.profile and not job.image.input_bytes:
            return profile_foreign(job)
        replay = replay_options(machine_of(job)[0]) if job.profile and job.replay else ()
        process = prepare(job, PROFILER if job.profile else "count", replay)
        ran = sharing.run_job(job, self.jobs, process)
        execution = _collect(ran, job, process)
        sharing.clear(ran.shares)
        return execution


def _collect(ran: Ran, job: Job, process: QemuProcess) -> Execution:
    stack_bytes = sharing.stack_bytes_of(ran)
    summaries = [read_summary(share, complete=ran.complete) for share in ran.shares]
    finished, instructions, counts = sharing.instructions_of(ran, job)
    total = int(instructions.sum()) if job.profile else sum(summary.instructions for summary in summaries)
    return sharing.execution_of(
        ran,
        finished,
        FACTS,
        version(),
        instructions=instructions,
        total_instructions=total,
        emulated_mips=total / ran.wall_s / 1e6 if total and not job.profile else None,
        stack_bytes=stack_bytes,
        notes=notes(job, process.can, all(summary.confined for summary in summaries)),
        counts=counts,
    )
