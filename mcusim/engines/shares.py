"""Samples -> shares, one process each in a folder of its own -> answers in sample order.

A firmware reads ``input.bin`` in its working folder, writes ``output.bin`` and, last of all, ``result.txt``
(codegen/harness/transport_semihosting.c). The size of ``output.bin`` is its progress.
"""

import errno
import itertools
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from mcusim.engines.counts import Counts, read_counts
from mcusim.engines.engine import Execution, Facts, Job, Records
from mcusim.system.command import stop
from mcusim.system.disk import WRITE_HINT, full_disk_hint
from mcusim.system.errors import EngineError
from mcusim.system.progress import Progress

_PROGRESS_S = 0.2
_POLL_S = 0.02
LARGEST_LOG_BYTES = 2**28  # a firmware that prints without end would fill the disk
_LOG_KEPT_BYTES = 2**20  # of its beginning, and of its end, are looked at
STALL_HINT = "the firmware hangs, or needs longer: [target] stall_s"
KILLED_HINT = "was the memory of this machine enough? --jobs 1 takes less"
FAULT = 20  # exit code of a firmware that faulted; those of a transport (codegen/harness/transport.h) mean:
_MEANINGS = {
    10: "the firmware cannot open its input",
    11: "the input ends in the middle of a sample",
    12: "the firmware cannot write an output",
    13: "the firmware cannot write its last record",
}
_NOISE = re.compile(r"^\(qemu\)|monitor - type 'help'|warning: nic .* has no peer")


@dataclass
class Share:
    """Consecutive samples, from `first` on, that one process runs in `folder`. `nonce` proves its answer to be new."""

    folder: Path
    first: int
    samples: int
    output_bytes: int
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def finished(self) -> int:
        """Samples whose output is on disk."""
        try:
            return min((self.folder / "output.bin").stat().st_size // self.output_bytes, self.samples)
        except OSError:
            return 0

    def read(self, name: str) -> bytes:
        """A file that the process wrote; empty when there is none."""
        try:
            return (self.folder / name).read_bytes()
        except OSError:
            return b""

    @property
    def log(self) -> str:
        """What the process wrote to its terminal; of very much only the beginning and the end."""
        try:
            with (self.folder / "engine.log").open("rb") as file:
                found = file.read(_LOG_KEPT_BYTES)
                file.seek(max(_LOG_KEPT_BYTES, os.fstat(file.fileno()).st_size - _LOG_KEPT_BYTES))
                return (found + file.read(_LOG_KEPT_BYTES)).decode(errors="replace")
        except OSError:
            return ""

    @property
    def log_bytes(self) -> int:
        try:
            return (self.folder / "engine.log").stat().st_size
        except OSError:
            return 0

    @property
    def last_words(self) -> str:
        """The line of `log` that says most: the last one in QEMU's own name, else the last that is not mere noise."""
        lines = [line.strip() for line in self.log.splitlines() if line.strip() and not _NOISE.search(line)]
        named = [line for line in lines if line.startswith("qemu")]
        return (named or lines or ["no message"])[-1]


def check_sizes(job: Job) -> None:
    """Raises EngineError when the samples are not those that the image was built for, or when there are none."""
    if len(job.samples) == 0:
        raise EngineError("there are no samples to run", hint="give the data set some for the test")
    have, want = job.samples[0].nbytes, job.image.input_bytes
    if have != want:
        what = f"inputs have {have} bytes a sample, the firmware was built for {want}"
        raise EngineError(what, where=str(job.image.elf), hint="build it anew: mcusim build")


def lay_out(inputs: Records, output_bytes: int, folder: Path, jobs: int) -> list[Share]:
    """Cuts `inputs` into at most `jobs` shares, each with its ``input.bin`` in a new folder below `folder`."""
    edges = np.linspace(0, len(inputs), max(1, min(jobs, len(inputs))) + 1).astype(int).tolist()
    top: Path | None = None
    shares: list[Share] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        top = Path(tempfile.mkdtemp(prefix="run-", dir=folder)).absolute()
        for first, end in itertools.pairwise(edges):
            share = Share(top / str(len(shares)), first, end - first, output_bytes)
            share.folder.mkdir()
            (share.folder / "input.bin").write_bytes(inputs[first:end].tobytes())
            shares.append(share)
        return shares
    except BaseException as error:
        if top is not None:
            shutil.rmtree(top, ignore_errors=True)  # the room may be what is missing
        if not isinstance(error, OSError):
            raise
        raise EngineError(f"cannot write the inputs: {error.strerror}", where=str(folder), hint=WRITE_HINT) from error


def clear(shares: Sequence[Share]) -> None:
    """Removes the folders of a run that went well."""
    shutil.rmtree(shares[0].folder.parent, ignore_errors=True)


class Ran(NamedTuple):
    """What is left of a job: its shares with what they wrote, from the first process started to the last one ended."""

    shares: list[Share]
    wall_s: float
    complete: bool


class Running(Protocol):
    """What works at a share: a process, or one that stays and does this meanwhile."""

    def poll(self) -> int | None:
        """None while it works, then as an exit code."""


R = TypeVar("R", bound=Running)


class Crew(Protocol[R]):
    """How those that work at shares begin, what it means when one ends badly or gives no output, and how all end."""

    def start(self, share: Share) -> R: ...

    def explain(self, share: Share, code: int) -> EngineError:
        """`code`: none of a transport's."""

    def explain_stall(self, share: Share, process: R, stall_s: float) -> EngineError: ...

    def end(self, processes: Sequence[R]) -> None:
        """Called once, with all that were started."""


class Processes:
    """What crews of processes have in common."""

    def end(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        stop(processes)
        for process in processes:
            if process.stdin:
                process.stdin.close()


def run_job(job: Job, jobs: int, crew: Crew[subprocess.Popen[bytes]]) -> Ran:
    """All samples in at most `jobs` processes, see `run_shares`. A profile is whole, or KeyboardInterrupt is raised."""
    shares = lay_out(job.samples, job.image.output_bytes, job.folder, jobs)
    began = time.monotonic()
    complete = run_shares(shares, crew, stall_s=job.stall_s, progress=job.progress)
    wall_s = time.monotonic() - began
    if job.profile and not complete:
        raise KeyboardInterrupt
    return Ran(shares, wall_s, complete)


def run_shares(shares: Sequence[Share], crew: Crew[R], *, stall_s: float, progress: Progress | None) -> bool:
    """Starts a process for each share and waits for all. False when Ctrl-C ended them before their time.

    The first to fail ends the others and is raised as the crew explains it, and so is one that gives no output for
    `stall_s` seconds. No process outlives this call, whatever happens.
    """
    processes: list[R] = []
    try:
        for share in shares:
            processes.append(_started(share, crew))
        _watch(shares, processes, crew, stall_s, progress)
    except KeyboardInterrupt:
        return False
    finally:
        crew.end(processes)
    return True


def _started(share: Share, crew: Crew[R]) -> R:
    try:
        return crew.start(share)
    except OSError as error:  # a full disk, or one from which no program may be started
        too_many = error.errno in (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
        hint = "run fewer processes: --jobs" if too_many else full_disk_hint(share.folder)
        hint = hint or "can programs be started from this folder (noexec)?"
        raise EngineError(f"cannot start the run: {error.strerror}", where=str(error.filename), hint=hint) from error


def _watch(
    shares: Sequence[Share], processes: Sequence[R], crew: Crew[R], stall_s: float, progress: Progress | None
) -> None:
    total = sum(share.samples for share in shares)
    seen = [(0, time.monotonic())] * len(shares)  # finished samples, and since when
    reported = 0.0
    while True:
        running = False
        for index, (share, process) in enumerate(zip(shares, processes, strict=True)):
            code = process.poll()
            if code:
                raise _of_transport(share, code) or crew.explain(share, code)
            if code is None:
                running = True
                _demand_few_words(share)
                finished, since = seen[index]
                if share.finished > finished:
                    seen[index] = (share.finished, time.monotonic())
                elif time.monotonic() - since > stall_s:
                    raise crew.explain_stall(share, process, stall_s)
        now = time.monotonic()
        if progress and (not running or now - reported >= _PROGRESS_S):
            progress(sum(share.finished for share in shares), total)
            reported = now
        if not running:
            return
        time.sleep(_POLL_S)


def _demand_few_words(share: Share) -> None:
    if share.log_bytes > LARGEST_LOG_BYTES:
        what = f"the firmware printed more than {LARGEST_LOG_BYTES >> 20} MiB by sample {share.first + share.finished}"
        hint = "take the printing out of it; the beginning is in engine.log"
        os.truncate(share.folder / "engine.log", _LOG_KEPT_BYTES)
        raise EngineError(what, where=str(share.folder), hint=hint)


def read_stack_bytes(share: Share) -> int:
    """The deepest use of the stack, from the last record of a share that ended well.

    Raises EngineError when that is missing, incomplete or not its own.
    """
    try:
        nonce, *numbers = share.read("result.txt").decode("ascii").split()
        samples, stack_bytes = (int(number, 16) for number in numbers)
    except ValueError as error:
        raise incomplete(share, "its last record (result.txt) is missing") from error
    if nonce != share.nonce:
        raise incomplete(share, "its last record (result.txt) is that of another run")
    if not samples == share.finished == share.samples:
        raise incomplete(share, f"{samples} answered, {share.finished} written")
    return stack_bytes


def _of_transport(share: Share, code: int) -> EngineError | None:
    """The error that one ended with, or None when `code` is none of its own."""
    if code not in _MEANINGS:
        return None
    hint = full_disk_hint(share.folder) or "is the folder writable, and does nobody else write there?"
    where = f"sample {share.first + share.finished}, {share.folder}"
    return EngineError(_MEANINGS[code], where=where, hint=hint)


def incomplete(share: Share, why: str) -> EngineError:
    """The process said that all is well, and it is not so."""
    what = f"the run of samples {share.first} to {share.first + share.samples - 1} is incomplete: {why}"
    hint = full_disk_hint(share.folder) or f"the engine's last words: {share.last_words}"
    return EngineError(what, where=str(share.folder), hint=hint)


def counted(shares: Sequence[Share], columns: int, *, complete: bool) -> tuple[list[int], npt.NDArray[np.uint64]]:
    """How many samples of each share are finished, and their rows of ``counts.bin``, (sum of these, columns).

    Raises EngineError when all should be `complete`, and some were not counted.
    """
    row = np.dtype((np.uint64, (columns,)))
    files = [share.read("counts.bin") for share in shares]
    counts = [np.frombuffer(data, row, len(data) // row.itemsize) for data in files]
    finished = [min(share.finished, len(count)) for share, count in zip(shares, counts, strict=True)]
    if complete and finished != [share.samples for share in shares]:
        raise incomplete(shares[0], "instructions were not counted for every sample (counts.bin)")
    return finished, np.concatenate([count[:n] for count, n in zip(counts, finished, strict=True)])


def instructions_of(ran: Ran, job: Job) -> tuple[list[int], npt.NDArray[np.uint64], Counts | None]:
    """Finished samples of each share, instructions of each of these, and what the profiler counted, when it did."""
    if job.profile:
        counts = profiled(job, ran.shares)
        return [share.finished for share in ran.shares], counts.instructions(), counts
    finished, columns = counted(ran.shares, 1, complete=ran.complete)
    return finished, columns[:, 0], None


def profiled(job: Job, shares: Sequence[Share]) -> Counts:
    """What the profiler counted. Raises EngineError when that is not every sample."""
    counts = read_counts([share.folder for share in shares])
    if counts.samples != len(job.samples):
        what = f"the profile holds {counts.samples} samples of {len(job.samples)}"
        raise EngineError(what, where=str(job.folder), hint="run it again")
    return counts


def execution_of(ran: Ran, finished: Sequence[int], facts: Facts, version: str, **counted: Any) -> Execution:
    """`finished`: samples of each share. `counted`: what else was seen."""
    return Execution(
        answers=merge_answers(ran.shares, finished),
        indices=finished_indices(ran.shares, finished),
        wall_s=ran.wall_s,
        engine=facts.name,
        engine_version=version,
        complete=ran.complete,
        **counted,
    )


def stack_bytes_of(ran: Ran) -> int | None:
    """The deepest use of the stack; None after Ctrl-C."""
    return max((read_stack_bytes(share) for share in ran.shares), default=None) if ran.complete else None


def merge_answers(shares: Sequence[Share], finished: Sequence[int]) -> Records:
    """The first `finished` answers of each share, (sum of finished, bytes of one), in sample order."""
    parts = [share.read("output.bin")[: n * share.output_bytes] for share, n in zip(shares, finished, strict=True)]
    return np.frombuffer(b"".join(parts), np.uint8).reshape(-1, shares[0].output_bytes)


def finished_indices(shares: Sequence[Share], finished: Sequence[int]) -> npt.NDArray[np.int64]:
    """Indices of the samples that belong to the rows of `merge_answers`."""
    counted = zip(shares, finished, strict=True)
    return np.concatenate([share.first + np.arange(n, dtype=np.int64) for share, n in counted])
