"""Units of a dense layer -> blocks of rows: as many of one size as is good, then some of another for what is left."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from mcusim.kernels.memory import USUAL, Memory
from mcusim.system.arrays import Array

FIRST_FETCH = 1 / 0.8  # code that runs for the first time, of which little repeats
MOST_LEFT = 8  # blocks of the second size


class Block(Protocol):
    """Code that makes `rows` outputs. `cycles`: at zero wait states; `flash_bytes`: of weights; `code_bytes`: of the
    routine; `call_cycles`: of a call of it, with what it saves and restores.
    """

    @property
    def rows(self) -> int: ...
    @property
    def cycles(self) -> float: ...
    @property
    def flash_bytes(self) -> int: ...
    @property
    def code_bytes(self) -> int: ...
    @property
    def call_cycles(self) -> float: ...


B = TypeVar("B", bound=Block)
Maker = Callable[[int, int], B]  # rows, how often it runs -> what is best for these


@dataclass(frozen=True)
class Part(Generic[B]):
    """Outputs that one call of a routine makes."""

    block: B
    blocks: int

    @property
    def units(self) -> int:
        return self.blocks * self.block.rows


def cycles_of(parts: Sequence[Part[B]], memory: Memory) -> float:
    """Of all calls. Flash is read ahead but for a cycle."""
    code = sum(block.code_bytes for block in {part.block for part in parts})
    blocks = sum(part.blocks * (part.block.cycles + memory.streamed(part.block.flash_bytes)) for part in parts)
    return blocks + sum(part.block.call_cycles for part in parts) + FIRST_FETCH * memory.fetched(code)


def parts_of(make: Maker[B], sizes: Sequence[int], units: int) -> tuple[Part[B], ...]:
    """The cheapest: one part, or two of which the second may begin inside of the first. `sizes`: rows of a block."""
    return min(_candidates(make, sizes, units), key=lambda parts: cycles_of(parts, USUAL))


def _candidates(make: Maker[B], sizes: Sequence[int], units: int) -> Iterator[tuple[Part[B], ...]]:
    def part(rows: int, blocks: int) -> Part[B]:
        return Part(make(rows, blocks), blocks)

    for rows in sizes:
        if units <= rows or units % rows == 0:
            yield (part(rows, -(-units // rows)),)
        for other in sizes:
            for left in range(1, MOST_LEFT + 1):
                blocks = -(-(units - left * other) // rows)
                if blocks > 0 and max(blocks * rows, left * other) <= units:
                    yield part(rows, blocks), part(other, left)


def rows_of(parts: Sequence[Part[B]], units: int) -> list[Array]:
    """For each part which row is where: (blocks, rows). A block of more rows than there are has the last one again."""
    starts = [0, *(units - part.units for part in parts[1:])]
    return [
        np.minimum(start + np.arange(part.units), units - 1).reshape(part.blocks, part.block.rows)
        for start, part in zip(starts, parts, strict=True)
    ]
