"""What an exploration found, and its file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mcusim.explore.point import Point
from mcusim.system.errors import BUDGET_BROKEN, OK
from mcusim.system.files import write_text

EXPLORATION = "explore.json"
FORMAT = 1


@dataclass(frozen=True)
class Tested:
    """A point of the front on the test set. `folder` has its experiment and report.

    `worse`, `better`: samples that the base decides rightly and the point does not, and the other way round; `p` of
    McNemar's test, two-sided. None where nobody knows.
    """

    point: Point
    folder: str
    worse: int | None = None
    better: int | None = None
    p: float | None = None


@dataclass(frozen=True)
class Exploration:
    """`axes`: name -> values. `evaluations`: different points that were asked for; `reused`: known from before.

    `front`: points that nothing beats and that keep all limits, the fastest (of the last objective) first; `nearest`:
    the one that misses them by least, where none keeps them, and `missed` which. `tested`: the base and the front on
    the test set.
    """

    experiment: str
    mcusim: str
    started: str
    search: str
    objectives: tuple[str, ...]
    axes: Mapping[str, tuple[Any, ...]]
    limits: Mapping[str, float | str]
    seed: int
    samples: int | str
    base: Point | None = None
    points: tuple[Point, ...] = ()
    front: tuple[Point, ...] = ()
    nearest: Point | None = None
    missed: tuple[str, ...] = ()
    tested: tuple[Tested, ...] = ()
    notes: tuple[str, ...] = ()
    evaluations: int = 0
    reused: int = 0
    wall_s: float = 0.0
    complete: bool = False
    format: int = field(default=FORMAT)

    @property
    def failed(self) -> tuple[Point, ...]:
        return tuple(point for point in self.points if point.error)

    @property
    def exit_code(self) -> int:
        """7 where no point keeps the budgets; of what failed, where no point is left, or one of the front failed."""
        if self.nearest:
            return BUDGET_BROKEN
        errors = [one.point.error for one in self.tested if one.point.error]
        if self.complete and not self.front:
            errors += [point.error for point in self.failed if point.error]
        return errors[0].exit_code if errors else OK

    def write(self, folder: Path) -> None:
        write_text(folder / EXPLORATION, json.dumps(asdict(self), indent=1, default=str, allow_nan=False) + "\n")
