"""Sums of arrays with numbers side by side in words: how each is made, what it costs, and its call."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, NamedTuple

from mcusim.kernels.calls import Fields, one, reading_all
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.combined import NOT_LINEAR, Combining, Rows, combined, combined_cycles
from mcusim.kernels.lanes.costs import BLOCK, SUMS, Counts, each_counts, lanes_of, storage_of, total
from mcusim.kernels.lanes.pairs import LEAST_PAIR, MOST_PAIR, end_fields, pairs_end
from mcusim.kernels.lanes.scaled_sums import scaled_summing
from mcusim.kernels.lanes.streams import stream, stream_cycles
from mcusim.kernels.lanes.sums import summing_of
from mcusim.kernels.memory import Memory
from mcusim.layers.add import Add
from mcusim.numbers.affine import ScaledAddition
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.power_of_two import ShiftedAddition
from mcusim.program import KernelCall, LayerCode

How = Literal["NN_IN_PAIRS", "NN_IN_WORDS"]
MOST_FACTOR = 14  # of SMLABB, as a power of two
MOST_TERMS = 16  # NN_ADD_TERMS in C


def why_not(layer: Add, inputs: Inputs) -> str | None:
    if layer.addition is None:
        return None
    if isinstance(layer.addition, ScaledAddition):
        return None if scaled_summing(layer.addition, inputs, layer.activation) else NOT_LINEAR
    if not isinstance(layer.addition, ShiftedAddition):
        return "it is for scales of powers of two"
    if layer.addition.accumulator_peak > ACCUMULATOR_LIMIT:
        return "its sums have 32 bits"
    if not all(0 <= shift <= MOST_FACTOR for shift in layer.addition.shifts):
        return f"it brings no input to a scale finer by more than 2^{MOST_FACTOR}, or coarser"
    return None


def add(layer: Add, inputs: Inputs) -> LayerCode:
    if isinstance(layer.addition, ScaledAddition):
        return combined(_scaled(layer, inputs), Rows(1, layer.elements))
    if (summing := summing_of(layer, inputs)) is not None:
        routine = stream(summing).routine
        ours: Fields = {"elements": layer.elements, "y": summing.coarse, "sum": routine.name, **dict(summing.fields)}
        call = KernelCall("add_of_two", ("inputs", "output"), ours)
        return LayerCode((call,), routines=(routine,))
    own = layer.activation.fields(None) if layer.addition is None else layer.addition.fields(layer.activation)
    fields: Fields = {"elements": layer.elements, "inputs": len(inputs), **own}
    fields |= reading_all(inputs)
    if layer.addition is not None:
        how = how_of(layer, inputs)
        fields |= {"addition": how, **(_pairs(layer, inputs) if how == "NN_IN_PAIRS" else {})}
    return one("add_lanes", fields, arguments=("inputs", "output"))


def cost(layer: Add, inputs: Inputs, memory: Memory) -> float:
    if isinstance(layer.addition, ScaledAddition):
        return combined_cycles(_scaled(layer, inputs), Rows(1, layer.elements), memory)
    if (summing := summing_of(layer, inputs)) is not None:
        return stream_cycles(stream(summing), layer, memory)
    in_bytes = storage_of(layer) == 1 and how_of(layer, inputs) == "NN_IN_WORDS"
    return total(_counts(layer, inputs), SUMS["bytes in 32 bits" if in_bytes else storage_of(layer)])


def _counts(layer: Add, inputs: Inputs) -> Counts:
    counts, size = each_counts(layer.elements, layer), len(inputs)
    words = counts["words"]
    counts |= {"loads": words * size, "single inputs": counts["singles"] * size}
    if layer.addition is None:
        activation = layer.activation
        counts |= {"instructions": words * (size - 1)}
        counts |= {"limited": words * activation.relu, "ceiling": words * (activation.ceiling is not None)}
        return counts
    often = _instructions(layer, inputs)
    rest = words - BLOCK * counts["blocks"]
    counts |= {"instructions": words * often, "block loads": counts["blocks"] * size}
    counts["code"] = ((BLOCK if counts["blocks"] else 0) + rest) * (
        often + size
    )  # instructions, fetched for the first time
    counts |= {"loads of four": counts["loads"] * (size >= 4), "loads of five": counts["loads"] * (size >= 5)}
    return counts


def _scaled(layer: Add, inputs: Inputs) -> Combining:
    assert isinstance(layer.addition, ScaledAddition)
    made = scaled_summing(layer.addition, inputs, layer.activation)
    assert made is not None
    return made


def _instructions(layer: Add, inputs: Inputs) -> int:
    """For a word of integers, but for its loads and store."""
    how, lanes = how_of(layer, inputs), lanes_of(layer)
    ceiling = 2 * (layer.activation.ceiling is not None)
    if how == "NN_IN_PAIRS":
        terms, end = terms_of(layer, inputs), pairs_end(layer, _shift(layer))
        assert end is not None
        return 2 * terms.instructions + 2 * (1 + (end.shift > 0)) + 1 + (end.zero > 0) + 2 * (end.ceiling > 0)
    return lanes * (len(inputs) + 1) + (1 if lanes == 2 else 3 + 3 * len(inputs)) + ceiling


def how_of(layer: Add, inputs: Inputs) -> How:
    """Of sums that no lane of a number's own size has room for."""
    return "NN_IN_PAIRS" if layer.dtype.itemsize == 1 and _have_room(layer, inputs) else "NN_IN_WORDS"


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
    """Sums in pairs, term by term: what there is so far is doubled before each, and `more` is added at the end.

    `lifted`: the start makes the first term positive, so that a shift does for its doublings.
    """

    order: tuple[int, ...]  # of inputs, the coarsest scale first
    doublings: tuple[int, ...]
    start: int
    more: int = 0
    lifted: bool = False

    @property
    def instructions(self) -> int:
        """Of a pair."""
        doublings = self.doublings if not self.lifted else (1, *self.doublings[2:])
        return len(self.order) + sum(doublings) + (self.more != 0)


def terms_of(layer: Add, inputs: Inputs) -> _Terms:
    """The shortest of three ways: an input that counts 2^n times is doubled, shifted, or added as often."""
    addition, end = layer.addition, pairs_end(layer, _shift(layer))
    assert isinstance(addition, ShiftedAddition) and end is not None
    start = addition.rounding + end.offset
    order = tuple(sorted(range(len(inputs)), key=lambda index: -addition.shifts[index]))
    shifts = [addition.shifts[index] for index in order]
    doublings = (0, *(before - after for before, after in pairwise(shifts)))
    whole = start >> shifts[0] << shifts[0]
    often = tuple(index for index in order for _ in range(1 << addition.shifts[index]))
    ways = [_Terms(order, doublings, whole >> shifts[0], start - whole)]
    ways += [_Terms(often, (0,) * len(often), start)] if len(often) <= MOST_TERMS else []
    first = inputs[order[0]].numbers
    if (
        first is not None
        and len(inputs) > 1
        and doublings[1] > 0
        and (first.maximum - first.minimum) << doublings[1] < 2**16
    ):
        more = start + (first.minimum << shifts[0])
        ways.append(_Terms(order, doublings, -first.minimum, (more - LEAST_PAIR) % 2**16 + LEAST_PAIR, lifted=True))
    return min(ways, key=lambda way: way.instructions)


def _pairs(layer: Add, inputs: Inputs) -> Fields:
    end, terms = pairs_end(layer, _shift(layer)), terms_of(layer, inputs)
    assert end is not None
    fields: Fields = {"terms": len(terms.order), "order": terms.order}
    fields |= {"doublings": terms.doublings} if any(terms.doublings) else {}
    fields |= {name: value for name, value in (("start", terms.start), ("more", terms.more)) if value}
    fields |= {"lifted": 1} if terms.lifted else {}
    return {**fields, **end_fields(end)}
