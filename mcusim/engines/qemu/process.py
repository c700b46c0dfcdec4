"""One QEMU of a run: how it is started, and what it means when it ends or does not.

Semihosting gives a firmware the user's files, so QEMU is confined: it starts no programs (seccomp) and opens no files
but those in its own folder (Landlock, in the plugin).
"""

import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mcusim.boards.board import Board, MemoryMap, QemuMachine
from mcusim.cores import core_of
from mcusim.cores.core import Core
from mcusim.cores.source_lines import function_at
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Job, LacksMemoryError
from mcusim.engines.foreign import FUNCTIONS
from mcusim.engines.linked import board_of, check_linked_for
from mcusim.engines.memory_options import memory_options
from mcusim.engines.qemu.facts import FACTS, memory_map
from mcusim.engines.qemu.installation import find_qemu
from mcusim.engines.qemu.plugin import Capabilities, build_plugin, escape, probe
from mcusim.engines.qemu.watched import PROFILER, Watched, watch_calls
from mcusim.engines.shares import Share
from mcusim.system.command import start
from mcusim.system.disk import full_disk_hint
from mcusim.system.errors import EngineError
from mcusim.system.image import Image

FAULT_STATUS, FAULT_STATUS_WORDS = 0xE000ED28, 5  # CFSR, HFSR, DFSR, MMFAR, BFAR


@dataclass(frozen=True)
class QemuProcess(sharing.Processes):
    """How the processes of a run are started, and why one ended. All but the share is the same for each."""

    qemu: str
    plugin: Path
    can: Capabilities
    image: Image
    machine: str
    memory: MemoryMap
    core: Core
    options: tuple[str, ...] = ()  # more of the plugin's
    functions: bytes = b""  # what the profiler is told of the image

    def start(self, share: Share) -> subprocess.Popen[bytes]:
        if self.functions:
            (share.folder / FUNCTIONS).write_bytes(self.functions)
        with (share.folder / "engine.log").open("wb") as log:
            # The monitor listens on stdin: it is asked one thing, where a firmware hangs.
            command, environment = self.command(share), self.can.environment
            return start(command, share.folder, environment, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def command(self, share: Share) -> list[str]:
        command = plain_command(self.qemu, self.machine, self.image.elf, share.nonce, monitor="stdio")
        return [*command, *self.can.confinement, *plugin_option(self.plugin, self.image, share.nonce, self.options)]

    def explain(self, share: Share, code: int) -> EngineError:
        """Why a process ended with `code`."""
        sample, where = share.first + share.finished, str(share.folder)
        if code == sharing.FAULT:
            return self._explain_fault(share)
        if code == -signal.SIGABRT:
            return self._explain_lockup(share, sample)
        if code == -signal.SIGSYS:
            what = f"the firmware tried to run a program of this machine in sample {sample}"
            return EngineError(what, where=where, hint="it may not: no sample needs SYS_SYSTEM")
        if code < 0:
            what = f"QEMU was killed by {signal.Signals(-code).name} in sample {sample}"
            return EngineError(what, where=where, hint=sharing.KILLED_HINT)
        what = f"QEMU ended with exit code {code} in sample {sample}: {share.last_words}"
        told = f"all that it said is in {share.folder / 'engine.log'}"
        if "unsupported machine type" in share.last_words:
            told = f"machine of [qemu] in the board file is {self.machine!r}: qemu-system-arm -M help lists all"
        return EngineError(what, where=where, hint=full_disk_hint(share.folder) or told)

    def _explain_fault(self, share: Share) -> EngineError:
        record = share.read("fault.bin")
        found = self.core.explain_fault(record, self.image, self.memory, share.first, share.folder)
        what = f"the firmware faulted in sample {share.first + share.finished}, and could not write how"
        return found or EngineError(what, where=str(share.folder), hint=full_disk_hint(share.folder))

    def _explain_lockup(self, share: Share, sample: int) -> EngineError:
        """A fault in the fault handler, or before there was one: QEMU gives up and prints the registers."""
        pc = self.core.program_counter(share.log)
        place = "an unknown place" if pc is None else self.core.locate(self.image, pc)
        registers = [f"      {line}" for line in share.log.splitlines() if re.match(r"R\d\d=|XPSR=", line)]
        reason = re.search(r"Lockup: (.*)", share.log)
        what = f"the core locked up in sample {sample}: {reason[1]}" if reason else f"QEMU gave up in sample {sample}"
        started = pc is not None and function_at(self.image, pc) is not None
        hint = f"has machine {self.machine!r} a {self.core.NAME}, and memory where the board file says?"
        kept = f"the run is kept in {share.folder}"
        return EngineError(what, where="\n".join([place, *registers]), hint=kept if started else hint)

    def explain_stall(self, share: Share, process: subprocess.Popen[bytes], stall_s: float) -> EngineError:
        ask_where(process)
        pc = self.core.program_counter(share.log)
        what = f"no answer to sample {share.first + share.finished} within {stall_s:g} s"
        where = str(share.folder) if pc is None else f"{self.core.locate(self.image, pc)}, {share.folder}"
        return EngineError(what, where=where, hint=sharing.STALL_HINT)


def prepare(job: Job, plugin: str, options: tuple[str, ...] = ()) -> QemuProcess:
    """The processes of a job, with `plugin` in them. Raises EngineError when `job` cannot run in QEMU."""
    board, machine = machine_of(job)
    memory = check_linked_for(job, board, FACTS, mailbox=False)
    sharing.check_sizes(job)
    found, built = find_qemu(), build_plugin(plugin)
    can = probe(found, built)
    watched = watch_calls(job.image, board) if plugin == PROFILER else Watched()
    core, options = core_of(board.chip), (*options, *watched.options)
    return QemuProcess(found, built, can, job.image, machine.machine, memory, core, options, watched.functions)


def machine_of(job: Job) -> tuple[Board, QemuMachine]:
    """The board, and what stands in for it. Raises EngineError when nothing does (LacksMemoryError: another may)."""
    board = board_of(job, FACTS)
    if board.qemu is None:
        hint = "add [qemu] with machine = .. to its file, or use another engine"
        raise LacksMemoryError(f"board {board.name!r} names no QEMU machine", hint=hint)
    return board, board.qemu


def plain_command(qemu: str, machine: str, elf: Path, nonce: str, *, monitor: str = "none") -> list[str]:
    """QEMU as it runs a firmware of ours, without plugin and confinement."""
    return [
        *(qemu, "-M", machine, "-nodefaults", "-no-user-config", "-accel", "tcg,tb-size=32"),
        *("-display", "none", "-serial", "none", "-monitor", monitor),
        *("-semihosting-config", f"enable=on,target=native,arg={nonce}", "-kernel", str(elf)),
    ]


def ask_where(process: subprocess.Popen[bytes]) -> None:
    """Lets a running QEMU write its registers and the status of faults to its log, if its monitor answers, and end."""
    with suppress(OSError, subprocess.TimeoutExpired):
        assert process.stdin is not None
        process.stdin.write(b"stop\ninfo registers\nx /%dwx %#x\nquit\n" % (FAULT_STATUS_WORDS, FAULT_STATUS))
        process.stdin.flush()
        process.wait(3)


def plugin_option(plugin: Path, image: Image, nonce: str, more: tuple[str, ...] = ()) -> tuple[str, str]:
    """The plugin watches the image from its entry to where it is left; 0: to where the call returns."""
    watched = f"from={image.entry:#x},to={image.leave or 0:#x},nonce={nonce},read={escape(image.elf)}"
    return "-plugin", ",".join([f"file={escape(plugin)}", watched, *more])


def replay_options(board: Board) -> tuple[str, ...]:
    """The chip's caches and slow RAM as the profiler's options."""
    return tuple(f"{name}={value}" for name, value in memory_options(board, memory_map(board)))


class Summary(NamedTuple):
    """What a plugin says at its end: executed instructions of the whole run, and whether QEMU was confined."""

    instructions: int
    confined: bool


def read_summary(share: Share, *, complete: bool) -> Summary:
    """plugin.txt, which is written last and only when the counts are whole."""
    with suppress(ValueError):
        nonce, instructions, _, confined = share.read("plugin.txt").decode("ascii").split()
        if nonce == share.nonce:
            return Summary(int(instructions), confined == "1")
    if complete:
        raise sharing.incomplete(share, "the plugin's last record (plugin.txt) is missing")
    return Summary(0, True)


def notes(job: Job, can: Capabilities, confined: bool) -> tuple[str, ...]:
    """What a reader of the report should know."""
    found = [job.board.qemu.note] if job.board and job.board.qemu and job.board.qemu.note else []
    if not confined:
        found.append("the firmware could open this user's files: the kernel has no Landlock (Linux 5.13)")
    if not can.sandbox:
        found.append("the firmware could start programs: this QEMU has no seccomp sandbox")
    return tuple(found)
