"""Pools with channels side by side in words: which fit, what they cost, and their calls."""

from __future__ import annotations

from mcusim.kernels.calls import Fields, one, reading, window_fields
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.averages import Way, average_cycles
from mcusim.kernels.lanes.costs import storage_of
from mcusim.kernels.lanes.pairs import MOST_PAIR, WORD_BYTES, end_fields, pairs_end
from mcusim.kernels.lanes.reciprocal import reciprocal
from mcusim.kernels.lanes.windows import axis_of, flattened
from mcusim.kernels.memory import Memory
from mcusim.layers.planes import plane, shape_like
from mcusim.layers.pooling import AveragePooling, MaxPooling, Pooling
from mcusim.numbers.affine import RoundedMean, ScaledMean
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.power_of_two import RoundedAveraging
from mcusim.program import LayerCode

OWN = RoundedMean | ScaledMean  # what C computes as the number system says


def why_no_window(layer: Pooling, inputs: Inputs) -> str | None:
    if layer.shape[-1] == 1 and isinstance(layer, MaxPooling):
        return "it takes several channels at a time"  # one of float32 costs more than in plain C
    if layer.shape[-1] * inputs[0].dtype.itemsize < WORD_BYTES:
        return "it takes a word of channels at a time"
    pool = flattened(layer)
    axes = [
        axis_of(*of_axis)
        for of_axis in zip(
            pool.size,
            pool.strides,
            (before for before, _ in pool.padding),
            plane(pool.input_shape),
            pool.output_plane,
            strict=False,
        )
    ]
    return "windows lie wholly in the padding" if any(min(axis.taps) <= 0 for axis in axes) else None


def why_no_average(layer: AveragePooling, inputs: Inputs) -> str | None:
    if layer.averaging is None:
        return why_no_window(layer, inputs)
    if isinstance(layer.averaging, OWN):
        return why_no_window(layer, inputs) if layer.dtype.itemsize == 1 else "it is for numbers of 8 bits"
    if not isinstance(layer.averaging, RoundedAveraging) or layer.accumulator_peak > ACCUMULATOR_LIMIT:
        return "it is for sums of 32 bits"
    if _division(layer, inputs) is None:
        return "it has no exact reciprocal for its windows"
    return why_no_window(layer, inputs)


def average_pooling(layer: AveragePooling, inputs: Inputs) -> LayerCode:
    fields = _fields(layer, inputs)
    if isinstance(layer.averaging, OWN):
        fields |= {**layer.averaging.fields(), **_taps_in_pairs(layer, inputs)}
    elif layer.averaging is not None:
        division, own = _division(layer, inputs), layer.averaging.fields()
        assert division is not None
        fields |= {**own, **division, **_sums(layer, inputs)}
    return one("average_pooling_lanes", fields)


def average_cost(layer: AveragePooling, inputs: Inputs, memory: Memory) -> float:
    return average_cycles(flattened(layer), _way(layer, inputs), memory)


def _way(layer: AveragePooling, inputs: Inputs) -> Way:
    limits = "limited" if layer.activation.relu else "linear"
    taps = layer.size[0] * layer.size[1]
    is_power = taps & (taps - 1) == 0  # by which the compiler shifts, or multiplies reals
    if layer.averaging is None:
        return Way(0, "multiplied" if is_power else "divided", limits)
    if isinstance(layer.averaging, OWN):
        if layer.activation.relu and layer.averaging.numbers.zero == 0:
            limits = "positive"  # saturation does for this limit
        if isinstance(layer.averaging, ScaledMean):
            return Way("scaled", "scaled", limits)
        return Way("rounded", "halved" if taps == 2 else "rounded by shifts" if is_power else "rounded", limits)
    division = _division(layer, inputs) or {}
    kind = "reciprocal" if "reciprocal" in division else "added to and shifted" if "offset" in division else "shifted"
    return Way(storage_of(layer), "pair" if "pair_bits" in _sums(layer, inputs) else kind, limits)


def _division(layer: AveragePooling, inputs: Inputs) -> Fields | None:
    """How sums of whole windows become means."""
    averaging, (least, most) = layer.averaging, _limits(inputs)
    assert isinstance(averaging, RoundedAveraging)
    count = layer.size[0] * layer.size[1]
    half = count // 2 if averaging.rounding == "nearest" else 0
    if count & (count - 1) == 0:
        fields = {"offset": half, "reciprocal_shift": count.bit_length() - 1}
    else:
        found = reciprocal(count, (least * count << averaging.shift) + half, (most * count << averaging.shift) + half)
        if found is None:
            return None
        fields = {"offset": half + found.base * count, "reciprocal": found.factor}
        fields |= {"reciprocal_shift": found.shift, "base": found.base}
    return {name: value for name, value in fields.items() if value}


def _sums(layer: AveragePooling, inputs: Inputs) -> Fields:
    """Of numbers of 8 bits: in 16 bits, as long as these hold them."""
    averaging = layer.averaging
    assert isinstance(averaging, RoundedAveraging)
    if inputs[0].dtype.itemsize > 1:
        return {}
    if several := _taps_in_pairs(layer, inputs):
        return several
    count, most = layer.size[0] * layer.size[1], _limits(inputs)[1]
    shift = count.bit_length() - 1 - averaging.shift
    end = pairs_end(layer, shift) if count & (count - 1) == 0 and shift >= 0 else None
    if end is None:
        return {}
    start = end.offset + (1 << shift >> 1 if averaging.rounding == "nearest" else 0)
    return {"start": start, **end_fields(end)} if count * most + start <= MOST_PAIR else {}


def _taps_in_pairs(layer: AveragePooling, inputs: Inputs) -> Fields:
    """Nothing where 16 bits hold the sum of a window."""
    least, most = _limits(inputs)
    taps = MOST_PAIR // max(-least, most)
    return {"taps_in_pairs": taps} if layer.size[0] * layer.size[1] > taps else {}


def _limits(inputs: Inputs) -> tuple[int, int]:
    numbers = inputs[0].numbers
    assert numbers is not None
    return numbers.minimum, numbers.maximum


def _fields(layer: Pooling, inputs: Inputs) -> Fields:
    flat = flattened(layer)
    output = shape_like(len(flat.input_shape) - 1, *flat.output_plane, layer.shape[-1])
    fields = window_fields(flat.input_shape, output, flat.size, flat.strides, flat.padding)
    del fields["output_channels"]  # as many as the input has
    overhang = {"overhang": 1} if any(map(any, layer.padding)) else {}
    return {**fields, **overhang, **reading(inputs[0]), **layer.activation.fields(layer.numbers)}
