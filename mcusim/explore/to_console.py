"""Exploration -> table for a terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from mcusim.experiment.exploration import CROSS_ENTROPY
from mcusim.explore.exploration import Exploration, Tested
from mcusim.explore.point import Point
from mcusim.reports.figures import REGRESS
from mcusim.reports.grid import print_grid, print_line
from mcusim.system.names import printable, shortened
from mcusim.system.validation import short

LONGEST_CELL = 200
ALWAYS = ("accuracy", "latency_ms", "rom_bytes", "ram_bytes")


def show(found: Exploration, console: Console) -> None:
    """The base, and the front beside it; then what a reader should know. Names are not taken for markup."""
    console.print(Text(f"{printable(found.experiment)}: {summary(found)}", style="bold"))
    columns = columns_of(found)
    headings = ("point", *(heading(name) for name in columns), *(("p",) if found.tested else ()))
    rows = [[printable(shortened(cell, LONGEST_CELL)) for cell in row] for row in rows_of(found, columns)]
    if rows and not print_grid(console, headings, rows, [""] * len(rows), 1):
        for row in rows:
            told = (f"{name} {cell}" for name, cell in zip(headings[1:], row[1:], strict=True) if cell)
            print_line(console, f"{row[0]}: {', '.join(told)}", "")
    for line, style in remarks(found):
        print_line(console, printable(line), style)


def summary(found: Exploration) -> str:
    """`search grid, 12 points evaluated, 4 on the front (validation samples)`"""
    again = f" ({found.reused:,} known from before)" if found.reused else ""
    judged = "test set" if found.tested else "validation samples"
    seen = f"{found.evaluations:,} points evaluated{again}"
    told = f"{found.search} search, {seen}, {len(found.front)} on the front ({judged})"
    return told if found.complete else f"{told}, interrupted"


def columns_of(found: Exploration) -> list[str]:
    there = set(found.base.figures) if found.base else set()
    return [name for name in dict.fromkeys((*found.objectives, *ALWAYS)) if name in there or not found.tested]


def heading(name: str) -> str:
    return "cross-entropy" if name == CROSS_ENTROPY else REGRESS[name].heading or REGRESS[name].name


def rows_of(found: Exploration, columns: Sequence[str]) -> Iterator[list[str]]:
    """Of the test set where it was asked, else of validation samples."""
    if found.base is None:
        return
    tests = {one.point.genes: one for one in found.tested}
    others = [point for point in found.front if point.genes != found.base.genes]
    shown = [("base", found.base), *((f"point-{number:02}", point) for number, point in enumerate(others, start=1))]
    base = tests[found.base.genes].point if found.base.genes in tests else found.base
    for name, point in shown:
        one = tests.get(point.genes)
        now = one.point if one else point
        cells = [cell(now, base, column) for column in columns]
        differs = differences(point, found.base)
        yield [f"{name}: {differs}" if differs else name, *cells, *([_p(one)] if found.tested else [])]


def cell(point: Point, base: Point, name: str) -> str:
    """The figure, and by how much it is another than the base's."""
    if point.error:
        return "failed"
    value, before = point.figures.get(name), base.figures.get(name)
    if value is None:
        return ""
    figure = REGRESS.get(name)
    text = figure.show(value) if figure and figure.heading else f"{value:,.4g}"
    if before is None or point.genes == base.genes:
        return text
    is_share = figure is not None and figure.unit == "share"
    change = f"{100 * (value - before):+.2f}" if is_share else f"{100 * (value / before - 1):+.1f}%" if before else ""
    return f"{text} ({change})" if change else text


def differences(point: Point, base: Point) -> str:
    genes = zip(point.genes, base.genes, strict=True)
    told = zip(point.chosen.items(), genes, strict=False)
    return ", ".join(f"{name} {value_of(value)}" for (name, value), (own, other) in told if own != other)


def value_of(value: object) -> str:
    return value if isinstance(value, str) else short(value)


def _p(tested: Tested | None) -> str:
    if tested is None or tested.p is None:
        return ""
    return f"-{tested.worse} +{tested.better}, {tested.p:.2g}"


def remarks(found: Exploration) -> Iterator[tuple[str, str]]:
    """What a reader should know, and how it looks."""
    if found.tested:
        yield "p: samples decided wrongly (-) and rightly (+) that the base decides otherwise; McNemar's test", "dim"
    for one in found.tested:
        if one.point.error:
            error = one.point.error
            hint = f" ({error.hint})" if error.hint else ""
            yield f"{one.folder} failed on the test set: {error.message}{hint}", "red"
    if found.failed:
        first = found.failed[0]
        why = first.error.message if first.error else ""
        several = f"{len(found.failed)} points cannot be, the first" if len(found.failed) > 1 else "one point cannot be"
        yield f"{several} ({_chosen(first)}): {why}", "dim"
    if found.complete and not found.front and not found.nearest:
        hints = [point.error.hint for point in found.failed if point.error and point.error.hint]
        yield f"no point is left{f' ({hints[0]})' if hints else ''}", "red"
    if found.nearest and found.complete:
        missed = " and ".join(f"{name} = {found.limits[name]}" for name in found.missed)
        yield f"no point keeps {', '.join(found.limits)}; nearest: {_chosen(found.nearest)}: {_told(found)}", "red"
        yield f"the nearest misses {missed}", "red"
    for note in found.notes:
        yield note, "dim"


def _chosen(point: Point) -> str:
    return ", ".join(f"{name} {value_of(value)}" for name, value in point.chosen.items())


def _told(found: Exploration) -> str:
    assert found.nearest is not None
    figures = found.nearest.figures
    names = dict.fromkeys((*found.objectives, *ALWAYS))
    return ", ".join(f"{heading(name)} {cell(found.nearest, found.nearest, name)}" for name in names if name in figures)
