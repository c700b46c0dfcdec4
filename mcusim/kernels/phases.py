"""Transposed convolution as an ordinary one: outputs that lie a stride apart are its channels, and are put in order.

Of the outputs at `stride * q + phase` all read the same window around input q, each phase with taps of its own, and 0
where it has fewer. So one convolution with `phases * filters` channels computes them, in one of the kernels for those,
and a copy takes its channels apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels import direct, patches, pointwise
from mcusim.kernels.calls import renamed
from mcusim.kernels.kernel import DEFAULT, Inputs, Kernel, Variant, known
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.layers import Convolution, TransposedConvolution
from mcusim.layers.planes import NO_DILATION, Pair, plane, shape_like
from mcusim.numbers.affine import Multiplied, Scaled, peak_of
from mcusim.numbers.numbers import Numbers, Rescale
from mcusim.program import KernelCall, LayerCode

NAME = "phases"
SUMMARY = "transposed convolutions in int8 and int16: a convolution of all their phases at once (Cortex-M4)"
ANY_STORAGE = AFFINE = NARROW_WEIGHTS = NEEDS_DSP = True
INNER: Sequence[Kernel] = (pointwise, direct, patches)
ALIGNMENT_BYTES = 8
CODE_BYTES = 90  # of the copy, about
ONCE, ROW, RUN, WORD = 20, 8, 7.5, 2.5  # cycles of the copy: of a row, of a run in it, and of a word of that


@dataclass(frozen=True)
class Axis:
    """`window`: inputs that an output reads, from `first` on around its own. `taps`: (phase, tap, place in the window).

    `count`: positions of the convolution along it.
    """

    phases: int
    first: int
    window: int
    count: int
    taps: tuple[tuple[int, int, int], ...]
    padding: Pair


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, TransposedConvolution):
        return "it is for transposed convolutions"
    if layer.numbers is None or layer.arithmetic is None or layer.numbers.bits != layer.arithmetic.bits:
        return "it is for integers of one width"
    if layer.dilation != NO_DILATION:
        return "it knows no dilation"
    if any(axis is None for axis in _axes(layer)):
        return "its outputs end before its inputs do"
    return None if _fitting(_inner(layer, inputs), inputs) else "no kernel runs the convolution inside"


def cost(layer: TransposedConvolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    inner, (rows, columns, filters) = _inner(layer, inputs), plane(layer.shape)
    kernel = _chosen(inner, inputs)
    runs, words = -(-columns // layer.strides[1]), filters * layer.strides[1] * layer.dtype.itemsize / 4
    return kernel.cost(inner, inputs, DEFAULT, memory) + ONCE + rows * (ROW + runs * (RUN + WORD * words))


def code(layer: TransposedConvolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    inner, (rows, columns, filters) = _inner(layer, inputs), plane(layer.shape)
    made = _chosen(inner, inputs).code(inner, inputs, DEFAULT)
    between = -(-inner.output_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
    named = {"output": "(number_t *)scratch", "scratch": f"(uint8_t *)scratch + {between}"}
    fields: dict[str, Any] = {"rows": rows, "row_numbers": columns * filters, "phases": layer.strides[0]}
    fields |= {"run": layer.strides[1] * filters, "runs": plane(inner.shape)[1]}
    copy = KernelCall("interleaved", ("(const number_t *)scratch", "output"), fields)
    return replace(
        made,
        calls=(*(renamed(call, named) for call in made.calls), copy),
        scratch_bytes=between + made.scratch_bytes,
        code_bytes=made.code_bytes + CODE_BYTES,
    )


# -- the convolution ---------------------------------------------------------------------------------------------------


def _axes(layer: TransposedConvolution) -> list[Axis | None]:
    sizes = zip(
        *(plane(layer.input_shape)[:2], plane(layer.shape)[:2], layer.kernel.shape[1:3], layer.strides, layer.cut),
        strict=True,
    )
    return [_axis(*each) for each in sizes]


def _axis(length: int, made: int, taps: int, stride: int, cut: int) -> Axis | None:
    """Output i gets tap k of input y where y * stride + k - cut = i. None where inputs are left over at an end."""
    every = [
        (phase, tap, (phase + cut - tap) // stride)
        for phase, tap in product(range(stride), range(taps))
        if (phase + cut - tap) % stride == 0
    ]
    first, last = min(place for *_, place in every), max(place for *_, place in every)
    count = -(-made // stride)
    before, behind = -first, count - 1 + last - (length - 1)
    if before < 0 or behind < 0:
        return None
    moved = tuple((phase, tap, place - first) for phase, tap, place in every)
    return Axis(stride, first, last - first + 1, count, moved, (before, behind))


@lru_cache(maxsize=64)
def _inner(layer: TransposedConvolution, inputs: Inputs) -> Convolution:
    rows, columns = (axis for axis in _axes(layer) if axis is not None)
    filters, channels = len(layer.kernel), layer.kernel.shape[3]
    split = np.zeros((rows.phases, columns.phases, filters, rows.window, columns.window, channels), layer.kernel.dtype)
    for (down, row, top), (across, column, left) in product(rows.taps, columns.taps):
        split[down, across, :, top, left] = layer.kernel[:, row, column]
    phases = rows.phases * columns.phases
    kernel = split.reshape(phases * filters, *split.shape[3:])
    flat, entry = kernel.reshape(len(kernel), -1).astype(np.int64), known(inputs[0].numbers)
    bias = np.tile(layer.bias, phases) - layer.zero * flat.sum(axis=1)
    return Convolution(
        name=layer.name,
        inputs=layer.inputs,
        shape=shape_like(len(layer.shape) - 1, rows.count, columns.count, len(kernel)),
        numbers=layer.numbers,
        kernel=kernel,
        bias=bias,
        activation=layer.activation,
        kernel_numbers=_repeated_numbers(layer.kernel_numbers, phases),
        rescale=_repeated(layer.rescale, phases),
        peak_sum=peak_of(flat, bias, entry.minimum, entry.maximum),
        lost_bits=layer.lost_bits,
        zero=layer.zero,
        wider_numbers=layer.wider_numbers,
        input_shape=layer.input_shape,
        padding=(rows.padding, columns.padding),
    )


def _repeated(rescale: Rescale | None, times: int) -> Rescale | None:
    if not isinstance(rescale, Multiplied) or rescale.factors.multipliers.size < 2:
        return rescale
    own = rescale.factors
    factors = replace(own, multipliers=np.tile(own.multipliers, times), shifts=np.tile(own.shifts, times))
    return replace(rescale, factors=factors)


def _repeated_numbers(numbers: Numbers | None, times: int) -> Numbers | None:
    several = isinstance(numbers, Scaled) and len(numbers.scales) > 1
    return replace(numbers, scales=numbers.scales * times) if several else numbers  # type: ignore[union-attr, type-var]


def _fitting(inner: Convolution, inputs: Inputs) -> list[Kernel]:
    return [kernel for kernel in INNER if kernel.fits(inner, inputs) is None]


def _chosen(inner: Convolution, inputs: Inputs) -> Kernel:
    """The cheapest without waits, so that code and cost speak of the same."""
    return min(_fitting(inner, inputs), key=lambda kernel: kernel.cost(inner, inputs, DEFAULT, NO_WAITS))
