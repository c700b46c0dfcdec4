"""Engine `qemu` (the default): stock qemu-system-arm, 6.2 to 11.x, with a plugin that counts each inference exactly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution, Job, Ready
from mcusim.engines.qemu.facts import FACTS
from mcusim.engines.qemu.foreign import profile_foreign
from mcusim.engines.qemu.installation import missing, tools, version
from mcusim.engines.qemu.process import QemuProcess, notes, prepare, read_summary
from mcusim.engines.qemu.profile import profile
from mcusim.engines.shares import Share

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
        if job.profile:
            return profile(job, self.jobs) if job.image.input_bytes else profile_foreign(job)
        return _run(job, self.jobs)


def _run(job: Job, jobs: int) -> Execution:
    process, engine_version = prepare(job, "count"), version()
    shares = sharing.lay_out(job.samples, job.image.output_bytes, job.folder, jobs)
    began = time.monotonic()
    complete = sharing.run_shares(
        shares, process.start, process.explain, process.explain_stall, stall_s=job.stall_s, progress=job.progress
    )
    execution = _collect(shares, job, process, time.monotonic() - began, engine_version, complete)
    sharing.clear(shares)
    return execution


def _collect(
    shares: list[Share], job: Job, process: QemuProcess, wall_s: float, engine_version: str, complete: bool
) -> Execution:
    results = [sharing.read_result(share) for share in shares] if complete else []
    summaries = [read_summary(share, complete=complete) for share in shares]
    finished, counted = sharing.counted(shares, 1, complete=complete)
    total = sum(summary.instructions for summary in summaries)
    return Execution(
        answers=sharing.merge_answers(shares, finished),
        indices=sharing.finished_indices(shares, finished),
        instructions=counted[:, 0],
        total_instructions=total,
        wall_s=wall_s,
        emulated_mips=total / wall_s / 1e6 if total else None,
        stack_bytes=max((result.stack_bytes for result in results), default=None),
        engine=FACTS.name,
        engine_version=engine_version,
        complete=complete,
        notes=notes(job, process.can, all(summary.confined for summary in summaries)),
    )
