"""A worker at one share: what it was given, what it says of it, and what becomes of it then."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcusim.engines.renode.workers import Worker, Workers
from mcusim.engines.shares import Share

FAILED = 20  # as an exit code: the plug-in says why


@dataclass(frozen=True)
class Outcome:
    """What the plug-in says of a share. `result` is `done`, or a word for what happened instead, told in `detail`.

    `run_us`: time of this machine from the start of the emulation to the last answer.
    """

    result: str
    detail: str
    samples: int
    pc: int
    instructions: int
    stack_bytes: int
    run_us: int


@dataclass(frozen=True)
class Turn:
    """To `run_shares` it is what a process is."""

    worker: Worker
    share: Share

    def poll(self) -> int | None:
        """None while it runs, 0 when all is done; else FAILED, or the exit code of a Renode that is gone."""
        code = self.worker.process.poll()  # before the results are read: they are its last words
        outcome = read_outcome(self.share)
        if outcome is not None:
            return 0 if outcome.result == "done" else FAILED
        return FAILED if code is None and self.worker.failed else code


def begin(workers: Workers, worker: Worker, share: Share, script: Path) -> Turn:
    """What the worker writes to its terminal is the share's log meanwhile."""
    try:
        (share.folder / "engine.log").symlink_to(worker.log)
        worker.give(script)
    except OSError:
        workers.give_back(worker)
        raise
    return Turn(worker, share)


def end(workers: Workers, turns: Sequence[Turn]) -> None:
    """Workers that told an outcome, whatever it is, wait for the next share; all others end. What they said stays."""
    ended = []
    for turn in turns:
        log = turn.share.folder / "engine.log"
        log.unlink(missing_ok=True)
        with suppress(OSError):
            shutil.copyfile(turn.worker.log, log)
        if read_outcome(turn.share) is not None and turn.worker.process.poll() is None:
            workers.give_back(turn.worker)
        else:
            ended.append(turn.worker)
    workers.end(ended)


def read_outcome(share: Share) -> Outcome | None:
    """None when the plug-in left no results, or not all of them, or those of another run are there."""
    try:
        lines = share.read("renode.txt").decode(errors="replace").splitlines()
        values = dict(line.partition(" ")[::2] for line in lines)
        if lines[-1] != f"end {share.nonce}":
            return None
        numbers = (int(values[name]) for name in ("samples", "pc", "instructions", "stack_bytes", "run_us"))
        return Outcome(values["outcome"], values["detail"], *numbers)
    except (ValueError, KeyError, IndexError):
        return None
