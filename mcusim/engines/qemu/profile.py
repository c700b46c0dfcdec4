"""Image + a few samples -> Counts: the qemu engine with the profiling plugin instead of the counting one.

Never part of the accuracy pass: it is slower, and what it counts is only needed to tell cycles.
"""

from __future__ import annotations

import time

from mcusim.boards.board import Board
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution, Job
from mcusim.engines.memory_options import memory_options
from mcusim.engines.qemu.facts import FACTS, memory_map
from mcusim.engines.qemu.installation import version
from mcusim.engines.qemu.process import machine_of, notes, prepare, read_summary


def profile(job: Job, jobs: int) -> Execution:
    """With counts of each sample inside cnn(). See `Ready.run`."""
    board, _ = machine_of(job)
    process = prepare(job, "profile", replay_options(board) if job.replay else ())
    shares = sharing.lay_out(job.samples, job.image.output_bytes, job.folder, jobs)
    began = time.monotonic()
    if not sharing.run_shares(
        shares, process.start, process.explain, process.explain_stall, stall_s=job.stall_s, progress=job.progress
    ):
        raise KeyboardInterrupt
    wall_s = time.monotonic() - began
    summaries = [read_summary(share, complete=True) for share in shares]
    counts = sharing.profiled(job, shares)
    instructions, finished = counts.instructions(), [share.finished for share in shares]
    execution = Execution(
        answers=sharing.merge_answers(shares, finished),
        indices=sharing.finished_indices(shares, finished),
        instructions=instructions,
        total_instructions=int(instructions.sum()),
        wall_s=wall_s,
        stack_bytes=max(sharing.read_result(share).stack_bytes for share in shares),
        engine=FACTS.name,
        engine_version=version(),
        notes=notes(job, process.can, all(summary.confined for summary in summaries)),
        counts=counts,
    )
    sharing.clear(shares)
    return execution


def replay_options(board: Board) -> tuple[str, ...]:
    """The chip's caches and slow RAM as the plugin's options."""
    return tuple(f"{name}={value}" for name, value in memory_options(board, memory_map(board)))
