"""Reproduction -> tables of text, as pages and terminals show them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from mcusim.reports.report import Run
from mcusim.reproduce.beside import Beside, Key, Loss, ours_of
from mcusim.reproduce.run import Reproduced, Reproduction, is_too_big
from mcusim.reproduce.study import METRICS, PaperRow, Study, size_of

NOTHING, TOO_BIG = "-", "too big"


@dataclass(frozen=True)
class Grid:
    """The first `names` columns are words, numbers follow."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


def accuracies(study: Study, ours: dict[Key, float], part: str) -> Grid:
    """By size and type."""
    known = {
        (label, size): value
        for (name, what, _, label, size), value in ours.items()
        if (name, what) == (part, "accuracy_pct")
    }
    types = [label for label in study.of_types if any(of == label for of, _ in known)]
    sizes = sorted({size for _, size in known})
    told = METRICS["accuracy_pct"].told
    rows = ((str(size), *(told(known.get((label, size))) or NOTHING for label in types)) for size in sizes)
    return Grid(("filters", *(f"{label} %" for label in types)), tuple(rows))


def latencies(one: Reproduced, ours: dict[Key, float]) -> Grid:
    """Ours of a part on its boards, by type and size, in milliseconds."""
    runs = [(run, size) for run in one.runs if (size := size_of(run.model)) is not None]
    big = {(run.board, run.type_label, size) for run, size in runs if is_too_big(run)}
    sizes = sorted({size for _, size in runs})

    def cell(board: str, label: str, size: int) -> str:
        known = METRICS["latency_ms"].told(ours.get((one.part.name, "latency_ms", board, label, size)))
        return known or (TOO_BIG if (board, label, size) in big else NOTHING)

    rows = (
        (board, label, *(cell(board, label, size) for size in sizes))
        for board, label in dict.fromkeys((run.board, run.type_label) for run, _ in runs)
    )
    return Grid(("latency in ms on", "type", *map(str, sizes)), tuple(rows), 2)


def table(found: Reproduction, rows: Sequence[Beside], source: str) -> Grid:
    """A table of the paper: each number, and ours below it with the difference."""
    sizes = found.study.sizes
    lines: list[tuple[str, ...]] = []
    for paper in _of_source(found.study, source, found.parts):
        key = attrgetter("source", "framework", "board", "data_type")
        each = {row.size: row for row in rows if key(row) == key(paper)}
        told = METRICS[paper.metric].told
        name = (paper.framework, paper.board or "any", paper.data_type)
        lines.append((*name, *(told(paper.values.get(size)) or NOTHING for size in sizes)))
        lines.append(
            ("mcusim", paper.board or "any", paper.ours, *(_with_difference(each.get(size)) for size in sizes))
        )
    return Grid(("framework", "board", "type", *map(str, sizes)), tuple(lines), 3)


def _of_source(study: Study, source: str, parts: Sequence[Reproduced]) -> Iterator[PaperRow]:
    there = {one.part.name for one in parts}
    return (row for row in study.rows if row.source == source and row.experiment in there)


def _with_difference(row: Beside | None) -> str:
    if row is None or row.ours is None:
        return NOTHING
    metric = METRICS[row.metric]
    change = row.difference
    if change is None:
        return metric.told(row.ours)
    return (
        f"{metric.told(row.ours)} ({change:+.2f})"
        if metric.unit == "%"
        else f"{metric.told(row.ours)} ({change:+.0f} %)"
    )


def largest_losses(study: Study, losses: Sequence[Loss]) -> Grid:
    rows = (
        (
            loss.part,
            study.of_types[loss.type_label],
            f"{loss.points:+.2f}",
            str(loss.size),
            NOTHING if loss.paper is None else f"{loss.paper:+.2f}",
        )
        for loss in losses
    )
    return Grid(("data set", "type", "points lost at most", "filters", "paper"), tuple(rows), 2)


def summary(one: Reproduced) -> str:
    """`42 runs on boards, 10 test samples each, 0 mismatches; accuracies of 300 test samples`"""
    runs, big = one.done, sum(map(is_too_big, one.runs))
    failed = _counted(big, TOO_BIG) + _counted(len(one.runs) - len(runs) - big, "failed")
    wrong = sum(run.mismatches or 0 for run in runs)
    told = [f"{len(runs)} runs on boards, {_samples(runs):,} test samples each, {wrong} mismatches{failed}"]
    told += [] if one.boards and one.boards.complete else ["not complete"]
    return ", ".join(told) + (f"; accuracies of {_samples(one.scored):,} test samples" if one.scored else "")


def _samples(runs: Sequence[Run]) -> int:
    return max((run.samples for run in runs), default=0)


def _counted(count: int, what: str) -> str:
    return f", {count} {what}" if count else ""


def remarks(found: Reproduction) -> Iterator[str]:
    """What is missing."""
    ours = ours_of(found)
    for one in found.parts:
        there = {size for (name, *_, size) in ours if name == one.part.name}
        lacking = [str(size) for size in found.study.sizes if size not in there]
        if lacking:
            why = "`--quick` leaves them out" if found.quick and one.part.quick_models else "`--train` trains them"
            yield f"{one.part.name}: no network of {', '.join(lacking)} filters; {why}"
        yield from (f"{one.part.name}: {run.id}: {run.error.message}" for run in one.runs if run.error)
    if found.quick:
        yield (
            "--quick: boards ran a few samples of each network, held against what its graph answers in NumPy; "
            "accuracies are those of its graph, of as many test samples as stand there; no network was held against "
            "Keras"
        )
