"""Any firmware -> Counts: QEMU runs it as it is, and the profiling plugin measures the calls of one function."""

from __future__ import annotations

import signal
import time

import numpy as np

from mcusim.engines.counts import Counts, read_counts
from mcusim.engines.engine import Execution, Job, no_samples
from mcusim.engines.qemu.facts import FACTS
from mcusim.engines.qemu.installation import find_qemu, version
from mcusim.engines.qemu.plugin import build_plugin, probe
from mcusim.engines.qemu.process import machine_of, plain_command, plugin_option, replay_options
from mcusim.engines.qemu.watched import FUNCTIONS, PROFILER, watch_calls
from mcusim.system.command import Completed, run
from mcusim.system.errors import EngineError, MissingToolError

_NONCE = "profile"
# Time goes on by 16 ns an instruction, about as on a chip of 50 to 80 MHz, and at once where the core sleeps: timers
# then interrupt at the same instructions every time, and nobody waits for a delay in real time.
_CLOCK = ("-icount", "shift=4,sleep=off")


def profile_foreign(job: Job) -> Execution:
    """With counts of each call of the image's entry. Input is what the firmware reads itself, in the job's folder.

    Raises EngineError when it fails, does not end within `stall_s` seconds or never gets to its entry.
    """
    began = time.monotonic()
    _check(_run(job), job)
    counts = _counts(job)
    return Execution(
        answers=no_samples(),
        indices=np.empty(0, np.int64),
        instructions=counts.instructions(),
        total_instructions=int(counts.instructions().sum()),
        wall_s=time.monotonic() - began,
        engine=FACTS.name,
        engine_version=version(),
        counts=counts,
    )


def _run(job: Job) -> Completed:
    board, machine = machine_of(job)
    found, plugin = find_qemu(), build_plugin(PROFILER)
    can = probe(found, plugin)
    job.folder.mkdir(parents=True, exist_ok=True)
    watched = watch_calls(job.image, board)
    (job.folder / FUNCTIONS).write_bytes(watched.functions)
    options = (f"calls={job.calls:#x}", *watched.options, *(replay_options(board) if job.replay else ()))
    command = plain_command(found, machine.machine, job.image.elf, _NONCE)
    command += [*_CLOCK, *can.confinement, *plugin_option(plugin, job.image, _NONCE, options)]
    try:
        return run(command, folder=job.folder, timeout_s=job.stall_s, environment=can.environment)
    except MissingToolError as error:  # QEMU itself was started before, by probe()
        what = f"the firmware did not end within {job.stall_s:g} s"
        hint = "a firmware that never ends is left after --calls N"
        raise EngineError(what, where=str(job.image.elf), hint=hint) from error


def _check(ended: Completed, job: Job) -> None:
    where = str(job.image.elf)
    if ended.returncode < 0:
        raise EngineError(f"QEMU was killed by {signal.Signals(-ended.returncode).name}", where=where)
    if not (job.folder / "plugin.txt").is_file():
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise EngineError(f"QEMU ended without a profile: {last}", where=where)


def _counts(job: Job) -> Counts:
    counts = read_counts([job.folder])
    if not counts.samples:
        symbols = job.image.symbols.items()
        entry = next((name for name, symbol in symbols if symbol.address == job.image.entry), hex(job.image.entry))
        hint = "name another symbol with --from"
        raise EngineError(f"{entry!r} was never called", where=str(job.image.elf), hint=hint)
    return counts
