"""What was tried, in a folder: a file for each kind, written again after each batch."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mcusim.system.errors import DataError
from tools.fuzz.kind import Failure, Outcome


@dataclass
class State:
    """Of a kind. `next_seed`: none from there on was tried. `failures`: what is to be tried again."""

    next_seed: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, outcome: Outcome, seconds: float, seeds: range) -> None:
        """Of seeds that went wrong before, what they did then is forgotten, and they are not counted again."""
        others = [one for one in self.failures if one.seed not in seeds]
        if len(others) == len(self.failures):
            self.counts.update(outcome.counts)
        self.failures = others + outcome.failures
        self.seconds += seconds

    def failed(self, together: int) -> list[range]:
        """The batches in which something went wrong."""
        starts = sorted({one.seed // together * together for one in self.failures})
        return [range(start, start + together) for start in starts]


def read(folder: Path, kind: str) -> State:
    """A new one, where nothing was tried yet. Raises DataError for a file that is none of ours."""
    path = _path(folder, kind)
    if not path.is_file():
        return State()
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        failures = [Failure(int(one["seed"]), str(one["what"])) for one in told["failures"]]
        counts = Counter({str(name): int(count) for name, count in told["counts"].items()})
        return State(int(told["next_seed"]), float(told["seconds"]), counts, failures)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"no state of fuzzing: {error}", where=str(path), hint="remove the file") from None


def write(folder: Path, kind: str, state: State) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = _path(folder, kind)
    told = {**vars(state), "failures": [vars(one) for one in state.failures]}
    made = path.with_suffix(".new")
    made.write_text(json.dumps(told, indent=1), encoding="utf-8")
    os.replace(made, path)


def _path(folder: Path, kind: str) -> Path:
    return folder / f"{kind.replace(' ', '_')}.json"
