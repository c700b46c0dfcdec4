"""Any firmware -> Counts: Renode runs it as it is, on the platform of the chip, and calls of one function are measured.

The profiler is renode_scripts/mcusim_foreign.cs; it leaves the files that QEMU's does.
"""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.engines.engine import Execution, Job, LacksMemoryError
from mcusim.engines.foreign import FUNCTIONS, demanded_counts, execution_of, functions_of, memory_needed, watch
from mcusim.engines.glimpse import Glimpse
from mcusim.engines.hang import Stage, explain_hang, fault_told, left_note, works_on
from mcusim.engines.memory_options import memory_options
from mcusim.engines.places import Places, region_name
from mcusim.engines.renode import turn as turns
from mcusim.engines.renode.facts import FACTS
from mcusim.engines.renode.installation import Installation
from mcusim.engines.renode.process import board_lines, first_trouble, overlay
from mcusim.engines.renode.turn import Turn
from mcusim.engines.renode.workers import Workers
from mcusim.engines.shares import Share
from mcusim.system.disk import full_disk_hint
from mcusim.system.elf import reading
from mcusim.system.elf_code import Vectors, read_vectors
from mcusim.system.errors import EngineError
from mcusim.system.image import Image

_OF_THE_CORE = 16  # vectors before those of the chip's interrupts
_TO_BEGIN_S = 90.0  # Renode starts and compiles the plug-in: so long is no stall, on the slowest machine
_ANSWER_S = 10.0  # that it takes to leave off


def profile_foreign(job: Job, board: Board, platform: Path, workers: Workers, installation: Installation) -> Execution:
    """With counts of each call of the image's entry.

    Raises EngineError when it fails, does not end within `stall_s` seconds or never gets to its entry.
    """
    began = time.monotonic()
    origin, vectors = _vectors_of(job.image, board)
    _demand_memory(job.image, board, vectors)
    job.folder.mkdir(parents=True, exist_ok=True)
    for left_over in ("engine.log", "renode.txt"):
        (job.folder / left_over).unlink(missing_ok=True)
    (job.folder / FUNCTIONS).write_bytes(functions_of(job.image.elf, vectors))
    links = workers.new_folder()
    try:
        run = _Run(job, board, Share(job.folder, 0, 0, 1), links)
        script = run.prepare(platform, origin)
        left, notes = run.wait(workers, turns.begin(workers, workers.take(installation), run.share, script))
    finally:
        shutil.rmtree(links, ignore_errors=True)
    notes = (*installation.notes, *notes)
    return execution_of(demanded_counts(job), began, FACTS, installation.version, notes, left)


@dataclass(frozen=True)
class _Run:
    """`links`: a folder that Monitor commands can name."""

    job: Job
    board: Board
    share: Share
    links: Path

    def prepare(self, platform: Path, vectors: int) -> Path:
        """The script for Renode."""
        (self.links / "firmware.elf").symlink_to(self.job.image.elf)
        (self.links / "share").symlink_to(self.job.folder)
        (self.links / "board.repl").write_text(overlay(str(platform), None), encoding="utf-8")
        (self.links / "order.txt").write_text(self._order(), encoding="utf-8")
        lines = [*board_lines(self.links, vectors), f'machine ProfileFirmware "{self.links / "order.txt"}"']
        script = self.links / "job.resc"
        script.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return script

    def _order(self) -> str:
        job, share = self.job, self.links / "share"
        values: dict[str, object] = {
            "from": job.image.entry,
            "to": job.image.leave or 0,
            "calls": job.calls,
            "folder": share,
            "functions": share / FUNCTIONS,
            "result": share / "renode.txt",
            "leave": self.links / "leave",
            "parent": os.getpid(),
            "nonce": self.share.nonce,
        }
        replay = memory_options(self.board, self.board.memory) if job.replay else ()
        rows = [*values.items(), *((f"replay-{name}", value) for name, value in replay)]
        return "".join(f"{name} {value}\n" for name, value in rows)

    def wait(self, workers: Workers, turn: Turn) -> tuple[str, tuple[str, ...]]:
        """-> of a call that was left, what is to be said; notes. Raises EngineError when it hangs, or ended badly."""
        try:
            for seen, moves in watch(turn, self.job, _TO_BEGIN_S):
                return self._left(turn, seen, moves)
            told = self._told()
            if told.get("outcome") != "done":
                raise self._explain(told)
            return "", _unknown_places(told)
        finally:
            turns.end(workers, [turn])

    def _told(self) -> Mapping[str, str]:
        if turns.read_outcome(self.share) is None:
            return {}
        lines = self.share.read("renode.txt").decode(errors="replace").splitlines()
        return dict(line.partition(" ")[::2] for line in lines)

    def _left(self, turn: Turn, seen: Glimpse | None, moves: bool) -> tuple[str, tuple[str, ...]]:
        """It stalls -> as `wait`, when it works on in a call, which is measured so far. Else raises EngineError."""
        (self.links / "leave").touch()
        until = time.monotonic() + _ANSWER_S
        while turn.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        told = self._told()
        status = [int(word) for word in told.get("status", "").split()]
        lacks = "the head of its platform's description tells what it lacks; build the firmware without this set-up"
        stage = Stage(self.board, FACTS.title, lacks)
        if seen and moves and told and works_on(self.job.image, stage, seen, status):
            return left_note(self.job, seen), _unknown_places(told)
        raise explain_hang(self.job.image, stage, self.job.stall_s, seen, status)

    def _explain(self, told: Mapping[str, str]) -> EngineError:
        where, places = str(self.job.image.elf), Places(self.job.image.elf)
        outcome, detail = told.get("outcome"), told.get("detail", "")
        if outcome is None:
            trouble = first_trouble(self.share.log) or f"it ended without results: {self.share.last_words}"
            hint = full_disk_hint(self.job.folder) or "does engine renode run a model? mcusim doctor"
            return EngineError(f"Renode cannot run this: {trouble}", where=where, hint=hint)
        if outcome == "files":
            hint = "engine qemu gives a firmware files, through semihosting; link the data into it"
            return EngineError(f"the firmware {detail}, and Renode has none", where=where, hint=hint)
        at = int(told["fault_at"])
        fault = fault_told(self.board, [int(word) for word in told["status"].split()])
        what = detail + (f"; the first fault: {fault or 'unknown'}, in {places.line(at)}" if at else "")
        hint = f"was it linked for {self.board.name!r}? engine qemu may tell more"
        return EngineError(
            f"the firmware cannot go on: {what}", where=f"{places.line(int(told['pc']))}, {where}", hint=hint
        )


def _unknown_places(told: Mapping[str, str]) -> tuple[str, ...]:
    read, written = told["nothing_read"], told["nothing_written"]
    if read == written == "0":
        return ()
    lacks = "where Renode's platform has nothing: the head of its description tells what it lacks"
    return (f"the firmware read {read} and wrote {written} times {lacks}",)


def _vectors_of(image: Image, board: Board) -> tuple[int, Vectors]:
    """Where its vectors are, which the core begins with, and what they say. Raises EngineError without any.

    Where the board's firmware begins, or, behind a boot loader of its own, where the file does.
    """
    for origin in (board.memory.flash.origin, *_beginning(image, board)):
        vectors = read_vectors(image.elf, origin, _OF_THE_CORE + board.chip.interrupts)
        if any(region.origin < vectors.stack <= region.end for region in board.chip.memory.values()):
            return origin, vectors
    what = f"the firmware has no vectors at 0x{board.memory.flash.origin:08X}, where {board.name!r} begins"
    raise EngineError(what, where=str(image.elf), hint="was it linked for another board?")


def _beginning(image: Image, board: Board) -> list[int]:
    """The lowest address in flash that the file fills."""
    flash = [region for region in board.chip.memory.values() if region.kind == "flash"]
    with reading(image.elf) as elf:
        loaded = [int(s["p_paddr"]) for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"]]
    return sorted(at for at in loaded if any(region.origin <= at < region.end for region in flash))[:1]


def _demand_memory(image: Image, board: Board, vectors: Vectors) -> None:
    for needed, what in memory_needed(image, vectors.stack):
        if not any(has.origin <= needed.origin and needed.end <= has.end for has in board.chip.memory.values()):
            told = f"the firmware has {what} at {needed}{region_name(board, needed.origin)}"
            hint = f"was it linked for another board than {board.name!r}?"
            raise LacksMemoryError(f"{told}, where {board.chip.name} has no memory", where=str(image.elf), hint=hint)
