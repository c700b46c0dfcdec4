"""Engine `unicorn`: Unicorn in processes of its own, with hooks that count as QEMU's profiler does.

It has all memory of the chip, where QEMU's machines have what they have. It has no devices, no MPU, and no interrupts
but those of serial input, and SysTick with them.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcusim.boards.board import Board
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution, Job, Ready
from mcusim.engines.foreign import (
    LARGEST_FILE_BYTES,
    LOG,
    NONCE,
    demand_few_words,
    demanded_counts,
    execution_of,
    glimpses,
)
from mcusim.engines.glimpse import look
from mcusim.engines.linked import board_of, check_linked_for
from mcusim.engines.memory_options import memory_options
from mcusim.engines.places import Places
from mcusim.engines.shares import Ran, Share
from mcusim.engines.unicorn.facts import FACTS
from mcusim.engines.unicorn.installation import build_hooks, missing, package, tools, version
from mcusim.system.command import start, stop
from mcusim.system.errors import EngineError

__all__ = ["FACTS", "missing", "open", "tools", "version"]

_ORDER = "order.json"
_TO_BEGIN_S = 60.0  # Python starts, which takes a busy machine a while
_NO_DEVICES = (
    "Unicorn has no devices: {count} registers, 0x{first:08X} the most, kept what was written, and "
    "changed their mind when they were polled"
)


@contextmanager
def open(jobs: int) -> Iterator[Ready]:
    """Holds nothing."""
    yield _Unicorn(jobs)


@dataclass(frozen=True)
class _Unicorn:
    jobs: int

    def run(self, job: Job) -> Execution:
        """See `Ready.run`."""
        board = board_of(job, FACTS)
        if job.profile and not job.image.input_bytes:
            return _foreign(job, board)
        check_linked_for(job, board, FACTS, mailbox=False)
        sharing.check_sizes(job)
        ran = sharing.run_job(job, self.jobs, _Processes(job, board))
        execution = _collect(ran, job)
        sharing.clear(ran.shares)
        return execution


def _collect(ran: Ran, job: Job) -> Execution:
    stack_bytes = sharing.stack_bytes_of(ran)
    finished, instructions, counts = sharing.instructions_of(ran, job)
    return sharing.execution_of(
        ran,
        finished,
        FACTS,
        version(),
        instructions=instructions,
        total_instructions=int(instructions.sum()),
        stack_bytes=stack_bytes,
        counts=counts,
    )


@dataclass(frozen=True)
class _Processes(sharing.Processes):
    """What every process of a job is started with, and what one says when it ends badly."""

    job: Job
    board: Board

    def start(self, share: Share) -> subprocess.Popen[bytes]:
        return start_worker(self.job, self.board, share.folder, share.nonce)

    def explain(self, share: Share, code: int) -> EngineError:
        said = share.last_words if code > 0 else f"killed by signal {-code}"
        what = f"the firmware failed in sample {share.first + share.finished}: {said}"
        return EngineError(what, where=str(share.folder), hint="engine qemu tells more of a fault, and has an MPU")

    def explain_stall(self, share: Share, _process: subprocess.Popen[bytes], stall_s: float) -> EngineError:
        late = f"no answer to sample {share.first + share.finished} within {stall_s:g} s"
        what = f"{late}: it is in {_place(self.job, share.folder)}"
        return EngineError(what, where=str(share.folder), hint=sharing.STALL_HINT)


def start_worker(job: Job, board: Board, folder: Path, nonce: str) -> subprocess.Popen[bytes]:
    """The process, with its order and log in `folder`."""
    (folder / _ORDER).write_text(json.dumps(_order(job, board, nonce)), encoding="utf-8")
    with (folder / LOG).open("wb") as log:
        command = [sys.executable, "-m", "mcusim.engines.unicorn.worker", _ORDER]
        return start(command, folder, {"PYTHONPATH": ":".join(filter(None, sys.path))}, stdout=log, stderr=log)


def _order(job: Job, board: Board, nonce: str) -> dict[str, Any]:
    """As worker.py reads it."""
    memory = board.memory
    options = memory_options(board, memory) if job.profile and job.replay else ()
    known = dict(options)
    places = [(name, at.origin, at.size_bytes, at.alias_of or name) for name, at in board.chip.memory.items()]
    random = board.chip.random_numbers
    return {
        "parent": os.getpid(),
        "elf": str(job.image.elf),
        "library": str(package() / "lib" / "libunicorn.so.2"),
        "hooks": str(build_hooks()),
        "memory": sorted(places, key=lambda place: place[0] != place[3]),  # aliases behind
        "random": [random.data, random.status, random.ready] if random else [],
        "registers": [register.model_dump() for register in board.chip.registers],
        "ports": [port.model_dump() for port in board.chip.serial],
        "serial": job.serial.sent.hex() if job.serial else "",
        "after": job.serial.after.hex() if job.serial else "",
        "vectors": memory.flash.origin if memory.reset_at is None else memory.reset_at,
        "from": job.image.entry,
        "to": job.image.leave or 0,
        "calls": job.calls,
        "profile": job.profile,
        "icache": known.get("icache", ""),
        "dcache": known.get("dcache", ""),
        "flash": [memory.flash.origin, memory.flash.end],
        "regions": [[int(one, 16) for one in value.split(":")] for name, value in options if name == "region"],
        "nonce": nonce,
        "longest": LARGEST_FILE_BYTES,
        "fault": sharing.FAULT,
    }


# ---- Firmware of others ----------------------------------------------------------------------------------------------


def _foreign(job: Job, board: Board) -> Execution:
    began = time.monotonic()
    job.folder.mkdir(parents=True, exist_ok=True)
    process = start_worker(job, board, job.folder, NONCE)
    try:
        _watch(process, job)
    finally:
        stop([process])
    if process.returncode:
        raise _ended_badly(job, process.returncode)
    return execution_of(demanded_counts(job), began, FACTS, version(), _notes(job.folder))


def _watch(process: subprocess.Popen[bytes], job: Job) -> None:
    """Until it ends. Raises EngineError when no measured call begins or ends for `stall_s` seconds."""
    for seen, stalls in glimpses(process, job, _TO_BEGIN_S):
        if stalls:
            at = Places(job.image.elf).name(job.image.entry)
            doing = f"a call of {at} did not end" if seen and seen.begun > seen.measured else f"no call of {at} began"
            what = f"{doing} within {job.stall_s:g} s: it is in {_place(job, job.folder)}"
            comes = "no interrupts but SysTick and those of serial input" if job.serial else "no interrupts"
            hint = f"Unicorn has {comes}: one that waits for others never ends; --stall SECONDS gives it more time"
            raise EngineError(what, where=str(job.image.elf), hint=hint)
        demand_few_words(job, "take the printing out of it")


def _place(job: Job, folder: Path) -> str:
    seen = look(folder)
    return Places(job.image.elf).line(seen.pc) if seen and seen.pc else "its beginning"


def _ended_badly(job: Job, code: int) -> EngineError:
    lines: Sequence[str] = (job.folder / LOG).read_text(errors="replace").splitlines()[-1:]
    said = lines[0] if lines else f"exit code {code}"
    what = f"the firmware ended with a fault: {said.removeprefix('fault: ')}" if code == sharing.FAULT else said
    hint = f"it was in {_place(job, job.folder)}; engine qemu tells more of a fault"
    return EngineError(what, where=str(job.image.elf), hint=hint)


def _notes(folder: Path) -> tuple[str, ...]:
    """Registers of devices that a firmware used, if it did; those of the core do what the firmware means them to."""
    try:
        rows = [line.split() for line in (folder / "touched.txt").read_text().splitlines()]
    except OSError:
        return ()
    devices = [int(at, 16) for at, _ in rows if int(at, 16) < 0xE0000000]
    return (_NO_DEVICES.format(count=len(devices), first=devices[0]),) if devices else ()
