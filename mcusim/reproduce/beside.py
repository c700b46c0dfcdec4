"""Reproduction -> rows: a number of the paper, and ours of the same network, type and board."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from mcusim.reports.report import Run
from mcusim.reproduce.run import Reproduced, Reproduction
from mcusim.reproduce.study import METRICS, PaperRow, size_of

OF_ANY_BOARD = ""  # accuracy and the memory of parameters depend on none
Key = tuple[str, str, str, str, int]  # part, metric, board, type, size


@dataclass(frozen=True)
class Beside:
    """`paper`: its source, framework, name of the type and number; None where it tells none. `ours`: the mean of all
    trainings, None where nothing was run."""

    part: str
    metric: str
    board: str
    type_label: str
    size: int
    ours: float | None
    source: str = ""
    framework: str = ""
    data_type: str = ""
    paper: float | None = None

    @property
    def difference(self) -> float | None:
        """Of ours against the paper's: percent, of shares points."""
        if self.ours is None or self.paper is None:
            return None
        return self.ours - self.paper if METRICS[self.metric].unit == "%" else 100 * (self.ours / self.paper - 1)


def ours_of(found: Reproduction) -> dict[Key, float]:
    """All that was found, the mean of repeats."""
    values: dict[Key, list[float]] = defaultdict(list)
    for part in found.parts:
        for key, value in _values(part, found.study.shown_as):
            values[key].append(value)
    return {key: fmean(each) for key, each in values.items()}


def _values(part: Reproduced, shown_as: Mapping[str, str]) -> Iterator[tuple[Key, float]]:
    seen = set()
    for run in part.with_accuracy:
        size, once = size_of(run.model), (run.model, run.repeat, run.type_label)
        if size is None or once in seen:
            continue
        seen.add(once)  # a board changes no answer
        told = {"accuracy_pct": _times(run.accuracy, 100), "parameters_bytes": _parameter_bytes(run)}
        label = shown_as.get(run.type_label, run.type_label)
        yield from _known(part.part.name, OF_ANY_BOARD, label, size, told)
    for run in part.done:
        if (size := size_of(run.model)) is not None:
            rom = run.rom_bytes.total if run.rom_bytes else None
            told = {"rom_kib": _times(rom, 1 / 1024), "latency_ms": run.latency_ms, "energy_uwh": run.energy_uwh}
            label = shown_as.get(run.type_label, run.type_label)
            yield from _known(part.part.name, run.board, label, size, told)


def _known(
    part: str, board: str, type_label: str, size: int, told: Mapping[str, float | None]
) -> Iterator[tuple[Key, float]]:
    for metric, value in told.items():
        if value is not None:
            yield (part, metric, board, type_label, size), value


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value


def _parameter_bytes(run: Run) -> float | None:
    """As the paper counts: so many numbers of so many bits."""
    bits = "".join(letter for letter in run.data_type if letter.isdigit())
    return None if run.parameters is None or not bits else run.parameters * int(bits) / 8


def beside(found: Reproduction) -> list[Beside]:
    """Every number of the paper with ours, then ours that the paper has no number for."""
    ours, parts = ours_of(found), {part.part.name for part in found.parts}
    rows = [row for paper in found.study.rows if paper.experiment in parts for row in _of(paper, ours)]
    told = {(row.part, row.metric, row.board, row.type_label, row.size) for row in rows}
    rows += [Beside(*key, value) for key, value in sorted(ours.items()) if key not in told]
    return rows


def _of(paper: PaperRow, ours: Mapping[Key, float]) -> Iterator[Beside]:
    for size, value in paper.values.items():
        key = (paper.experiment, paper.metric, paper.board, paper.ours, size)
        yield Beside(*key, ours.get(key), paper.source, paper.framework, paper.data_type, value)


@dataclass(frozen=True)
class Loss:
    """Points of accuracy that a type loses at most, of all sizes, against float32. `paper`: None where it says none."""

    part: str
    type_label: str
    points: float
    size: int
    paper: float | None


def losses(found: Reproduction) -> list[Loss]:
    ours = ours_of(found)
    rows = []
    for one in found.parts:
        name = one.part.name
        for type_label in found.study.of_types:
            each = [
                (ours[name, "accuracy_pct", OF_ANY_BOARD, "float32", size] - value, size)
                for (part, metric, _, of, size), value in ours.items()
                if (part, metric, of) == (name, "accuracy_pct", type_label)
                and (name, "accuracy_pct", OF_ANY_BOARD, "float32", size) in ours
            ]
            if each and type_label != "float32":
                paper = one.part.largest_loss if type_label == found.study.loss_of else None
                rows.append(Loss(name, type_label, *max(each), paper))
    return rows
