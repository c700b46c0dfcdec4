"""A firmware of others with the profiler in it: what that is told, how far it is, and in the end an Execution."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mcusim.boards.chip import Region
from mcusim.engines.counts import Counts, read_counts
from mcusim.engines.engine import Execution, Facts, Job, no_samples
from mcusim.engines.glimpse import Glimpse, look
from mcusim.engines.places import Places
from mcusim.engines.shares import LARGEST_LOG_BYTES, Running
from mcusim.system.elf import reading
from mcusim.system.elf_code import Vectors, read_functions
from mcusim.system.errors import EngineError
from mcusim.system.image import Image

NONCE, LOG = "profile", "engine.log"
FUNCTIONS = "functions.bin"  # in its working folder: functions.h
LARGEST_FILE_BYTES = 1 << 30  # that a firmware may write
TELL_S = 5.0
_POLL_S = 0.02
_PLACES_OF_A_LOOP = 2  # blocks, of one that waits


def functions_of(elf: Path, vectors: Vectors) -> bytes:
    """The contents of FUNCTIONS. Raises BuildError for no ELF file."""
    rows = [(f.start, min(f.end, 0xFFFFFFFF), f.start in vectors.handlers) for f in read_functions(elf)]
    return np.array(rows, np.uint32).reshape(-1, 3).tobytes()


def memory_needed(image: Image, stack: int) -> Sequence[tuple[Region, str]]:
    """Memory that has to be there, and what lies in it. `stack`: the stack pointer after a reset."""
    with reading(image.elf) as elf:
        segments = [segment.header for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
    needed = [
        (Region(origin=at, size_bytes=size), f"{size:,} bytes")
        for s in segments
        for at, size in ((s["p_vaddr"], s["p_memsz"]), (s["p_paddr"], s["p_filesz"]))
        if size and at + size <= 1 << 32
    ]
    return [*needed, *([(Region(origin=stack - 4, size_bytes=4), "its stack")] if 4 <= stack < 1 << 32 else [])]


def watch(process: Running, job: Job, to_begin_s: float = 0.0) -> Iterator[tuple[Glimpse | None, bool]]:
    """While it runs tells the job every few seconds how far it is.

    -> when it stalls: what it does at the moment, and whether it has been in more places than a loop that waits.
    """
    began = told = time.monotonic()
    been = set[tuple[int, int, int]]()
    places = Places(job.image.elf)
    for seen, stalls in glimpses(process, job, to_begin_s):
        now = time.monotonic()
        if seen:
            been.add((seen.begun, seen.measured, seen.pc))
        if stalls:
            call = (seen.begun, seen.measured) if seen else None
            yield seen, sum(place[:2] == call for place in been) > _PLACES_OF_A_LOOP
        if job.tell and seen and now - told > TELL_S:
            told = now
            at = f"it is in {places.name(seen.pc)}" if seen.pc else "it does not run yet"
            job.tell(f"{now - began:.0f} s: {seen.measured} calls measured, {at}")
        demand_few_words(job, "take the printing out of it, or leave it after fewer calls: --calls N")


def demanded_counts(job: Job) -> Counts:
    """What the profiler counted. Raises EngineError when no call began."""
    counts = read_counts([job.folder])
    if not counts.samples:
        places = Places(job.image.elf)
        last = look(job.folder)
        left = f", it ended in {places.name(last.pc)}" if last else ""
        hint = "name another function with --from; one that was inlined everywhere is never called"
        what = f"{places.name(job.image.entry)} was never called{left}"
        raise EngineError(what, where=str(job.image.elf), hint=hint)
    return counts


def glimpses(process: Running, job: Job, to_begin_s: float = 0.0) -> Iterator[tuple[Glimpse | None, bool]]:
    """Until it ends: what it does, and has no measured call begun or ended for `stall_s` seconds?

    These begin anew with the first instruction, to which a busy machine may take long: so much longer as `to_begin_s`.
    """
    since, before = time.monotonic() + to_begin_s, (0, 0, False)
    while process.poll() is None:
        time.sleep(_POLL_S)
        seen = look(job.folder)
        done = (seen.begun, seen.measured, seen.pc != 0) if seen else before
        if done != before:
            before, since = done, time.monotonic()
        yield seen, time.monotonic() - since > job.stall_s


def demand_few_words(job: Job, hint: str) -> None:
    """Raises EngineError with that hint when the firmware has printed too much."""
    if (job.folder / LOG).stat().st_size > LARGEST_LOG_BYTES:
        what = f"the firmware printed more than {LARGEST_LOG_BYTES >> 20} MiB"
        raise EngineError(what, where=str(job.image.elf), hint=hint)


def execution_of(
    counts: Counts, began: float, facts: Facts, version: str, notes: tuple[str, ...], left: str = ""
) -> Execution:
    """`began`: of time.monotonic(). `left`: what is to be said of a last call that was measured as far as it got."""
    instructions = counts.instructions()
    return Execution(
        answers=no_samples(),
        indices=np.empty(0, np.int64),
        instructions=instructions,
        total_instructions=int(instructions.sum()),
        wall_s=time.monotonic() - began,
        engine=facts.name,
        engine_version=version,
        complete=not left,
        notes=(*notes, left) if left else notes,
        counts=counts,
    )
