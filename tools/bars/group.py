"""A family: what measures some of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """`work`: a folder that is empty. `data`: where real data and models of others lie, None where nobody told.

    `data` has `uci_har.npz` (x_train, y_train, x_test, y_test) and `models/*.tflite`.
    """

    work: Path
    data: Path | None


class NotHere(Exception):
    """What a group needs is not on this machine: the message says what."""


@dataclass(frozen=True)
class Group:
    """`measure` gives figures by the names of their rows, and raises NotHere. `is_long`: only for --long.

    `is_compiled`: what the compiler makes is in its figures, so that those kept hold for the compiler of KEPT_WITH.
    """

    name: str
    is_long: bool
    is_compiled: bool
    measure: Callable[[Place], Mapping[str, float]]
