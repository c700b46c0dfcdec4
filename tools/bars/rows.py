"""bars.csv + figures measured -> verdicts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from mcusim.system.errors import DataError

TABLE = Path(__file__).with_name("bars.csv")
KEPT_WITH = "12.2.1"  # the compiler whose code the kept figures of compiled code are about: GCC of Debian 12
AT_MOST, AT_LEAST = "<=", ">="
WHOLE = 1e5  # from there on nobody needs fractions


@dataclass(frozen=True)
class Row:
    """`sense`: AT_MOST or AT_LEAST. `kept`: the figure of the last commit that wrote it, "" where it is a machine's.

    `bar`: "" where there is none but not to get worse. `missed`: why a bar does not hold; then only `kept` is held.
    """

    name: str
    sense: str
    bar: str
    kept: str
    unit: str
    promised: str
    missed: str = ""

    def within(self, figure: float, bound: str) -> bool:
        """Is the figure, as it is shown, as good as `bound`, or better?"""
        if not bound:
            return True
        told = float(shown(figure))
        return told <= float(bound) if self.sense == AT_MOST else told >= float(bound)


COLUMNS = tuple(field.name for field in fields(Row))


@dataclass(frozen=True)
class Verdict:
    """`word` is what a reader is told."""

    row: Row
    figure: float
    holds: bool
    word: str


def verdict(row: Row, figure: float) -> Verdict:
    if not row.within(figure, row.kept):
        return Verdict(row, figure, False, f"WORSE than {row.kept}")
    if not row.missed and not row.within(figure, row.bar):
        return Verdict(row, figure, False, "BEYOND its bar")
    if row.missed and row.within(figure, row.bar):
        return Verdict(row, figure, False, "holds, though bars.csv says that it is missed")
    better = row.kept and shown(figure) != row.kept
    word = f"missed: {row.missed}" if row.missed else "holds"
    return Verdict(row, figure, True, f"{word}; better than {row.kept}: --update keeps it" if better else word)


def verdicts(rows: Iterable[Row], figures: Mapping[str, float]) -> list[Verdict]:
    """Of those rows that were measured. Raises DataError for figures that no row is about."""
    known = {row.name: row for row in rows}
    if unknown := sorted(set(figures) - set(known)):
        raise DataError(f"no row has the name {unknown[0]!r}", where=str(TABLE), hint="add it, with its bar")
    return [verdict(known[name], figure) for name, figure in figures.items()]


def shown(figure: float) -> str:
    """As bars.csv has it: six digits, or whole."""
    return str(round(figure)) if figure == round(figure) or abs(figure) >= WHOLE else f"{figure:.6g}"


def without_kept(rows: Iterable[Row]) -> list[Row]:
    """Held by their bars alone; what is missed has none."""
    return [replace(row, kept="", bar="" if row.missed else row.bar, missed="") for row in rows]


def read(path: Path = TABLE) -> list[Row]:
    """Raises DataError for a file that is no such table, with the line."""
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), strict=True)
    rows: list[Row] = []
    for line in reader:
        try:
            row = Row(**line)
            _demand(row, {row.name for row in rows})
        except (TypeError, ValueError) as error:
            where, hint = f"{path}, line {reader.line_num}", f"write {','.join(COLUMNS)}"
            raise DataError(f"no row: {error}", where=where, hint=hint) from None
        rows.append(row)
    return rows


def _demand(row: Row, names: set[str]) -> None:
    if row.name in names:
        raise ValueError(f"{row.name!r} is there twice")
    if row.sense not in (AT_MOST, AT_LEAST):
        raise ValueError(f"{row.sense!r} is neither {AT_MOST} nor {AT_LEAST}")
    if row.missed and not row.bar:
        raise ValueError("without a bar nothing is missed")
    for text in (row.bar, row.kept):
        float(text or 0)


def write(rows: Iterable[Row], figures: Mapping[str, float], path: Path = TABLE) -> None:
    """The table again, with what was measured for those figures that it keeps."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            keeps = row.kept and row.name in figures
            writer.writerow(vars(replace(row, kept=shown(figures[row.name])) if keeps else row))
