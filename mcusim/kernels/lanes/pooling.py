"""Average pools with channels side by side in words: which fit, what they cost, and their calls."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from mcusim.graph import Layer
from mcusim.kernels.assembly import Timed, imm
from mcusim.kernels.calls import reading
from mcusim.kernels.kernel import Inputs, known
from mcusim.kernels.lanes.averages import FACTOR, START, Ending, InPairs, Mean, Quotient, Shifted
from mcusim.kernels.lanes.means import PAIR_BITS, SUM_BITS, any_line, ends_of, line_of, saturation_of, twice_of
from mcusim.kernels.lanes.pairs import LEAST_PAIR, MOST_PAIR, pairs_end
from mcusim.kernels.lanes.sliding import OneWindow, SideBySide, Window, Windows, Writer
from mcusim.kernels.lanes.windows import Pool, Routines, flattened, pool_of, why_no_window
from mcusim.kernels.lanes.words import FAR, FEW_WORDS, SPARE, Words, words_of_layer
from mcusim.layers.pooling import AveragePooling
from mcusim.numbers.affine import RoundedMean, ScaledMean
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import Numbers
from mcusim.numbers.power_of_two import RoundedAveraging

FEW_TAPS = 4  # of float32, for which code for twice as many words stays in the instruction cache
MOST_TAPS = 16  # that have instructions of their own
HOW_REAL = ("Taps are added in the order of plain C, from one row to the next.",)
HOW = (
    "Numbers of 8 bits are added two in a word, as long as 16 bits hold their sums. Where taps are no 2^n, a line",
    "makes means of sums: (start + sum * factor / 2^n) >> shift has the steps of rounded means, for every sum.",
)


def why_not(layer: AveragePooling, inputs: Inputs) -> str | None:
    if why := why_no_window(layer, inputs):
        return why
    if layer.averaging is None:
        return None
    if isinstance(layer.averaging, RoundedMean | ScaledMean) and layer.dtype.itemsize > 1:
        return "it is for numbers of 8 bits"
    if layer.accumulator_peak > ACCUMULATOR_LIMIT:
        return "it is for sums of 32 bits"
    if layer.numbers is not None and len(set(ends_of(layer.activation, layer.numbers))) == 1:
        return "its means are all the same"  # plain C knows that
    found = _means(layer, inputs[0], words_of_layer(layer, inputs))
    return None if found else "it has no line with the steps of its means"


def means(layer: AveragePooling, inputs: Inputs) -> Pool:
    return known(_means(layer, inputs[0], words_of_layer(layer, inputs)))


@lru_cache(maxsize=128)
def _means(layer: AveragePooling, source: Layer, words: Words) -> Pool | None:
    """None where no line has the steps of the means of all its windows.

    Layers are keys by who they are: what is sought for one is sought once.
    """
    entry, unsigned = source.numbers, bool(reading(source))
    flat, taps = flattened(layer), layer.size[0] * layer.size[1]
    fields = {**(layer.averaging.fields() if layer.averaging else {}), **layer.activation.fields(layer.numbers)}
    if entry is None or layer.numbers is None:
        several = words.several if taps <= FEW_TAPS or taps > MOST_TAPS else FEW_WORDS
        whole = Mean(replace(words, several=several), False, False, Quotient(taps), None, tuple(fields.items()))
        other = replace(whole, words=replace(words, several=FEW_WORDS), ending=Quotient(None))
        return pool_of(flat, words, _routines(whole, other))
    in_pairs = taps * entry.maximum <= MOST_PAIR and taps * entry.minimum >= LEAST_PAIR
    wide = layer.dtype.itemsize == 1 and not in_pairs
    output = Words(words.bits, layer.numbers.minimum >= 0, type(layer.activation)(), None)
    ending = _ending(layer, entry, taps, PAIR_BITS if layer.dtype.itemsize == 1 and not wide else SUM_BITS)
    if ending is None:
        return None
    whole = Mean(output, unsigned, wide, ending, saturation_of(layer, layer.activation), tuple(fields.items()))
    pool = pool_of(flat, output, _routines(whole, None))
    if not pool.complete:
        counts = {rows * columns for rows in pool.rows.taps for columns in pool.columns.taps}
        line = any_line(layer, entry, counts, SUM_BITS if wide or layer.dtype.itemsize > 1 else PAIR_BITS)
        if line is None:
            return None
        pool = pool_of(flat, output, _routines(whole, replace(whole, ending=line)))
    return pool


def _routines(whole: Mean, other: Mean | None) -> Routines:
    return Routines(
        MOST_TAPS,
        lambda windows: side_by_side(whole, windows._replace(words=whole.words)),
        lambda channels, row_bytes: one_window(other, channels, row_bytes) if other else None,
    )


def _ending(layer: AveragePooling, entry: Numbers, taps: int, bits: int) -> Ending | None:
    """Of windows that are whole: without a product, where taps are 2^n."""
    averaging = layer.averaging
    if isinstance(averaging, RoundedAveraging) and taps & (taps - 1) == 0:
        shift = taps.bit_length() - 1 - averaging.shift
        half = 1 << shift >> 1 if averaging.rounding == "nearest" and shift > 0 else 0
        if shift >= 0 and bits == SUM_BITS:
            return Shifted(half, shift)
        end = pairs_end(layer, shift) if shift >= 0 else None
        if end is not None and taps * entry.maximum + end.offset + half <= MOST_PAIR:
            return InPairs(end.offset + half, end)
    found = line_of(layer, entry, taps, bits)
    return twice_of(averaging) if found is None and isinstance(averaging, ScaledMean) else found


@lru_cache(maxsize=256)
def side_by_side(mean: Mean, windows: Windows) -> Timed:
    """Any number of windows that are whole."""
    return _Whole(f"nn_means_{mean.key}_{windows.key}", mean, windows).write()


@lru_cache(maxsize=256)
def one_window(mean: Mean, channels: int, row_bytes: int) -> Window:
    windows = Windows(mean.words, channels, 0, 0, row_bytes, 0)
    return _Any(f"nn_means_in_{mean.key}_{channels}_{row_bytes}", mean, windows).write()


class _Means(Writer):
    KERNEL = "averaged"

    def __init__(self, name: str, mean: Mean, windows: Windows) -> None:
        head = windows.head(name, "means", HOW_REAL if mean.words.real else HOW)
        super().__init__(name, head, windows, mean.together)
        self.mean = mean

    @property
    def fields(self) -> Mapping[str, Any]:
        return {**({"unsigned_input": 1} if self.mean.unsigned else {}), **dict(self.mean.fields)}

    @property
    def kept(self) -> Sequence[tuple[str, str, str]]:
        return () if self.words.real else ((FACTOR, "r10", "of a sum"), (START, "r11", "what is added to it"))

    def tap(self, base: str, offset: int, there: Sequence[int], *, first: bool) -> None:
        self.mean.load(self.a, base, offset, there, first=first)
        self.mean.add(self.a, len(there), first=first)

    def end(self, count: int) -> Sequence[str]:
        self.a.block("Their means")
        return self.mean.end(self.a, count)


class _Whole(_Means, SideBySide):
    MOST_TAPS = MOST_TAPS

    def prepare(self) -> None:
        self.mean.prepare(self.a)

    def from_second_tap(self) -> tuple[str, str]:
        self.a("addw", FAR, "input", imm(self.w.pixel_bytes))
        return FAR, SPARE


class _Any(_Means, OneWindow):
    def prepare(self) -> None:
        self.mean.prepare_any(self.a, "rows", "columns")
