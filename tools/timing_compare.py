"""Recordings of measured programs -> predicted against measured.

    python -m tools.timing_compare FOLDER [RECORD]

FOLDER has recordings and `measured.csv`: name, recording, chip, clock_hz, first, step, measured. `first` and `step`
choose the samples of the recording whose mean is compared. It may have `use` (held-out or fitted), `source` and
`record`, too. RECORD is where the lines go, platforms/measured.csv: the error that figures carry.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from mcusim.boards.chip import Chip
from mcusim.boards.load import load_chip
from mcusim.system.errors import DataError, McusimError
from mcusim.timing.load_recording import load
from mcusim.timing.parameters import CORTEX_M4F, CoreParameters
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.record import (
    HELD_OUT,
    Line,
    demand_use,
    deviation,
    line_of,
    record_of,
    summary,
    told_kinds,
    write_record,
)

TABLE = "measured.csv"


def compare(folder: Path, parameters: CoreParameters = CORTEX_M4F) -> Iterator[Line]:
    """Raises DataError for a table or recording that cannot be read."""

    @cache
    def chip_of(name: str) -> Chip:
        return load_chip(name, folder / TABLE)

    @cache
    def priced(recording: str, chip: str, clock_hz: int) -> Profile:
        return price_recording(load(folder / recording), chip_of(chip), clock_hz, parameters)

    try:
        with (folder / TABLE).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True, restval=""))
        for row in rows:
            chip, profile = chip_of(row["chip"]), priced(row["recording"], row["chip"], int(row["clock_hz"]))
            told = demand_use(row.get("use") or HELD_OUT), row.get("source") or ""
            samples = slice(int(row["first"]), None, int(row["step"]))
            record = row.get("record") or record_of(chip)
            yield line_of(profile, row["name"], record, chip.name, float(row["measured"]), *told, samples)
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise DataError(f"{TABLE} cannot be used: {error}", where=str(folder)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    names = sys.argv[1:] if arguments is None else list(arguments)
    if len(names) not in (1, 2):
        print("usage: python -m tools.timing_compare FOLDER [RECORD]", file=sys.stderr)
        return 2
    try:
        found = list(compare(Path(names[0])))
        _tell(found)
        if names[1:]:
            write_record(Path(names[1]), found)
    except McusimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _tell(found: Sequence[Line]) -> None:
    print(f"{'program':<28} {'MHz':>5} {'predicted':>13} {'measured':>13} {'error':>8}  code")
    for row in found:
        cycles = f"{row.predicted:>13,} {row.measured:>13,.0f} {row.error_pct:>+7.2f}%"
        print(f"{row.program:<28} {row.clock_hz / 1e6:>5g} {cycles}  {told_kinds(row.kinds)}, {row.use}")
    for line in (str(deviation([row.error_pct for row in found])), *summary(found)) if found else ():
        print(line)


if __name__ == "__main__":
    sys.exit(main())
