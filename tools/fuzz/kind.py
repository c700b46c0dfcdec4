"""A family: what is drawn from seeds and tried, some at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest


class NotHere(Exception):
    """What a kind needs is not on this machine: the message says what."""


@contextmanager
def packages() -> Iterator[None]:
    """Builders of the tests say by pytest's own means which package is not installed: NotHere says so here."""
    try:
        yield
    except ImportError as error:
        raise NotHere(f"{error.name} is not installed") from None
    except pytest.skip.Exception as why:
        raise NotHere(str(why)) from None


@dataclass(frozen=True)
class Failure:
    """`what`: the beginning of what went wrong, in one line."""

    seed: int
    what: str


@dataclass
class Outcome:
    """`counts`: how many were tried, by what is worth a row of the table: `all` and `refused` of every kind, and
    `numbers: ..`, `kernels: ..`, `board: ..`, `file: ..`.
    """

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """`run` tries seeds that follow each other, `together` of them, in a folder that is empty; raises NotHere.

    `longest_s`: what takes longer hangs.
    """

    name: str
    together: int
    longest_s: float
    run: Callable[[Sequence[int], Path], Outcome]


def told(error: BaseException) -> str:
    """One line, of a length that a terminal shows."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST_TOLD else f"{text[: LONGEST_TOLD // 2]} [..] {text[-LONGEST_TOLD // 2 :]}"


LONGEST_TOLD = 600
