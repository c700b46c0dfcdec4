"""Layers of reals, and what some are stored as -> layers of integers, as TensorFlow Lite Micro computes them.

ONNX says what an integer model means, and not how it rounds: onnxruntime scales sums as float32, with halves to even,
and TFLM with multipliers of 31 bits. This is TFLM's arithmetic; a number may be one off onnxruntime's. What has no
arithmetic on integers is computed on reals, which it is given and whose result is stored again: so does onnxruntime.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.layers.add import Add
from mcusim.layers.batch_normalization import BatchNormalization
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.convert import Convert
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.merge import BroadcastAdd, Merge, Multiply, Subtract
from mcusim.layers.planes import NO_PADDING
from mcusim.layers.pointwise import Pointwise
from mcusim.layers.pooling import AveragePooling, Pooling
from mcusim.layers.relu import ReLU
from mcusim.layers.softmax import Softmax
from mcusim.layers.transposed_convolution import TransposedConvolution
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.models.onnx.quantization import Stored
from mcusim.numbers import affine, affine_softmax, affine_wide, affine_wide_softmax
from mcusim.numbers.affine import Affine, FromReals, Scaled, ToReals
from mcusim.numbers.affine_functions import real_function
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import LINEAR, Activation
from mcusim.system.arrays import Array

NARROW = 8  # bits
SUMS = (Convolution, Dense, TransposedConvolution)
# The only numbers of TFLM's softmax, by their bits, and what computes it.
OF_SOFTMAX = {8: (Affine(8, 1 / 256, -128), affine_softmax), 16: (Affine(16, 1 / 32768, 0), affine_wide_softmax)}
FULL = 127.0  # the largest weight
FAR = 0.01  # of integers from what float32 made of them
LARGEST_BIAS = 2**31 - 1


@dataclass(frozen=True)
class Weights:
    """As the file has them: of a sum's kernel, whose scales are one for all or one for each output, and of its bias."""

    scales: Array
    bias: Stored | None


@dataclass
class Integers:
    """`numbers`: what layers are stored in, by name. `weights`: of layers that sum. `ends`: layers of outputs."""

    numbers: dict[str, Affine]
    weights: dict[str, Weights]
    ends: Collection[str]
    made: dict[str, Layer] = field(default_factory=dict)
    reals: list[str] = field(default_factory=list)  # layers that compute with reals, though they are given integers

    def run(self, layers: Sequence[Layer]) -> list[Layer]:
        with np.errstate(all="ignore"):
            merged = self._merged(layers)
            self._store_inputs(merged)
            for layer in merged:
                self._layer(layer)
        return list(self.made.values())

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.reals:
            return ()
        return (f"reals are computed with, as onnxruntime does it, in {', '.join(map(repr, self.reals[:12]))}",)

    # -- what is stored once -------------------------------------------------------------------------------------------

    def _merged(self, layers: Sequence[Layer]) -> list[Layer]:
        """A sum that only a bias or a ReLU reads, and that has no numbers, ends with it."""
        readers = Counter(name for layer in layers for name in layer.inputs)
        kept: dict[str, Layer] = {}
        for layer in layers:
            first = kept.get(layer.inputs[0]) if len(layer.inputs) == 1 else None
            alone = first is not None and readers[first.name] == 1 and first.name not in {*self.numbers, *self.ends}
            both = _both(first, layer) if first is not None and alone else None
            if both is not None and first is not None:
                del kept[first.name]
                if first.name in self.weights:
                    self.weights[layer.name] = _rescaled(self.weights.pop(first.name), layer)
            kept[layer.name] = both or layer
        return list(kept.values())

    def _store_inputs(self, layers: Sequence[Layer]) -> None:
        """An input that is only read between bounds has the numbers that it then has."""
        readers = Counter(name for layer in layers for name in layer.inputs)
        inputs = {layer.name for layer in layers if layer.INPUT}
        for layer in layers:
            first = layer.inputs[0] if isinstance(layer, ReLU) and layer.name in self.numbers else ""
            if first in inputs and readers[first] == 1 and first not in self.numbers:
                self.numbers[first] = self.numbers[layer.name]

    # -- one layer -----------------------------------------------------------------------------------------------------

    def _layer(self, layer: Layer) -> None:
        out = self.numbers.get(layer.name)
        if layer.INPUT:
            self.made[layer.name] = replace(layer, numbers=out)
            return
        entries = [self._of(name) for name in layer.inputs]
        if any(entry is not None for entry in entries):
            if layer.KEEPS_NUMBERS and entries[0] is not None and len(entries) == 1:
                self._stored(replace(layer, numbers=entries[0]), out)
                return
            made = self._integer(layer, entries, out)
            if made is not None and out is not None:
                self._stored(made, out)
                return
            if out is not None and layer.macs:
                self.reals.append(layer.name)
        self._real(layer, out)

    def _integer(self, layer: Layer, entries: Sequence[Affine | None], out: Affine | None) -> Layer | None:
        convert = next((made for kind, made in INTEGERS.items() if isinstance(layer, kind)), None)
        known = [entry for entry in entries if entry is not None]
        if convert is None or out is None or len(known) < len(entries):
            return None
        return convert(layer, Call(known, out, self.weights.get(layer.name)))

    def _of(self, name: str) -> Affine | None:
        numbers = self.made[name].numbers
        return numbers if isinstance(numbers, Affine) else None

    def _stored(self, made: Layer, out: Affine | None) -> None:
        """In the numbers that it has now, or in those that it should have."""
        have = made.numbers
        if out is None or have == out or not isinstance(have, Affine):
            self.made[made.name] = made
            return
        inner = self._add(replace(made, name=self._unique(f"{made.name}_as_read")))
        self._convert(made.name, inner, affine.conversion(have, out), out)

    def _real(self, layer: Layer, out: Affine | None) -> None:
        """On reals, made of what is stored; the result is stored again where it has numbers."""
        inputs = tuple(self._as_real(name) for name in layer.inputs)
        if out is None:
            self.made[layer.name] = replace(layer, inputs=inputs)
            return
        inner = self._add(replace(layer, name=self._unique(f"{layer.name}_real"), inputs=inputs))
        self._convert(layer.name, inner, FromReals(out), out)

    def _as_real(self, name: str) -> str:
        entry = self._of(name)
        if entry is None:
            return name
        real = f"{name}_as_real"
        if real not in self.made:
            self._convert(real, self.made[name], ToReals(entry), None)
        return real

    def _convert(self, name: str, source: Layer, how: Any, out: Affine | None) -> None:
        self._add(Convert(name=name, inputs=(source.name,), shape=source.shape, conversion=how, numbers=out))

    def _add(self, layer: Layer) -> Layer:
        self.made[layer.name] = layer
        return layer

    def _unique(self, name: str) -> str:
        while name in self.made or name in self.numbers:
            name += "_"
        return name


def _both(first: Layer, second: Layer) -> Layer | None:
    if isinstance(second, ReLU) and isinstance(first, (WeightedSum, Pooling, Add, Merge, ReLU)):
        both = _both_bounds(first.activation, second.activation)
        return replace(first, name=second.name, activation=both) if both is not None else None
    if not isinstance(second, BatchNormalization) or not isinstance(first, SUMS) or first.activation != LINEAR:
        return None
    if len(second.bias) != len(first.bias):
        return None
    kernel = (first.kernel * second.kernel.reshape(-1, *(1,) * (first.kernel.ndim - 1))).astype(np.float32)
    bias = (first.bias * second.kernel + second.bias).astype(np.float32)
    return replace(first, name=second.name, kernel=kernel, bias=bias, has_bias=True)


def _both_bounds(first: Activation, second: Activation) -> Activation | None:
    """One after the other, as far as they overlap."""
    if first == LINEAR:
        return second
    floor = max(first.floor, second.floor)
    ceilings = [one.ceiling for one in (first, second) if one.ceiling is not None]
    if ceilings and min(ceilings) <= floor:
        return None
    return Activation(relu=True, ceiling=min(ceilings) if ceilings else None, floor=floor)


def _rescaled(weights: Weights, by: Layer) -> Weights:
    """A batch normalization behind a sum changes the scale of each channel's weights."""
    if not isinstance(by, BatchNormalization) or (by.kernel == 1).all():
        return weights
    factors = np.where(by.kernel == 0, 1.0, np.abs(by.kernel.astype(np.float64)))
    return Weights(weights.scales.astype(np.float64) * factors, None)


# -- layers on integers ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """Of a layer of reals between numbers: those of its inputs, and of its output."""

    entries: Sequence[Affine]
    out: Affine
    weights: Weights | None


def _sum(layer: WeightedSum, call: Call) -> Layer | None:
    """None where the file has no integers for the weights."""
    entry = call.entries[0]
    if call.weights is None or call.weights.scales.size not in (1, len(layer.kernel)):
        return None
    scales = call.weights.scales.astype(np.float64)
    reals = layer.kernel / scales.reshape(-1, *(1,) * (layer.kernel.ndim - 1))
    kernel = np.rint(reals)
    if np.abs(kernel + 0.5).max(initial=0) > _largest(entry.bits) or np.abs(reals - kernel).max(initial=0) > FAR:
        return None  # without a sign, and zero far off the middle; wider than the inputs; or times something
    return _summed(layer, kernel, _bias(layer.bias, call.weights.bias, entry.scale * scales), scales, call)


def _summed(layer: WeightedSum, kernel: Array, bias: Array, scales: Array, call: Call) -> WeightedSum | None:
    """`bias`: whole numbers, of any size or none at all. None where 32 bits do not hold them.

    Weights lie in 8 bits where these hold them. TFLM sums 16 bits in 64, with multipliers of 15: only where it has to.
    """
    entry = call.entries[0]
    if not (np.abs(bias) <= LARGEST_BIAS).all() or entry.bits != call.out.bits:
        return None
    is_narrow = np.abs(kernel + 0.5).max(initial=0) <= _largest(NARROW)
    numbers = Scaled(NARROW if is_narrow else entry.bits, tuple(map(float, scales)))
    kernel, fold = kernel.astype(numbers.dtype), not isinstance(layer, TransposedConvolution)
    rows, start = kernel.reshape(len(kernel), -1).astype(np.int64), bias.astype(np.int64)
    is_long = entry.bits > NARROW and affine.peak_of(rows, start, entry.minimum, entry.maximum) > ACCUMULATOR_LIMIT
    factors = affine.sum_factors(entry, numbers, call.out, long=is_long)
    made = affine.weighted_sum(kernel, start, numbers, entry, call.out, factors, fold=fold)
    wider = entry if entry.bits > numbers.bits else None
    return replace(layer, **{**vars(made), "zero": entry.zero, "wider_numbers": wider})


def _largest(bits: int) -> float:
    """Of an integer, counted from the middle of all."""
    return 2.0 ** (bits - 1) - 0.5


def _bias(reals: Array, stored: Stored | None, scales: Array) -> Array:
    """Those of the file, where they have the scale of the sums; float32 does not hold all of these. Float64."""
    if stored is not None and stored.integers.size == reals.size:
        told, exact = stored.integers.reshape(-1), np.allclose(stored.scales, scales, rtol=1e-5, atol=0)
        if exact and np.allclose(told * scales, reals, rtol=1e-3, atol=float(scales.max())):
            return told.astype(np.float64)
    return np.rint(reals.astype(np.float64) / scales)


def _average(layer: AveragePooling, call: Call) -> Layer | None:
    """With its input's numbers, or, where all windows are full, straight to the output's."""
    entry = call.entries[0]
    count = layer.size[0] * layer.size[1]
    if entry == call.out:
        return replace(layer, numbers=entry, averaging=affine.averaging(entry, count))
    if layer.padding == NO_PADDING:
        return replace(layer, numbers=call.out, averaging=affine.mean(entry, call.out, count))
    if layer.activation != LINEAR:
        return None
    return replace(layer, numbers=entry, averaging=affine.averaging(entry, count))


def _addition(layer: Add | BroadcastAdd | Subtract, call: Call) -> Layer:
    return replace(layer, numbers=call.out, addition=affine.addition(call.entries, call.out))


def _product(layer: Multiply, call: Call) -> Layer:
    return replace(layer, numbers=call.out, product=affine.product(call.entries[0], call.entries[1], call.out))


def _concatenate(layer: Concatenate, call: Call) -> Layer:
    conversions = tuple(affine.conversion(entry, call.out) for entry in call.entries)
    return replace(layer, numbers=call.out, conversions=conversions)


def _pointwise(layer: Pointwise, call: Call) -> Layer | None:
    """All 256 results. Of 16 bits leaky ReLU alone, which TFLM computes for any scales."""
    (entry,), out, function = call.entries, call.out, layer.function
    if entry.bits == out.bits == NARROW:
        return replace(layer, numbers=out, lookup=real_function(entry, out, function.exact))
    if function.name != "leaky_relu" or entry.bits != out.bits:
        return None
    return replace(layer, numbers=out, lookup=affine_wide.leaky_relu(entry, out, function.parameters[0]))


def _softmax(layer: Softmax, call: Call) -> Layer:
    numbers, of = OF_SOFTMAX[call.entries[0].bits]
    return replace(layer, numbers=numbers, softmaxing=of.softmax(call.entries[0], numbers))


def _scaled(layer: BatchNormalization, call: Call) -> Layer | None:
    """Factors of channels are 127 or -127, each at its own scale; one for all only changes that of the input."""
    entry = call.entries[0]
    factor = float(layer.kernel[0])
    if factor > 0 and (layer.kernel == layer.kernel[0]).all() and not layer.bias.any() and layer.activation == LINEAR:
        how = affine.conversion(replace(entry, scale=float(np.float32(entry.scale * factor))), call.out)
        return Convert(name=layer.name, inputs=layer.inputs, shape=layer.shape, numbers=call.out, conversion=how)
    scales = np.where(layer.kernel == 0, 1.0, np.abs(layer.kernel.astype(np.float64)) / FULL)
    return _summed(layer, np.sign(layer.kernel) * FULL, _bias(layer.bias, None, entry.scale * scales), scales, call)


INTEGERS: Mapping[type[Layer], Callable[[Any, Call], Layer | None]] = {
    Add: _addition,
    AveragePooling: _average,
    BatchNormalization: _scaled,
    BroadcastAdd: _addition,
    Concatenate: _concatenate,
    Convolution: _sum,
    Dense: _sum,
    Multiply: _product,
    Pointwise: _pointwise,
    Softmax: _softmax,
    Subtract: _addition,
    TransposedConvolution: _sum,
}
