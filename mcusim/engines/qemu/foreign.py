"""Any firmware -> Counts: QEMU runs it as it is, and the profiling plugin measures the calls of one function.

It may need memory that the machine has not: what the machine really has is asked of it.
"""

import re
import signal
import subprocess
import time
from collections.abc import Sequence
from functools import cache

from mcusim.boards.board import Board
from mcusim.boards.chip import Region
from mcusim.engines.engine import Execution, Job, LacksMemoryError
from mcusim.engines.foreign import (
    FUNCTIONS,
    LARGEST_FILE_BYTES,
    LOG,
    NONCE,
    demanded_counts,
    execution_of,
    memory_needed,
    watch,
)
from mcusim.engines.glimpse import Glimpse, look
from mcusim.engines.hang import Stage, explain_hang, left_note, works_on
from mcusim.engines.places import Places, region_name
from mcusim.engines.qemu.facts import FACTS, memory_map
from mcusim.engines.qemu.installation import find_qemu, version
from mcusim.engines.qemu.plugin import build_plugin, probe
from mcusim.engines.qemu.process import (
    FAULT_STATUS,
    FAULT_STATUS_WORDS,
    ask_where,
    machine_of,
    plain_command,
    plugin_option,
    replay_options,
)
from mcusim.engines.qemu.watched import PROFILER, vectors_of, watch_calls
from mcusim.system.command import start, stop
from mcusim.system.disk import full_disk_hint
from mcusim.system.errors import EngineError
from mcusim.system.image import Image

_HEARD_BYTES = 1 << 16
# Time goes on by 16 ns an instruction, about as on a chip of 50 to 80 MHz, and at once where the core sleeps: timers
# then interrupt at the same instructions every time, and nobody waits for a delay in real time.
_CLOCK = ("-icount", "shift=4,sleep=off")
_ROW = re.compile(r"^\s*([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, (?:ram|rom|romd|nv-ram)\):", re.MULTILINE)
_ASKED_S = 20.0
_OTHER_BOARD = "was it linked for another board, or to run behind a boot loader? link it for the beginning of this one"


def profile_foreign(job: Job) -> Execution:
    """With counts of each call of the image's entry. Input is what the firmware reads itself, in the job's folder.

    Raises EngineError when it fails, does not end within `stall_s` seconds or never gets to its entry.
    """
    began = time.monotonic()
    left = _run(job)
    return execution_of(demanded_counts(job), began, FACTS, version(), _notes(job), left)


def _notes(job: Job) -> tuple[str, ...]:
    seen = look(job.folder)
    if seen is None or seen.registers_known:
        return ()
    return ("this QEMU does not show the stack pointer: tasks of an RTOS are not told apart",)


def _run(job: Job) -> str:
    board, machine = machine_of(job)
    found, plugin = find_qemu(), build_plugin(PROFILER)
    can = probe(found, plugin)
    demand_memory(job.image, board, found, machine.machine)
    job.folder.mkdir(parents=True, exist_ok=True)
    watched = watch_calls(job.image, board)
    (job.folder / FUNCTIONS).write_bytes(watched.functions)
    options = (
        f"calls={job.calls:#x}",
        f"longest={LARGEST_FILE_BYTES:#x}",
        *watched.options,
        *(replay_options(board) if job.replay else ()),
    )
    command = plain_command(found, machine.machine, job.image.elf, NONCE, monitor="stdio")
    command += [*_CLOCK, *can.confinement, *plugin_option(plugin, job.image, NONCE, options)]
    with (job.folder / LOG).open("wb") as log:
        process = start(command, job.folder, can.environment, stdin=subprocess.PIPE, stdout=log, stderr=log)
    try:
        left = _watch(process, job, board)
    finally:
        stop([process])
    _check(process.returncode, job, board)
    return left


def _watch(process: subprocess.Popen[bytes], job: Job, board: Board) -> str:
    """Until it ends. Raises EngineError when no measured call begins or ends for `stall_s` seconds.

    Unless it works on in a call, which is measured as far as it got: what is to be said of that, else nothing.
    """
    for seen, moves in watch(process, job):
        ask_where(process)
        status = _fault_status(_said(job))
        if seen and moves and works_on(job.image, _stage(board), seen, status) and process.poll() == 0:
            return left_note(job, seen)
        raise explain_hang(job.image, _stage(board), job.stall_s, seen, status)
    return ""


def _stage(board: Board) -> Stage:
    without = "build the firmware without this set-up"
    return Stage(board, FACTS.title, f"{without}, or profile it with --engine renode" if board.renode else without)


def _fault_status(said: str) -> list[int]:
    """CFSR, HFSR, MMFAR and BFAR, when QEMU's monitor answered; else nothing."""
    rows = re.findall(rf"\b(?:{FAULT_STATUS:x}|{FAULT_STATUS + 16:x}): ((?:0x[0-9a-f]{{8}} ?)+)", said)
    words = [int(word, 16) for row in rows for word in row.split()]
    if len(words) < FAULT_STATUS_WORDS:
        return []
    cfsr, hfsr, _, mmfar, bfar = words[:FAULT_STATUS_WORDS]
    return [cfsr, hfsr, mmfar, bfar]


def _said(job: Job) -> str:
    """What QEMU and the firmware printed, of very much the end."""
    with (job.folder / LOG).open("rb") as file:
        file.seek(max(0, (job.folder / LOG).stat().st_size - _HEARD_BYTES))
        return file.read().decode(errors="replace")


def _check(code: int, job: Job, board: Board) -> None:
    where, said = str(job.image.elf), _said(job)
    if code == -signal.SIGABRT and "Lockup" in said:
        raise _explain_lockup(job.image, board, look(job.folder), said)
    if code == -signal.SIGXFSZ:
        what = f"the firmware wrote a file of more than {LARGEST_FILE_BYTES >> 30} GiB"
        raise EngineError(what, where=where, hint="leave it after fewer calls: --calls N")
    if code < 0:
        what = f"QEMU was killed by {signal.Signals(-code).name}"
        hint = "the firmware may have tried to run a program of this machine, or there was not enough memory"
        raise EngineError(what, where=where, hint=hint)
    if not (job.folder / "plugin.txt").is_file():
        last = ([line for line in said.splitlines() if line.strip()] or ["no message"])[-1]
        hint = full_disk_hint(job.folder) or "does this QEMU run a firmware of mcusim? mcusim doctor"
        raise EngineError(f"QEMU ended without a profile: {last}", where=where, hint=hint)


def _explain_lockup(image: Image, board: Board, seen: Glimpse | None, said: str) -> EngineError:
    """A fault in the fault handler, or before there was one: QEMU gives up and prints the registers."""
    places = Places(image.elf)
    found = re.findall(r"\bR15=([0-9a-f]{8})\b", said)
    pc = int(found[-1], 16) if found else seen.pc if seen else 0
    reason = re.search(r"Lockup: (.*)", said)
    last = f", after {places.line(seen.pc)}" if seen and seen.pc != pc else ""
    what = f"the firmware faulted where it could not handle it: {reason[1].strip() if reason else 'lockup'}"
    hint = f"was it linked for {board.name!r}, and does it use memory or registers that QEMU does not have?"
    return EngineError(what, where=f"{places.line(pc)}{last}, {image.elf}", hint=hint)


def demand_memory(image: Image, board: Board, qemu: str, machine: str) -> None:
    """Raises EngineError when the image cannot begin, LacksMemoryError when it takes memory that the machine has not.

    Of a machine that tells nothing all is right.
    """
    if not vectors_of(image, board).stack:
        memory = memory_map(board)
        begins = memory.flash.origin if memory.reset_at is None else memory.reset_at
        what = f"the firmware has no vectors at 0x{begins:08X}, where {board.name!r} begins"
        raise EngineError(what, where=str(image.elf), hint=_OTHER_BOARD)
    regions = memory_of(qemu, machine)
    for region, what in memory_needed(image, vectors_of(image, board).stack) if regions else ():
        if not any(has.contains(region) for has in regions):
            named = region_name(board, region.origin)
            told = f"the firmware has {what} at {region}{named}, where QEMU's {machine} has no memory"
            renode = ", or profile it with --engine renode" if board.renode else ""
            raise LacksMemoryError(told, where=str(image.elf), hint=_elsewhere(board, regions, machine) + renode)


def _elsewhere(board: Board, regions: Sequence[Region], machine: str) -> str:
    moved = board.qemu.ram if board.qemu else None
    if moved is not None:
        return f"link its RAM at 0x{moved.origin:08X}, as [qemu] of the board file has it, or for another board"
    ram = [
        f"{name} at {region}"
        for name, region in board.chip.memory.items()
        if region.kind == "ram" and any(has.contains(region) for has in regions)
    ]
    there = f"link it into {' or '.join(ram)} to measure it" if ram else "link it elsewhere to measure it"
    return f"{there}, or name a machine in [qemu] of the board file that has it (a newer QEMU's {machine} may)"


@cache
def memory_of(qemu: str, machine: str) -> tuple[Region, ...]:
    """Flash and RAM, joined where they touch. Empty when this QEMU does not tell."""
    command = [qemu, "-M", machine, "-S", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "none"]
    process = start([*command, "-monitor", "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        said, _ = process.communicate(b"info mtree -f\nquit\n", timeout=_ASKED_S)
    except subprocess.TimeoutExpired:
        return ()
    finally:
        stop([process])
    found = {(int(row[1], 16), int(row[2], 16) + 1) for row in _ROW.finditer(said.decode("ascii", "replace"))}
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(pair for pair in found if pair[1] <= 1 << 32):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return tuple(Region(origin=begin, size_bytes=end - begin) for begin, end in joined)
