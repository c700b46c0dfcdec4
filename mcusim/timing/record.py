"""platforms/measured.csv -> how far the model was off, on silicon, for code of a kind: the error that figures carry.

A line is a program that somebody measured on a chip, beside what the model says. `mcusim validate --record` writes
lines, from firmware images. Only lines that no rule was chosen with ("held-out") count.
"""

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.boards.chip import Chip
from mcusim.system.assets import PLATFORMS
from mcusim.system.errors import DataError
from mcusim.system.files import read_file, write_text
from mcusim.system.names import printable
from mcusim.timing.kind import FLASH, KINDS, OF_CORE, OF_MEMORY, RAM_CODE, SLOW_RAM
from mcusim.timing.profile import Profile
from mcusim.timing.timing import ErrorPct

RECORD = PLATFORMS / "measured.csv"
HELD_OUT, FITTED = "held-out", "fitted"
USES = (HELD_OUT, FITTED)
FEWEST = 3  # lines that are a record
_DOES = {FLASH: "waits for flash", SLOW_RAM: "loads from slow RAM", RAM_CODE: "runs from RAM"}
_MEASURE = "`mcusim validate` holds the model against a board of yours"
_LARGEST_BYTES = 1 << 24
_MOST_CYCLES = 1 << 63


@dataclass(frozen=True)
class Deviation:
    """Of `rows` programs: what half of them do not exceed, what nine of ten do not, and the largest, in percent."""

    rows: int
    median: float
    p90: float
    largest: float

    def __str__(self) -> str:
        return f"{self.rows} rows: median {self.median:.2f} %, p90 {self.p90:.2f} %, largest {self.largest:.2f} %"


def error_pct(predicted: float, measured: float) -> float:
    """Signed: above 0 where the model is too slow."""
    return 100 * (predicted / measured - 1)


def deviation(errors_pct: Sequence[float]) -> Deviation:
    """Of at least one error. Between two of them p90 is interpolated."""
    sizes = np.abs(np.array(errors_pct, np.float64))
    median, p90 = np.percentile(sizes, (50, 90)).tolist()
    return Deviation(len(sizes), median, p90, float(sizes.max()))


@dataclass(frozen=True)
class Line:
    """`record`: whom it speaks for, as `[timing] records` of chips names it. `kinds` as `Work.kinds` has them.

    `use`: was a rule of the model chosen with it? `source`: who measured it. `date`: of the prediction, ISO 8601.
    """

    program: str
    record: str
    chip: str
    clock_hz: int
    kinds: tuple[str, ...]
    use: str
    predicted: int
    measured: float
    source: str
    date: str

    @property
    def error_pct(self) -> float:
        return error_pct(self.predicted, self.measured)


COLUMNS = tuple(field.name for field in fields(Line))


def line_of(
    priced: Profile,
    program: str,
    record: str,
    chip: str,
    measured: float,
    use: str = HELD_OUT,
    source: str = "",
    samples: slice = slice(None),
) -> Line:
    """A program whose `samples` were measured. It is of today. Raises ValueError for cycles that cannot be."""
    predicted, today = round(float(priced.cycles[samples].mean())), datetime.now(timezone.utc).date().isoformat()
    kinds, told = priced.work.kinds(samples), (printable(program), printable(record), printable(chip))
    line = Line(*told, priced.clock_hz, kinds, use, predicted, measured, printable(source), today)
    return _demand_cycles(line)


def are_cycles(count: float) -> bool:
    """Can a program have taken so many?"""
    return 1 <= count <= _MOST_CYCLES


def _demand_cycles(line: Line) -> Line:
    if not (are_cycles(line.predicted) and are_cycles(line.measured)):
        raise ValueError("its cycles cannot be")
    return line


def read_record(path: Path) -> tuple[Line, ...]:
    """Raises DataError for a file that is no record, with its first line that is none."""
    text = read_file(path, _LARGEST_BYTES, hint="mcusim validate --record writes one").decode("utf-8-sig", "replace")
    reader = csv.DictReader(io.StringIO(text), strict=True)
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"its first line is not {','.join(COLUMNS)}")
        return tuple(map(_line, reader))
    except (ValueError, TypeError, csv.Error) as error:
        where = f"{path}, line {reader.line_num}"
        hint = "mcusim validate --record writes such a file: write it again"
        raise DataError(f"this is no record of measured programs: {error}", where=where, hint=hint) from None


def _line(row: Mapping[str, Any]) -> Line:
    if set(row) != set(COLUMNS) or None in row.values():
        raise ValueError(f"it has not {len(COLUMNS)} cells")
    numbers = {"clock_hz": int(row["clock_hz"]), "predicted": int(row["predicted"]), "measured": float(row["measured"])}
    line = Line(**{**row, **numbers, "kinds": tuple(row["kinds"].split())})
    core, memory = line.kinds[:1], line.kinds[1:]
    if not set(core) & set(OF_CORE) or memory != tuple(kind for kind in OF_MEMORY if kind in memory):
        raise ValueError(f"{row['kinds']!r} are no kinds: one of {', '.join(OF_CORE)}, then of {', '.join(OF_MEMORY)}")
    if line.clock_hz <= 0:
        raise ValueError("its clock cannot be")
    demand_use(line.use)
    return _demand_cycles(line)


def demand_use(use: str) -> str:
    """It, when it is one of USES. Raises ValueError."""
    if use not in USES:
        raise ValueError(f"use is {use!r}, neither {' nor '.join(USES)}")
    return use


def write_record(path: Path, lines: Iterable[Line]) -> None:
    """Into the file, where they take the place of those of the same program, chip and clock.

    Raises DataError for a file that is no record, OSError when it cannot be written.
    """
    there = read_record(path) if path.exists() else ()
    by_key = {(line.program, line.chip, line.clock_hz): line for line in (*there, *lines)}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in by_key.values():
        values = {**vars(line), "kinds": " ".join(line.kinds), "measured": f"{line.measured:.12g}"}
        writer.writerow([values[name] for name in COLUMNS])
    write_text(path, out.getvalue())


def speaking_for(lines: Iterable[Line], kinds: Sequence[str]) -> list[Line]:
    """Held-out lines that are of all these kinds: of `integer` alone also those that wait for memory, too."""
    return [line for line in lines if line.use == HELD_OUT and set(kinds) <= set(line.kinds)]


@cache
def _shipped() -> tuple[Line, ...]:
    return read_record(RECORD)


def error_of(kinds: Sequence[str], chip: Chip, lines: Sequence[Line] | None = None) -> ErrorPct | str:
    """The model's record on `chip` for code of these kinds; else why there is none.

    `lines`: those of platforms/measured.csv.
    """
    records = chip.timing.records if chip.timing else []
    own = [line for line in (_shipped() if lines is None else lines) if line.record in records]
    if not own:
        return f"nobody measured the memory of chip {chip.name!r}; {_MEASURE}"
    return _error_in(own, kinds) or _unknown(own, kinds)


def _error_in(own: Sequence[Line], kinds: Sequence[str]) -> ErrorPct | None:
    speaking = speaking_for(own, kinds)
    if len(speaking) < FEWEST:
        return None
    size = deviation([line.error_pct for line in speaking])
    chips, date = ", ".join(sorted({line.chip for line in speaking})), max(line.date for line in speaking)
    told = f"{len(speaking)} held-out measurements of {in_words(kinds)} on {chips}, {date}"
    return {"median": round(size.median, 2), "p90": round(size.p90, 2), "from": told}


def _unknown(own: Sequence[Line], kinds: Sequence[str]) -> str:
    """Why there is no record, and what to do about it."""
    count = len(speaking_for(own, kinds))
    few = f"only {count} of the {FEWEST} measurements that a record takes were made of {in_words(kinds)}"
    told = few if count else f"nobody measured {in_words(kinds)} on a chip like this"
    in_flash = [kind for kind in kinds if kind != RAM_CODE]
    error = _error_in(own, in_flash) if RAM_CODE in kinds else None
    if error is None:
        return f"{told}; {_MEASURE}"
    size = f"±{error['median']:.1f} %, nine of ten within {error['p90']:.1f} %"
    waits = "" if FLASH in kinds else ", where it hardly waits for it,"
    return f"{told}; {in_words(in_flash)} in flash (code_in_ram = false){waits} has {size}"


def record_of(chip: Chip) -> str:
    """Where lines that were measured on it belong: the first that speaks for it, else a record of its own."""
    return next(iter(chip.timing.records if chip.timing else ()), chip.name)


def in_words(kinds: Sequence[str]) -> str:
    """`integer code that waits for flash`"""
    core, *memory = kinds
    return f"{core} code" + (f" that {' and '.join(_DOES[kind] for kind in memory)}" if memory else "")


def told_kinds(kinds: Iterable[str]) -> str:
    """`integer, flash-bound`"""
    return ", ".join(kinds)


def groups(lines: Sequence[Line]) -> Iterator[tuple[str, str, Deviation]]:
    """Kind, use, and how far the model is off in such lines: of each that there is."""
    for kind, use in itertools.product(KINDS, USES):
        errors = [line.error_pct for line in lines if line.use == use and kind in line.kinds]
        if errors:
            yield kind, use, deviation(errors)


def summary(lines: Sequence[Line]) -> list[str]:
    """`integer, held-out: 39 rows: median 1.16 %, ..`"""
    return [f"{kind}, {use}: {found}" for kind, use, found in groups(lines)]
