"""Values -> how C writes them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mcusim.system.arrays import Array

LINE_WIDTH = 116
LONGEST_NAME = 40


def plain_comment(text: str) -> str:
    """A user's name inside a C comment: plain characters only."""
    return re.sub(r"[^A-Za-z0-9_.,+ -]", "?", text)[:80]


def c_names(names: Iterable[str], prefix: str = "layer") -> dict[str, str]:
    """A unique C identifier for each name: prefix and what C allows of it, so never a keyword or a library's name."""
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        safe = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:LONGEST_NAME] or "unnamed"
        candidate, count = f"{prefix}_{safe}", 1
        while candidate in taken:
            count += 1
            candidate = f"{prefix}_{safe}_{count}"
        taken.add(candidate)
        chosen[name] = candidate
    return chosen


def literal(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return floating(float(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f".{name} = {literal(member)}" for name, member in value.items()) + "}"
    if isinstance(value, tuple):
        return "{" + ", ".join(map(literal, value)) + "}"
    return str(value)


def floating(value: float) -> str:
    """Nine digits bring back every float32 exactly."""
    text = f"{value:.9g}"
    return text + ("f" if any(mark in text for mark in ".en") else ".0f")


def number_lines(values: Array) -> list[str]:
    """The numbers of an array as lines of a C initializer."""
    return filled([f"{number(value)}," for value in values.reshape(-1).tolist()])


def filled(words: Iterable[str], width: int = LINE_WIDTH) -> list[str]:
    """As many words a line as there is room for."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def number(value: float | int) -> str:
    if isinstance(value, float):
        return floating(value)
    # -2147483648 and below are no literals in C: the sign is an operator.
    return str(value) if -(2**31) < value < 2**31 else f"({value + 1}LL - 1)" if value < 0 else f"{value}LL"
