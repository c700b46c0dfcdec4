"""Sums of arrays with numbers side by side in words: how each is made, what it costs, and its call."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from mcusim.kernels.calls import Fields, reading_all
from mcusim.kernels.kernel import Inputs, known
from mcusim.kernels.lanes.combined import NOT_LINEAR, Combining, Rows, combined, combined_cycles
from mcusim.kernels.lanes.pairs import LEAST_PAIR, MOST_PAIR, pairs_end
from mcusim.kernels.lanes.products import saturated
from mcusim.kernels.lanes.scaled_sums import scaled_summing
from mcusim.kernels.lanes.several import Saturated, SummingUp, Term
from mcusim.kernels.lanes.streams import LAYER, stream, stream_cycles
from mcusim.kernels.lanes.sums import summing_of
from mcusim.kernels.lanes.words import WORD_BYTES, Words, fetched, words_of_layer
from mcusim.kernels.memory import Memory
from mcusim.layers.add import Add
from mcusim.numbers.affine import ScaledAddition
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import LINEAR
from mcusim.numbers.power_of_two import ShiftedAddition
from mcusim.program import KernelCall, LayerCode

MOST_INPUTS = 16  # NN_ADD_INPUTS in C
MOST_FACTOR = 14  # of an input, as a power of two
MOST_TERMS = 16  # that are added as often as they count
REST, REST_INPUT = 20.0, 12.0  # fitted: cycles of what words leave over, and of each of its inputs


def why_not(layer: Add, inputs: Inputs) -> str | None:
    if len(inputs) > MOST_INPUTS:
        return f"it is for {MOST_INPUTS} arrays"
    if layer.addition is None:
        return None
    if isinstance(layer.addition, ScaledAddition):
        return None if scaled_summing(layer.addition, inputs, layer.activation) else NOT_LINEAR
    if not isinstance(layer.addition, ShiftedAddition):
        return "it is for scales of powers of two"
    if layer.addition.accumulator_peak > ACCUMULATOR_LIMIT:
        return "its sums have 32 bits"
    if not all(0 <= shift <= MOST_FACTOR for shift in layer.addition.shifts) or _shift(layer) < 0:
        return f"it brings no input to a scale finer by more than 2^{MOST_FACTOR}, or coarser"
    return None


def add(layer: Add, inputs: Inputs) -> LayerCode:
    if isinstance(layer.addition, ScaledAddition):
        return combined(_scaled(layer, inputs), Rows(1, layer.elements))
    if (summing := summing_of(layer, inputs)) is not None:
        routine = stream(summing).routine
        ours: Fields = {"elements": layer.elements, "y": summing.coarse, "sum": routine.name, **dict(summing.fields)}
        return LayerCode((KernelCall("add_of_two", ("inputs", "output"), ours),), routines=(routine,))
    work = summing_up(layer, inputs)
    routine = stream(work).routine
    fields = {"elements": layer.elements, "inputs": len(inputs), "sum": routine.name}
    return LayerCode((KernelCall("add_of_several", ("inputs", "output"), fields),), routines=(routine,))


def cost(layer: Add, inputs: Inputs, memory: Memory) -> float:
    if isinstance(layer.addition, ScaledAddition):
        return combined_cycles(_scaled(layer, inputs), Rows(1, layer.elements), memory)
    if (summing := summing_of(layer, inputs)) is not None:
        return stream_cycles(stream(summing), layer, memory)
    made = stream(summing_up(layer, inputs))
    words, rest = divmod(layer.elements * layer.dtype.itemsize, WORD_BYTES)
    last = REST + REST_INPUT * len(inputs) + made.cycles(1) if rest else 0
    return LAYER + (made.cycles(words) if words else 0) + last + fetched((made.routine,), memory)


def _scaled(layer: Add, inputs: Inputs) -> Combining:
    assert isinstance(layer.addition, ScaledAddition)
    made = scaled_summing(layer.addition, inputs, layer.activation)
    assert made is not None
    return made


def summing_up(layer: Add, inputs: Inputs) -> SummingUp:
    """Of any number of arrays; bytes in 16 bits where every sum has room there."""
    count, own = len(inputs), layer.activation.fields(None)
    if layer.addition is not None:
        own = layer.addition.fields(layer.activation)
    fields = tuple({"inputs": count, **reading_all(inputs), **own}.items())
    if layer.addition is None:
        return SummingUp(words_of_layer(layer, inputs), count, (), fields=fields)
    unsigned = reading_all(inputs).get("unsigned_inputs", 0)
    if layer.dtype.itemsize == 1 and _have_room(layer, inputs):
        ways, end = _in_pairs(layer, inputs), pairs_end(layer, _shift(layer))
        words = Words(8, False, LINEAR, None, 1)
        return SummingUp(words, count, ways.terms, unsigned, ways.start, ways.more, 0, ways.lifted, end, fields)
    assert isinstance(layer.addition, ShiftedAddition)
    words, bits, positive = saturated(layer)
    order, shifts = _order(layer.addition)
    rounding = layer.addition.rounding
    start = rounding >> shifts[0] if rounding % (1 << shifts[0]) == 0 else 0
    terms = tuple(map(Term, order, _doublings(shifts)))
    ending, more = Saturated(_shift(layer), bits, positive), 0 if start else rounding
    words = replace(words, several=1)
    return SummingUp(words, count, terms, unsigned, start, more, shifts[-1], False, ending, fields)


def _order(addition: ShiftedAddition) -> tuple[list[int], list[int]]:
    """Inputs, those that count most first; their shifts."""
    order = sorted(range(len(addition.shifts)), key=lambda index: -addition.shifts[index])
    return order, [addition.shifts[index] for index in order]


def _doublings(shifts: Sequence[int]) -> tuple[int, ...]:
    return (0, *(before - after for before, after in pairwise(shifts)))


def _have_room(layer: Add, inputs: Inputs) -> bool:
    """Is every sum a number of 16 bits? What is between may wrap round, as the instructions do."""
    addition, end = layer.addition, pairs_end(layer, _shift(layer))
    assert isinstance(addition, ShiftedAddition)
    if end is None:
        return False
    if min(addition.shifts) > 0:  # a common factor: nobody makes such
        return False
    start = addition.rounding + end.offset
    ranges = [(entry.numbers.minimum, entry.numbers.maximum) for entry in inputs if entry.numbers is not None]
    least = start + sum(low << shift for (low, _), shift in zip(ranges, addition.shifts, strict=True))
    most = start + sum(high << shift for (_, high), shift in zip(ranges, addition.shifts, strict=True))
    return least >= LEAST_PAIR and most <= MOST_PAIR


def _shift(layer: Add) -> int:
    assert isinstance(layer.addition, ShiftedAddition)
    return layer.addition.rescale.shift


class _Terms(NamedTuple):
    """Of sums in pairs. `lifted`: the start makes the first term positive, so that a shift does for its doublings."""

    terms: tuple[Term, ...]
    start: int
    more: int = 0
    lifted: bool = False

    @property
    def instructions(self) -> int:
        """Of a pair."""
        doublings = [term.doublings for term in self.terms]
        return len(self.terms) + sum(doublings if not self.lifted else (1, *doublings[2:])) + (self.more != 0)


def _in_pairs(layer: Add, inputs: Inputs) -> _Terms:
    """The shortest of three ways: an input that counts 2^n times is doubled, shifted, or added as often."""
    addition, end = layer.addition, known(pairs_end(layer, _shift(layer)))
    assert isinstance(addition, ShiftedAddition)
    start = addition.rounding + end.offset
    order, shifts = _order(addition)
    doublings = _doublings(shifts)
    terms = tuple(map(Term, order, doublings))
    whole = start >> shifts[0] << shifts[0]
    often = tuple(Term(index) for index in order for _ in range(1 << addition.shifts[index]))
    ways = [_Terms(terms, whole >> shifts[0], start - whole)]
    ways += [_Terms(often, start)] if len(often) <= MOST_TERMS else []
    first = inputs[order[0]].numbers
    if first is not None and doublings[1] > 0 and (first.maximum - first.minimum) << doublings[1] < 2**16:
        more = start + (first.minimum << shifts[0])
        ways.append(_Terms(terms, -first.minimum, (more - LEAST_PAIR) % 2**16 + LEAST_PAIR, lifted=True))
    return min(ways, key=lambda way: way.instructions)
