"""A firmware of others in a process of its own, with the profiler in it: how far it is, and in the end an Execution."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import numpy as np

from mcusim.engines.counts import Counts
from mcusim.engines.engine import Execution, Facts, Job, no_samples
from mcusim.engines.glimpse import Glimpse, look
from mcusim.engines.shares import LARGEST_LOG_BYTES
from mcusim.system.errors import EngineError

NONCE, LOG = "profile", "engine.log"
LARGEST_FILE_BYTES = 1 << 30  # that a firmware may write
_POLL_S = 0.02


def glimpses(
    process: subprocess.Popen[bytes], job: Job, to_begin_s: float = 0.0
) -> Iterator[tuple[Glimpse | None, bool]]:
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


def execution_of(counts: Counts, began: float, facts: Facts, version: str, notes: tuple[str, ...]) -> Execution:
    """`began`: of time.monotonic()."""
    instructions = counts.instructions()
    return Execution(
        answers=no_samples(),
        indices=np.empty(0, np.int64),
        instructions=instructions,
        total_instructions=int(instructions.sum()),
        wall_s=time.monotonic() - began,
        engine=facts.name,
        engine_version=version,
        notes=notes,
        counts=counts,
    )
