"""What a comparison of two reports is: types only.

Comparison      two Sides, and a RunComparison for each run that either has
RunComparison   the same run of BASE and HEAD: changes, what explains them, what makes them mean less, limits
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from mcusim.comparison.limits import Limit
from mcusim.line.measure import LayerFigures
from mcusim.reports.decisions import Decisions
from mcusim.reports.figures import FIGURES
from mcusim.reports.report import Report, Run
from mcusim.system.errors import BUDGET_BROKEN, OK
from mcusim.tasks.figure import Figure, Value

State = Literal["equal", "changed", "new", "vanished"]
BETTER, WORSE = "better", "worse"


@dataclass(frozen=True)
class Change:
    """A figure, by its key, of both runs; None where one has none. It may be the same in both."""

    key: str
    base: Value
    head: Value

    @property
    def figure(self) -> Figure:
        return FIGURES[self.key]

    @property
    def difference(self) -> Value:
        """HEAD - BASE, exact for whole numbers; None where one is not known, or both are beyond all measure."""
        return None if self.base is None or self.head is None else _finite(self.head - self.base)

    @property
    def relative(self) -> float | None:
        """The difference as a share of BASE's; None of 0."""
        return None if self.difference is None or not self.base else _finite(self.difference / abs(self.base))

    @property
    def is_equal(self) -> bool:
        return self.base == self.head

    @property
    def verdict(self) -> str | None:
        """`better` or `worse`; None where it is neither."""
        if not self.difference or self.figure.better is None:
            return None
        return BETTER if (self.difference > 0) == (self.figure.better == "higher") else WORSE


def _finite(number: int | float) -> Value:
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class LayerChange:
    """A layer, by its name, in both programs; None where one has no such layer."""

    name: str
    base: LayerFigures | None
    head: LayerFigures | None


@dataclass(frozen=True)
class FunctionChange:
    """Cycles of a function in the mean sample, without those that it calls; 0 where it did not run."""

    name: str
    base: float
    head: float


@dataclass(frozen=True)
class Unlike:
    """Something else than the program was not the same: `means` tells of which figures."""

    what: str
    base: str
    head: str
    means: str


@dataclass(frozen=True)
class Held:
    """A limit, held against a run. `reason`: why nothing can be held; what HEAD is to blame for never passes."""

    limit: Limit
    change: Change
    passed: bool
    reason: str | None = None


@dataclass(frozen=True)
class RunComparison:
    """`changes`: of every figure that either run has. `layers` and `functions`: those that differ."""

    experiment: str
    base: Run | None
    head: Run | None
    changes: tuple[Change, ...] = ()
    layers: tuple[LayerChange, ...] = ()
    functions: tuple[FunctionChange, ...] = ()
    decisions: tuple[Decisions, ...] = ()
    unlike: tuple[Unlike, ...] = ()
    reasons: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()

    @property
    def run(self) -> Run:
        """HEAD's, or BASE's where it vanished."""
        run = self.head or self.base
        assert run is not None
        return run

    @cached_property
    def state(self) -> State:
        if self.base is None or self.head is None:
            return "new" if self.base is None else "vanished"
        decided = any(found.worse or found.better for found in self.decisions)
        failed = bool(self.base.error) != bool(self.head.error)
        return "changed" if self.changed or self.layers or decided or failed else "equal"

    @cached_property
    def changed(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if not change.is_equal)

    def change(self, key: str) -> Change | None:
        return next((change for change in self.changes if change.key == key), None)


@dataclass(frozen=True)
class Side:
    """Reports of BASE or HEAD, and the files that they are. None: there are none yet."""

    path: Path
    files: tuple[Path, ...]
    reports: tuple[Report, ...]

    @property
    def commits(self) -> tuple[str, ...]:
        """Each once; `+` behind one with changed files."""
        found = (report.git for report in self.reports)
        return tuple(dict.fromkeys(f"{git.commit}{'+' * git.dirty}" for git in found if git))


@dataclass(frozen=True)
class Comparison:
    base: Side
    head: Side
    runs: tuple[RunComparison, ...]

    @property
    def is_first(self) -> bool:
        """There is nothing to compare with."""
        return not self.base.reports

    @property
    def held(self) -> Sequence[tuple[RunComparison, Held]]:
        return [(run, held) for run in self.runs for held in run.held]

    @property
    def broken(self) -> Sequence[tuple[RunComparison, Held]]:
        return [(run, held) for run, held in self.held if not held.passed]

    @property
    def exit_code(self) -> int:
        return BUDGET_BROKEN if self.broken else OK

    def of(self, state: State) -> Sequence[RunComparison]:
        return [run for run in self.runs if run.state == state]
