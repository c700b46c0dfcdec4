"""One job in Renodes that wait for it: what each is told to do, and what it means when one ends or does not.

The plug-in (renode_scripts/) does the work: it takes a job, a file, and leaves its results in another, whose last line
carries the job's nonce. Renode's own exit codes say nothing, so no success is believed without that file.
"""

import itertools
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import MemoryMap
from mcusim.cores.core import Core
from mcusim.engines import shares as sharing
from mcusim.engines.linked import MAILBOX
from mcusim.engines.renode import turn as turns
from mcusim.engines.renode.installation import Installation
from mcusim.engines.renode.turn import Outcome, Turn, read_outcome
from mcusim.engines.renode.workers import Workers
from mcusim.engines.shares import Share
from mcusim.system.disk import full_disk_hint
from mcusim.system.errors import EngineError
from mcusim.system.image import Image
from mcusim.system.names import printable
from mcusim.system.progress import Progress

INSTRUCTIONS_PER_S = 100_000_000  # of virtual time: at 100 MIPS every tick of its clock is an instruction
_OUR_COMMAND = "There was an error executing command"
_TROUBLE = re.compile(
    rf"{_OUR_COMMAND}|Errors during compilation|No such command or device|Could not tokenize"
    r"|Could not find file|Fatal error|Unhandled exception"
)
_PROMPT = re.compile(r"^\([\w -]*\) |^Renode is quitting")
_LINES_SHOWN = 4
_LONGEST_SHOWN = 300


@dataclass(frozen=True)
class Options:
    """`cycles_per_instruction`: how fast DWT and SysTick count; None: as the platform says.

    `cycles`: shall the firmware read its cycle counter? `profile`: options of the profiler, when that is wanted.
    """

    stall_s: float
    cycles_per_instruction: float | None = None
    cycles: bool = False
    profile: Sequence[tuple[str, str]] | None = None


@dataclass(frozen=True)
class RenodeProcess:
    """What the Renodes of a job are told, and why one ended. All but the share is the same for each."""

    workers: Workers
    installation: Installation
    image: Image
    memory: MemoryMap
    core: Core
    platform: Path
    folder: Path
    options: Options

    def prepare(self) -> None:
        """What all shares use: a link to the firmware, and the platform with its clocks."""
        (self.folder / "firmware.elf").symlink_to(self.image.elf)
        described = overlay(str(self.platform), self.options.cycles_per_instruction)
        (self.folder / "board.repl").write_text(described, encoding="utf-8")

    def run(self, shares: Sequence[Share], *, stall_s: float, progress: Progress | None) -> list[Outcome] | None:
        """Gives each share to a Renode and waits. -> what the plug-in says of each, None after Ctrl-C.

        Raises EngineError when one ends otherwise than with all done, or says nothing for `stall_s` seconds.
        """
        complete = sharing.run_shares(shares, self, stall_s=stall_s, progress=progress)
        return [self._result(share) for share in shares] if complete else None

    def _result(self, share: Share) -> Outcome:
        outcome = read_outcome(share)
        if outcome is None or outcome.result != "done":  # Renode ends with 0 when a script fails
            raise self.explain(share, 0)
        return outcome

    def start(self, share: Share) -> Turn:
        own = self.folder / share.folder.name
        own.mkdir()
        (own / "share").symlink_to(share.folder)
        (own / "job.txt").write_text(self.job(share, own / "share"), encoding="utf-8")
        (own / "job.resc").write_text("\n".join(self.script(own)) + "\n", encoding="utf-8")
        return turns.begin(self.workers, self.workers.take(self.installation), share, own / "job.resc")

    def end(self, all_turns: Sequence[Turn]) -> None:
        turns.end(self.workers, all_turns)

    def job(self, share: Share, folder: Path) -> str:
        symbols = self.image.symbols
        values = {
            **{name: folder / f"{name}.bin" for name in ("input", "output", "counts", "fault")},
            "result": folder / "renode.txt",
            "input_bytes": self.image.input_bytes,
            "output_bytes": self.image.output_bytes,
            "mailbox": symbols[MAILBOX].address,
            "stack_start": symbols["mcusim_stack_start"].address,
            "stack_end": symbols["mcusim_stack_end"].address,
            "cycles": int(self.options.cycles),
            "stall_ms": max(1, round(self.options.stall_s * 1000)),
            "nonce": share.nonce,
        }
        return "".join(f"{name} {value}\n" for name, value in values.items())

    def script(self, own: Path) -> list[str]:
        """A Monitor script, which stops at its first line that fails."""
        lines = [*board_lines(self.folder, self.memory.flash.origin), "machine AddMailbox"]
        if self.options.profile is None:
            return [*lines, f'sysbus.mailbox Run "{own / "job.txt"}"']
        options = "".join(f"{name} {value}\n" for name, value in [*self.options.profile, ("folder", own / "share")])
        (own / "profile.txt").write_text(options, encoding="utf-8")
        return [*lines, f'sysbus.mailbox RunProfiled "{own / "job.txt"}" "{own / "profile.txt"}"']

    def explain(self, share: Share, code: int) -> EngineError:
        """Why a process ended with `code`."""
        outcome = read_outcome(share)
        if outcome is not None and outcome.result != "done":
            return self._explain_outcome(share, outcome)
        sample, where = share.first + share.finished, str(share.folder)
        if code < 0:
            what = f"Renode was killed by {signal.Signals(-code).name} in sample {sample}"
            return EngineError(what, where=where, hint=sharing.KILLED_HINT)
        hint = full_disk_hint(share.folder) or f"all that Renode said is in {share.folder / 'engine.log'}"
        trouble = first_trouble(share.log)
        if trouble is None:
            what = f"Renode ended in sample {sample} without results, exit code {code}: {shortened(share.last_words)}"
            return EngineError(what, where=where, hint=hint)
        return EngineError(f"Renode cannot run this: {trouble}", where=f"{self.platform}, {where}", hint=hint)

    def _explain_outcome(self, share: Share, outcome: Outcome) -> EngineError:
        sample, no_room = share.first + outcome.samples, full_disk_hint(share.folder)
        if outcome.result in ("error", "halted"):
            what = f"the run cannot go on in sample {sample}: {outcome.detail}"
            hint = no_room or "was it built by this version of mcusim, for this board?"
            return EngineError(what, where=f"{self.image.elf}, {share.folder}", hint=hint)
        where = f"{self.core.locate(self.image, outcome.pc)}, {share.folder}"
        if outcome.result == "stall":
            what = f"no answer to sample {sample} within {self.options.stall_s:g} s"
            return EngineError(what, where=where, hint="the firmware hangs, or the model needs a longer limit")
        record, told = share.read("fault.bin"), None if outcome.result == "fault" else outcome.detail
        found = self.core.explain_fault(record, self.image, self.memory, share.first, share.folder, told)
        return found or EngineError(f"the run ended in sample {sample}: {outcome.detail}", where=where, hint=no_room)

    def explain_stall(self, share: Share, turn: Turn, stall_s: float) -> EngineError:
        """Not the firmware, which the plug-in watches: Renode itself does not get anywhere."""
        what = f"Renode itself gave no answer to sample {share.first + share.finished} within {stall_s:g} s"
        hint = f"its last words are in {share.folder / 'engine.log'}: {share.last_words}"
        return EngineError(what, where=str(share.folder), hint=hint)


def board_lines(folder: Path, vectors: int) -> list[str]:
    """The beginning of a Monitor script: the machine of `board.repl` with `firmware.elf`, both in `folder`."""
    return [
        'mach create "board"',
        f"machine LoadPlatformDescription @{folder / 'board.repl'}",
        "emulation SetGlobalAdvanceImmediately true",
        'emulation SetGlobalQuantum "0.01"',
        f"sysbus LoadELF @{folder / 'firmware.elf'}",
        f"sysbus.cpu VectorTableOffset {vectors:#010x}",
    ]


def overlay(platform: str, cycles_per_instruction: float | None) -> str:
    """A description that uses the board's, by its path; DWT and SysTick go on as modelled unless that is None."""
    quoted = platform.replace("\\", "\\\\").replace('"', '\\"')
    text = f'using "{quoted}"\n'
    if cycles_per_instruction is None:
        return text
    hertz = round(cycles_per_instruction * INSTRUCTIONS_PER_S)
    clocks = {"cpu": f"PerformanceInMips: {INSTRUCTIONS_PER_S // 1_000_000}"}
    clocks |= {"nvic": f"systickFrequency: {hertz}", "dwt": f"frequency: {hertz}"}
    return text + "".join(f"\n{name}:\n    {value}\n" for name, value in clocks.items())


def shortened(text: str) -> str:
    """What a program wrote, as a part of a sentence."""
    plain = printable(text)
    return plain if len(plain) <= _LONGEST_SHOWN else plain[:_LONGEST_SHOWN] + ".."


def first_trouble(log: str) -> str | None:
    """The first complaint in what Renode wrote, in one line; a command of ours is shown when nothing else is told."""
    lines = [line.strip() for line in log.splitlines() if line.strip(" \t\r^")]
    at = next((at for at, line in enumerate(lines) if _TROUBLE.search(line)), None)
    if at is None:
        return None
    told = [lines[at], *itertools.takewhile(lambda line: not _PROMPT.match(line), lines[at + 1 :][:_LINES_SHOWN])]
    if len(told) > 1 and told[0].startswith(_OUR_COMMAND):
        told = told[1:]
    return shortened(" / ".join(told))
