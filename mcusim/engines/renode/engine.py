"""Engine `renode`: the real board's image in Renode, on a platform of the exact chip, samples through the mailbox."""

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import Board, MemoryMap
from mcusim.cores import core_of
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution, Job, LacksMemoryError, Ready
from mcusim.engines.linked import board_of, check_linked_for
from mcusim.engines.memory_options import memory_options
from mcusim.engines.renode import installation as installed
from mcusim.engines.renode import loading
from mcusim.engines.renode.facts import FACTS
from mcusim.engines.renode.foreign import profile_foreign
from mcusim.engines.renode.installation import Installation, find_installation, missing, version
from mcusim.engines.renode.process import Options, RenodeProcess, overlay
from mcusim.engines.renode.turn import Outcome
from mcusim.engines.renode.workers import WORKER_BYTES, Workers, affordable, shared
from mcusim.engines.shares import Ran, Share
from mcusim.system.errors import McusimError
from mcusim.system.memory import free_bytes
from mcusim.system.tool import Tool

__all__ = ["FACTS", "missing", "open", "tools", "version"]

START_S = 90.0  # Renode starts, unpacks itself and compiles the plug-in: so long is no stall, on the slowest machine
PROFILING = 10  # times as long an answer may take when every block is looked at


def tools() -> Iterable[Tool]:
    """Renode, pyrenode3, and the platforms of the boards in the Renode that is used."""
    yield from installed.tools()
    yield from loading.tools()


@contextmanager
def open(jobs: int) -> Iterator[Ready]:
    """Renodes for all jobs, which start now and go when nobody is left who wants them."""
    with shared() as workers:
        ready = _Renode(affordable(jobs, free_bytes()), jobs, workers)
        with suppress(McusimError, OSError):  # the first job tells
            workers.warm(find_installation(), ready.jobs, overlay(str(next(iter(loading.platforms().values()))), None))
        yield ready


@dataclass(frozen=True)
class _Renode:
    jobs: int
    wanted: int  # jobs that there might be, were there memory for them
    workers: Workers

    def run(self, job: Job) -> Execution:
        """See `Ready.run`. The image must be linked for the board itself."""
        if job.profile and not job.image.input_bytes:
            board, platform = platform_of(job)
            return profile_foreign(job, board, platform, self.workers, find_installation())
        board, memory, platform = place_of(job)
        sharing.check_sizes(job)
        installation, options = find_installation(), _options(job, board)
        shares = sharing.lay_out(job.samples, job.image.output_bytes, job.folder, self.jobs)
        links, core = self.workers.new_folder(), core_of(board.chip)
        process = RenodeProcess(self.workers, installation, job.image, memory, core, platform, links, options)
        try:
            process.prepare()
            began = time.monotonic()
            outcomes = process.run(shares, stall_s=options.stall_s + START_S, progress=job.progress)
            wall_s = time.monotonic() - began
        finally:
            shutil.rmtree(links, ignore_errors=True)
        execution = _collect(job, shares, outcomes, wall_s, installation, self._notes())
        sharing.clear(shares)
        return execution

    def _notes(self) -> tuple[str, ...]:
        if self.jobs == self.wanted:
            return ()
        why = f"each takes {WORKER_BYTES >> 20} MB of memory, and no more is free"
        return (f"only {self.jobs} of {self.wanted} Renodes at once: {why}",)


def place_of(job: Job) -> tuple[Board, MemoryMap, Path]:
    """Board, memory and platform description. Raises EngineError without one, and for an image that is not for it."""
    board, platform = platform_of(job)
    return board, check_linked_for(job, board, FACTS, mailbox=True), platform


def platform_of(job: Job) -> tuple[Board, Path]:
    """Board and platform description. Raises EngineError without one (LacksMemoryError: another engine may have it)."""
    board = board_of(job, FACTS)
    if board.renode is None:
        hint = "add [renode] with platform = .. to its file, or use another engine"
        raise LacksMemoryError(f"board {board.name!r} names no Renode platform", hint=hint)
    return board, Path(board.renode.platform)


def _options(job: Job, board: Board) -> Options:
    if not job.profile:
        return Options(job.stall_s, cycles_per_instruction=job.cycles_per_instruction, cycles=job.cycle_counter)
    markers = (("from", str(job.image.entry)), ("to", str(job.image.leave)))
    replay = memory_options(board, board.memory) if job.replay else ()
    return Options(job.stall_s * PROFILING, profile=(*markers, *replay))


def _collect(
    job: Job,
    shares: list[Share],
    outcomes: list[Outcome] | None,
    wall_s: float,
    used: Installation,
    notes: tuple[str, ...],
) -> Execution:
    """`outcomes`: of each share, None after Ctrl-C. Raises EngineError unless each answered all of its samples.

    counts.bin has two columns: instructions of the model, and the cycle counter around it.
    """
    complete, outcomes = outcomes is not None, outcomes or []
    for share, outcome in zip(shares, outcomes, strict=complete):
        if not outcome.samples == share.finished == share.samples:
            raise sharing.incomplete(share, f"{outcome.samples} answered, {share.finished} written")
    if job.profile and not complete:
        raise KeyboardInterrupt
    profile = sharing.profiled(job, shares) if job.profile else None
    finished, counted = sharing.counted(shares, 2, complete=complete)
    total = sum(outcome.instructions for outcome in outcomes)
    return sharing.execution_of(
        Ran(shares, wall_s, complete),
        finished,
        FACTS,
        used.version,
        instructions=counted[:, 0].copy(),
        total_instructions=total,
        emulated_mips=total / wall_s / 1e6 if total else None,
        stack_bytes=max((outcome.stack_bytes for outcome in outcomes), default=None),
        notes=(*used.notes, *notes),
        cycle_counter=counted[:, 1].copy() if job.cycle_counter else None,
        counts=profile,
    )
