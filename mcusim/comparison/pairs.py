"""Two Sides -> Pairs: runs of the same model, data type, board and engine."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcusim.comparison.comparison import Side
from mcusim.reports.report import Report, Run

Identity = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A run, the report that it is in, and the folder of that."""

    run: Run
    report: Report
    folder: Path


@dataclass(frozen=True)
class Pair:
    """At least one of both is there."""

    one: Place | None
    other: Place | None

    @property
    def base(self) -> Run | None:
        return self.one.run if self.one else None

    @property
    def head(self) -> Run | None:
        return self.other.run if self.other else None

    @property
    def head_report(self) -> Report | None:
        return self.other.report if self.other else None

    @property
    def experiment(self) -> str:
        place = self.other or self.one
        assert place is not None
        return place.report.experiment


def pairs(base: Side, head: Side) -> list[Pair]:
    """In the order of HEAD; runs that vanished come last.

    Names of experiments tell runs apart where there are several reports. Runs that nothing tells apart are paired in
    their order.
    """
    named = len(base.reports) > 1 or len(head.reports) > 1
    before, after = dict(_places(base, named)), dict(_places(head, named))
    found = [Pair(before.get(identity), place) for identity, place in after.items()]
    return found + [Pair(place, None) for identity, place in before.items() if identity not in after]


def _places(side: Side, named: bool) -> Iterator[tuple[Identity, Place]]:
    seen: Counter[Identity] = Counter()
    for file, report in zip(side.files, side.reports, strict=True):
        for run in report.runs:
            own = report.experiment if named else ""
            who = (own, run.model, str(run.repeat), run.type_label, run.board, run.engine)
            seen[who] += 1
            yield (*who, str(seen[who])), Place(run, report, file.parent)
