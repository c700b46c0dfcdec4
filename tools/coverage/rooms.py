"""What coverage.py tells of files -> rooms, files and functions, with the branches that no test takes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

EXPLAINED = Path(__file__).with_name("explained.csv")


@dataclass(frozen=True)
class Missed:
    """Of a function: lines that did not run, and branches (from line, to line) that were not taken; to -n is its end.

    `why`: the reason, where somebody has told one.
    """

    file: str
    function: str
    lines: tuple[int, ...]
    branches: tuple[tuple[int, int], ...]
    why: str = ""

    def __str__(self) -> str:
        ran = set(self.lines)
        jumps = [f"{at}->{'end' if to < 0 else to}" for at, to in self.branches if at not in ran]
        told = [*(_spans(self.lines)), *jumps]
        return f"{self.function or 'module'}: {', '.join(told)}{self.why and '  (' + self.why + ')'}"


@dataclass(frozen=True)
class Counted:
    """Of a file, a room, or all: how many branches and lines there are, and how many ran."""

    branches: int = 0
    taken: int = 0
    lines: int = 0
    ran: int = 0
    explained: int = 0

    def __add__(self, other: Counted) -> Counted:
        return Counted(*(one + more for one, more in zip(vars(self).values(), vars(other).values(), strict=True)))

    @property
    def share(self) -> float:
        """Of branches that are taken."""
        return self.taken / self.branches if self.branches else 1.0


def missed(files: Mapping[str, Any]) -> list[Missed]:
    """By file, in the order of their lines."""
    reasons = _reasons()
    return [found for file, told in files.items() for found in _of_file(file, told, reasons)]


def counted(file: str, told: Mapping[str, Any], found: list[Missed]) -> Counted:
    summary = told["summary"]
    explained = sum(len(one.branches) for one in found if one.file == file and one.why)
    return Counted(
        summary["num_branches"],
        summary["covered_branches"],
        summary["num_statements"],
        summary["covered_lines"],
        explained,
    )


def room_of(file: str) -> str:
    """`mcusim/numbers/affine.py` -> `numbers`; modules at the root are one room."""
    parts = file.rpartition("mcusim/")[2].split("/")
    return parts[0] if len(parts) > 1 else "mcusim"


def _of_file(file: str, told: Mapping[str, Any], reasons: list[tuple[str, str, str]]) -> Iterator[Missed]:
    for name, one in told["functions"].items():
        if one["missing_lines"] or one["missing_branches"]:
            fits = (why for files, names, why in reasons if fnmatchcase(file, files) and fnmatchcase(name, names))
            branches = tuple((at, to) for at, to in one["missing_branches"])
            yield Missed(file, name, tuple(one["missing_lines"]), branches, next(fits, ""))


def _reasons() -> list[tuple[str, str, str]]:
    """(pattern of files, pattern of functions, why tests cannot take what they do not take)"""
    with EXPLAINED.open(encoding="utf-8", newline="") as file:
        return [(row["files"], row["functions"], row["why"]) for row in csv.DictReader(file)]


def _spans(lines: tuple[int, ...]) -> Iterator[str]:
    """3, 4, 5, 9 -> 3-5, 9"""
    first = last = None
    for line in (*lines, None):
        if last is not None and line == last + 1:
            last = line
            continue
        if first is not None:
            yield f"{first}-{last}" if last != first else f"{first}"
        first = last = line
