"""Which words a tile of a convolution loads when, and what it multiplies in between: each word serves several taps.

A tile is some filters x some positions side by side, whose sums stay in registers. Position j sees column
stride * j + t with tap t, so a column that was loaded once is multiplied with several taps. Registers are short: the
order of the products decides how often a word has to come again, and a burst of n loads takes n + 1 cycles. So some
orders are tried, and the cheapest is taken.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

REGISTERS = 12  # for sums and operands: r0 and lr point to the columns and to the weights


class Word(NamedTuple):
    """A pair of numbers: of weights (`filter_`, and which tap), or of the columns of the input (filter_ -1)."""

    filter_: int
    place: int

    @property
    def is_weight(self) -> bool:
        return self.filter_ >= 0


class Product(NamedTuple):
    """weight x column, added to the sum of a filter at a position."""

    filter_: int
    position: int
    weight: Word
    column: Word


class Burst(NamedTuple):
    """Loads one behind another, then all products whose operands are there. `registers`: of each load, by number."""

    loads: tuple[Word, ...]
    registers: tuple[int, ...]
    products: tuple[tuple[Product, int, int], ...]


@dataclass(frozen=True)
class Window:
    """What a tile multiplies for one pair of channels. `sum_registers`: 2 for sums of 64 bits."""

    filters: int
    positions: int
    taps: int
    stride: int
    sum_registers: int = 1

    @property
    def sums(self) -> int:
        return self.filters * self.positions

    @property
    def columns(self) -> int:
        return self.stride * (self.positions - 1) + self.taps

    @property
    def operands(self) -> int:
        """Registers that the sums leave."""
        return REGISTERS - self.sum_registers * self.sums

    @cached_property
    def cycles(self) -> int:
        """Of one pair of channels."""
        return sum(len(burst.loads) + 1 + len(burst.products) for burst in schedule(self))

    @cached_property
    def instructions(self) -> int:
        return sum(len(burst.loads) + len(burst.products) for burst in schedule(self))


@cache
def schedule(window: Window) -> tuple[Burst, ...]:
    """The cheapest of several orders of the products."""
    return min((_bursts(order, window.operands) for order in _orders(window)), key=_cycles)


def _cycles(bursts: Sequence[Burst]) -> int:
    return sum(len(burst.loads) + 1 + len(burst.products) for burst in bursts)


def _orders(window: Window) -> list[list[Product]]:
    """Column by column, tap by tap, and both with taps that share no column one group after the other."""
    products = [
        Product(filter_, position, Word(filter_, tap), Word(-1, window.stride * position + tap))
        for filter_ in range(window.filters)
        for position in range(window.positions)
        for tap in range(window.taps)
    ]

    def phase(p: Product) -> int:
        return p.weight.place % window.stride

    def turning(p: Product) -> int:
        """There and back again: the columns that one tap ends with are those that the next begins with."""
        return -p.column.place if p.weight.place // window.stride % 2 else p.column.place

    keys: list[Callable[[Product], tuple[int, ...]]] = [
        lambda p: (p.column.place, p.weight.place, p.filter_),
        lambda p: (phase(p), p.column.place, p.weight.place, p.filter_),
        lambda p: (phase(p), p.weight.place, turning(p), p.filter_),
        lambda p: (phase(p), p.weight.place, p.column.place, p.filter_),
    ]
    return [sorted(products, key=key) for key in keys]


def _bursts(order: Sequence[Product], operands: int) -> tuple[Burst, ...]:
    """Each burst loads what the next products need, as far as there are registers."""
    held: dict[Word, int] = {}
    remaining, bursts = list(order), []
    while remaining:
        next_use = {word: -n for n, product in enumerate(reversed(remaining)) for word in product[2:]}
        held = {word: register for word, register in held.items() if word in next_use}
        loads: list[Word] = []
        for product in remaining:
            missing = [word for word in product[2:] if word not in held and word not in loads]
            while not loads and len(held) + len(missing) > operands:  # the first has to be: what is used last goes
                others = [word for word in held if word not in product[2:]]
                del held[max(others, key=lambda word: next_use[word])]
            if len(held) + len(loads) + len(missing) > operands:
                break
            loads += missing
        free = [register for register in range(operands) if register not in held.values()]
        held.update(zip(loads, free, strict=False))
        made = [product for product in remaining if product.weight in held and product.column in held]
        remaining = [product for product in remaining if product not in made]
        of = tuple((product, held[product.weight], held[product.column]) for product in made)
        bursts.append(Burst(tuple(loads), tuple(held[word] for word in loads), of))
    return tuple(bursts)
