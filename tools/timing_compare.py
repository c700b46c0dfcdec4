"""Recordings of measured programs -> predicted against measured.

    python -m tools.timing_compare FOLDER

FOLDER has recordings and `measured.csv`: name, recording, chip, clock_hz, first, step, measured. `first` and `step`
choose the samples of the recording whose mean is compared.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mcusim.boards.load import load_chip
from mcusim.system.errors import DataError, McusimError
from mcusim.timing.load_recording import load
from mcusim.timing.parameters import CORTEX_M4F, CoreParameters
from mcusim.timing.profile import Profile, price_recording

TABLE = "measured.csv"


@dataclass(frozen=True)
class Comparison:
    """Cycles of one program."""

    name: str
    clock_hz: int
    predicted: float
    measured: int

    @property
    def error(self) -> float:
        return self.predicted / self.measured - 1


def compare(folder: Path, parameters: CoreParameters = CORTEX_M4F) -> Iterator[Comparison]:
    """Raises DataError for a table or recording that cannot be read."""

    @cache
    def priced(recording: str, chip: str, clock_hz: int) -> Profile:
        return price_recording(load(folder / recording), load_chip(chip), clock_hz, parameters)

    try:
        with (folder / TABLE).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            clock_hz = int(row["clock_hz"])
            cycles = priced(row["recording"], row["chip"], clock_hz).cycles[int(row["first"]) :: int(row["step"])]
            yield Comparison(row["name"], clock_hz, float(cycles.mean()), int(row["measured"]))
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{TABLE} cannot be used: {error}", where=str(folder)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    names = sys.argv[1:] if arguments is None else list(arguments)
    if len(names) != 1:
        print("usage: python -m tools.timing_compare FOLDER", file=sys.stderr)
        return 2
    try:
        found = list(compare(Path(names[0])))
    except McusimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{'program':<28} {'MHz':>5} {'predicted':>13} {'measured':>13} {'error':>8}")
    for row in found:
        print(f"{row.name:<28} {row.clock_hz / 1e6:>5g} {row.predicted:>13,.0f} {row.measured:>13,} {row.error:>+8.2%}")
    errors = [abs(row.error) for row in found]
    if errors:
        print(f"median {statistics.median(errors):.2%}, largest {max(errors):.2%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
