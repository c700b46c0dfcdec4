"""What a paper did, and what it found: experiment files, one for each data set, and its numbers."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mcusim.system.errors import ConfigurationError, suggestion

TOLD = ("source", "experiment", "metric", "framework", "board", "data_type", "ours")
_SIZE = re.compile(r"\d+$")


@dataclass(frozen=True)
class Metric:
    """`digits` behind the point. What is told in `%` is compared in points."""

    title: str
    unit: str
    digits: int

    def told(self, value: float | None) -> str:
        return "" if value is None else f"{value:,.{self.digits}f}"


METRICS: Mapping[str, Metric] = {
    "accuracy_pct": Metric("Accuracy", "%", 2),
    "parameters_bytes": Metric("Memory of the parameters", "bytes", 0),
    "rom_kib": Metric("ROM", "KiB", 1),
    "latency_ms": Metric("Latency of one sample", "ms", 1),
    "energy_uwh": Metric("Energy of one sample", "uWh", 3),
}


@dataclass(frozen=True)
class Part:
    """One experiment of a paper, called after its data set. `<name>.toml` has networks that are trained already.

    `by_size`, `by_memory`: which figures of the paper show accuracy. `by_type`: one that shows it of these types only.
    `largest_loss`: of accuracy in int8, in points, as the paper tells it. `quick_samples`: of how many test samples
    `--quick` tells the accuracy, where all would take too long; `quick_on_boards`: how many it runs on each board;
    `quick_models`: the only ones that it takes, where some are named.
    """

    name: str
    title: str
    by_size: str
    by_memory: str
    largest_loss: float
    by_type: tuple[str, tuple[str, ...]] | None = None
    quick_samples: int | None = None
    quick_on_boards: int = 10
    quick_models: tuple[str, ...] = ()


@dataclass(frozen=True)
class PaperRow:
    """A row of a table of the paper: what `framework` takes, by size. `ours`: our type beside it."""

    source: str
    experiment: str
    metric: str
    framework: str
    board: str
    data_type: str
    ours: str
    values: Mapping[int, float]


@dataclass(frozen=True)
class Study:
    """`folder` has the experiment files, `numbers` what the paper found. `of_types`: which types of ours are shown of
    each part, and what the paper calls them, `shown_as` which others are one of these; `loss_of` is that of
    `Part.largest_loss`."""

    name: str
    title: str
    cite: str
    folder: Path
    numbers: Path
    parts: tuple[Part, ...]
    of_types: Mapping[str, str]
    loss_of: str
    shown_as: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def chosen(self, datasets: Sequence[str]) -> tuple[Part, ...]:
        """The parts of these data sets; all without any. Raises ConfigurationError for one that is none of them."""
        names = [part.name for part in self.parts]
        for name in datasets:
            if name not in names:
                what = f"{self.name} has no data set {name!r}"
                raise ConfigurationError(what, where="--dataset", hint=suggestion(name, names))
        return tuple(part for part in self.parts if not datasets or part.name in datasets)

    @cached_property
    def rows(self) -> tuple[PaperRow, ...]:
        with self.numbers.open(encoding="utf-8", newline="") as file:
            return tuple(_rows(csv.DictReader(file)))

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Of its networks."""
        return tuple(sorted({size for row in self.rows for size in row.values}))


def _rows(lines: Iterable[dict[str, str]]) -> Iterator[PaperRow]:
    for line in lines:
        told = {name: line.pop(name) for name in TOLD}
        yield PaperRow(**told, values={int(size): float(value) for size, value in line.items() if value})


def size_of(model: str) -> int | None:
    """What its name ends with: `f16` has 16 filters."""
    found = _SIZE.search(model)
    return int(found[0]) if found else None
