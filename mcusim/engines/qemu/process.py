"""One QEMU of a run: how it is started, and what it means when it ends or does not.

Semihosting gives a firmware the user's files, so QEMU is confined: it starts no programs (seccomp) and opens no files
but those in its own folder (Landlock, in the plugin).
"""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import MemoryMap
from mcusim.engines.exit_codes import FAULT, explain_exit_code
from mcusim.engines.faults import explain_fault, explain_lockup, parse_fault
from mcusim.engines.qemu.plugin import Capabilities, escape
from mcusim.engines.shares import Share
from mcusim.engines.source_lines import locate, program_counter
from mcusim.line.build import Firmware
from mcusim.system.command import start
from mcusim.system.disk import full_disk_hint
from mcusim.system.errors import EngineError


@dataclass(frozen=True)
class QemuProcess:
    """How the processes of a run are started, and why one ended. All but the share is the same for each."""

    qemu: str
    plugin: Path
    can: Capabilities
    firmware: Firmware
    machine: str
    memory: MemoryMap

    def start(self, share: Share) -> subprocess.Popen[bytes]:
        with (share.folder / "engine.log").open("wb") as log:
            # The monitor listens on stdin: it is asked one thing, where a firmware hangs.
            return start(
                self.command(share),
                folder=share.folder,
                environment=self.can.environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def command(self, share: Share) -> list[str]:
        symbols = self.firmware.symbols
        plugin = {
            "file": escape(self.plugin),
            "cnn": hex(symbols["cnn"].address),
            "return": hex(symbols["mcusim_infer_return"].address),
            "nonce": share.nonce,
            "read": escape(self.firmware.elf),
        }
        return [
            *plain_command(self.qemu, self.machine, self.firmware.elf, share.nonce, monitor="stdio"),
            *(("-sandbox", "on,spawn=deny") if self.can.sandbox else ()),
            *("-plugin", ",".join(f"{name}={value}" for name, value in plugin.items())),
        ]

    def explain(self, share: Share, code: int) -> EngineError:
        """Why a process ended with `code`."""
        sample = share.first + share.finished
        if code == FAULT:
            return self._explain_fault(share)
        if code == -signal.SIGABRT:
            return explain_lockup(share.log, self.firmware, self.machine, sample, share.folder)
        if code == -signal.SIGSYS:
            return EngineError(
                f"the firmware tried to run a program of this machine in sample {sample}", where=str(share.folder)
            )
        if code < 0:
            return EngineError(
                f"QEMU was killed by {signal.Signals(-code).name} in sample {sample}", where=str(share.folder)
            )
        known = explain_exit_code(share, code)
        if known:
            return known
        return EngineError(
            f"QEMU ended with exit code {code} in sample {sample}: {share.last_words}", where=str(share.folder)
        )

    def _explain_fault(self, share: Share) -> EngineError:
        try:
            fault = parse_fault((share.folder / "fault.bin").read_bytes())
        except OSError:
            fault = None
        if fault is None:
            what = f"the firmware faulted in sample {share.first + share.finished}, and could not write how"
            return EngineError(what, where=str(share.folder), hint=full_disk_hint(share.folder))
        return explain_fault(fault, self.firmware, self.memory, share.first, share.folder)

    def explain_stall(self, share: Share, process: subprocess.Popen[bytes], stall_s: float) -> EngineError:
        pc = _ask_where(share, process)
        return EngineError(
            f"no answer to sample {share.first + share.finished} within {stall_s:g} s",
            where=f"{locate(self.firmware, pc)}, {share.folder}" if pc is not None else str(share.folder),
            hint="the firmware hangs, or the model needs a longer limit",
        )


def plain_command(qemu: str, machine: str, elf: Path, nonce: str, *, monitor: str = "none") -> list[str]:
    """QEMU as it runs a firmware of ours, without plugin and confinement."""
    return [
        *(qemu, "-M", machine, "-nodefaults", "-no-user-config", "-accel", "tcg,tb-size=32"),
        *("-display", "none", "-serial", "none", "-monitor", monitor),
        *("-semihosting-config", f"enable=on,target=native,arg={nonce}", "-kernel", str(elf)),
    ]


def _ask_where(share: Share, process: subprocess.Popen[bytes]) -> int | None:
    """The program counter of a running QEMU, from its monitor; None when that does not answer."""
    try:
        assert process.stdin is not None
        process.stdin.write(b"stop\ninfo registers\nquit\n")
        process.stdin.flush()
        process.wait(3)
    except (OSError, subprocess.TimeoutExpired):
        pass
    return program_counter(share.log)
