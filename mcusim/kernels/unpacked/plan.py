"""Weights and shape of a layer -> what is summed at a time, and which weights each word of a window meets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mcusim.kernels.assembly import LONGEST_OFFSET
from mcusim.kernels.finish import Ending
from mcusim.kernels.patches.frame import Frame
from mcusim.system.arrays import Array

SUMS = tuple(f"r{number}" for number in range(4, 12))  # registers
SPARE = ("r2", "r3", "r12", "lr")  # for weights and inputs, and at the end for what scales sums
SIZES = (1, 2, 4, 8)  # of a tile, in filters and in positions


class Weights(NamedTuple):
    """Of one filter, that meet the two numbers of a word. `filter_`: counted within its block."""

    filter_: int
    low: int
    high: int


class Word(NamedTuple):
    """Two numbers of a window, `place` bytes from where it begins, and the weights that meet them: at least one."""

    place: int
    weights: tuple[Weights, ...]


class Span(NamedTuple):
    """Filters that are summed at a time, from the `first` on; what they read begins `shift` bytes further."""

    first: int
    filters: int
    shift: int


class Block(NamedTuple):
    """A span, and what it reads."""

    span: Span
    words: tuple[Word, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """`filters` x `positions` sums at a time. `pairs`: (all filters, words, 2). `records`: (all filters, numbers).

    A line has `length` positions, `step` bytes apart. `places`: of words, in bytes; groups lie `group_step` apart.
    """

    filters: int
    positions: int
    lines: int
    length: int
    step: int
    groups: int
    group_step: int
    places: tuple[int, ...]
    pairs: Array
    records: Array
    finish: Ending

    @property
    def tiles(self) -> int:
        """Of a line. The last one computes some positions twice, rather than some that are not there."""
        return -(-self.length // self.positions)

    @property
    def twice(self) -> int:
        return self.tiles * self.positions - self.length

    @property
    def position_bytes(self) -> int:
        """Of the output."""
        return len(self.pairs) * self.finish.store_bytes

    @property
    def at_once(self) -> int:
        """Inputs that registers hold beside the weights they meet."""
        return self.positions if self.positions <= 2 else min(self.positions, len(SPARE) - self.filters)

    @property
    def is_odd(self) -> bool:
        """Do half of the words not lie on words?"""
        return any((self.step * (self.positions > 1 or self.tiles > 1) | place) & 2 for place in self.places)

    @property
    def fits(self) -> bool:
        """Do offsets reach all positions of a tile?"""
        apart = self.positions - 1
        return max(apart * self.step, apart * self.position_bytes + len(SUMS)) <= LONGEST_OFFSET

    @property
    def spans(self) -> tuple[Span, ...]:
        """Of all blocks."""
        of_group = len(self.pairs) // self.groups
        return tuple(
            Span(group * of_group + first, min(self.filters, of_group - first), group * self.group_step)
            for group in range(self.groups)
            for first in range(0, of_group, self.filters)
        )

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(Block(span, tuple(self._words(span))) for span in self.spans)

    def used(self, span: Span) -> Array:
        """Words that meet a weight, by their numbers."""
        return np.flatnonzero(self.pairs[span.first : span.first + span.filters].any(axis=(0, 2)))

    def _words(self, span: Span) -> Iterator[Word]:
        own = self.pairs[span.first : span.first + span.filters]
        for word in self.used(span):
            yield Word(self.places[word] + span.shift, _weights(own[:, word].tolist()))


def _weights(pairs: list[list[int]]) -> tuple[Weights, ...]:
    return tuple(Weights(index, low, high) for index, (low, high) in enumerate(pairs) if low or high)


def plans(frame: Frame, pairs: Array, records: Array, finish: Ending) -> Iterator[Plan]:
    """All tiles that registers and offsets have room for; one at least."""
    lines = 1 if frame.output[1] == 1 else frame.output[0]
    window, length = frame.window(1), frame.positions // lines
    places = tuple(run + 4 * word for run in window.runs for word in range(window.run_words))
    group_step = 2 * frame.channels
    shape = (lines, length, frame.position_step, frame.groups, group_step)
    of_group = len(pairs) // frame.groups
    for filters in SIZES:
        for positions in SIZES:
            if filters * positions <= len(SUMS) and filters < 2 * of_group and positions <= length:
                plan = Plan(filters, positions, *shape, places, pairs, records, finish)
                if plan.fits:
                    yield plan
