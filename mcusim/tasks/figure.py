"""What a figure is: a number of a run, with all that tables, reports, budgets and docs say about it.

`mcusim/reports/figures.py` has one row for each. This module knows no Run, so that tasks may bring rows of their own.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Value = int | float | None


@dataclass(frozen=True)
class Row:
    """A key of a run in report.json. `key` is dotted for what lies inside another, `layers[].name` in a list.

    `doc` tells what it is and how it was obtained, in docs/report.md; `junit` makes it a property of the test case.
    """

    key: str
    doc: str
    unit: str = ""
    junit: bool = False

    @property
    def place(self) -> str:
        """The key of the run that it is, or is in: `rom_bytes` of `rom_bytes.total`."""
        return self.key.partition(".")[0].removesuffix("[]")

    def value(self, run: Any) -> Any:
        """What a Run has under this key; None when it, or what it lies in, is not there."""
        found = run
        for part in self.key.split("."):
            if found is not None:
                found = found.get(part) if isinstance(found, Mapping) else getattr(found, part)
        return found


@dataclass(frozen=True)
class Budget:
    """A key of [expect]. `limit`: a share from 0 to 1, a positive number, or a whole one from 0, of bytes or anything.

    `lacks` completes "this run has no ..", `doc` is the line of docs/experiment.md, `wanted` a hint for limits that
    cannot be.
    """

    name: str
    limit: Literal["share", "positive", "whole", "bytes"]
    lacks: str
    doc: str
    wanted: str = ""


@dataclass(frozen=True)
class Figure(Row):
    """A Row that is a number. `word` names it in sentences.

    With a `heading` it is a column of tables, whose cells `show` writes: but where each run has the `expected` value,
    which is told above the table, or where a figure of the key `unless` is known, which tells more. `of` computes from
    a Run what no key holds; such a figure is no row of the report. `noisy`: it is another number in each run.
    """

    junit: bool = True
    word: str = ""
    heading: str = ""
    show: Callable[[Any], str] = str
    expected: Value = None
    unless: str = ""
    better: Literal["higher", "lower"] | None = None
    budget: Budget | None = None
    of: Callable[[Any], Value] | None = None
    noisy: bool = False

    @property
    def name(self) -> str:
        """In sentences."""
        return self.word or self.key

    def value(self, run: Any) -> Any:
        return super().value(run) if self.of is None else self.of(run)

    def cell(self, run: Any) -> str:
        """For a table; empty when nobody knows."""
        value = self.value(run)
        return "" if value is None else self.show(value)

    def keeps(self, value: float, limit: float) -> bool:
        return value >= limit if self.better == "higher" else value <= limit

    def amount(self, value: int | float) -> str:
        """With its unit, for sentences: `latency 4.76 ms`; a share in percent."""
        if self.unit == "share":
            return f"{100 * value:.6g} %"
        number = f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
        return f"{number} {self.unit}" if self.unit else number

    def beyond(self, value: float, limit: float) -> str:
        """How far a value is beyond its limit: `4.8 points` of a share, `19 %` of anything else, nothing of 0."""
        off = abs(value - limit)
        if self.unit == "share":
            return f"{100 * off:.3g} points"
        share = 100 * off / abs(limit) if limit else 0.0
        return f"{share:.3g} %" if 0 < share < 100 else f"{share:,.0f} %" if limit else ""


def percent(share: float) -> str:
    return f"{100 * share:.2f}"


def decimals(places: int) -> Callable[[float], str]:
    """So many decimals, and more where not two digits would be left: small networks do not take 0.00 ms."""

    def show(value: float) -> str:
        digits = 1 - math.floor(math.log10(abs(value))) if value else 0
        return f"{value:,.{max(places, digits)}f}"

    return show
