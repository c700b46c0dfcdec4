"""Depthwise convolution: 4 channels at a time as planes; in those of integers two columns are multiplied at once."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from mcusim.graph import Layer
from mcusim.kernels.calls import window_fields
from mcusim.kernels.depthwise.shape import shape_of
from mcusim.kernels.depthwise.window import MOST_TAPS
from mcusim.kernels.finish import ending_of
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, stripes
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, plane
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import KernelCall, LayerCode

NAME = "depthwise"
SUMMARY = "depthwise convolutions, windows up to 7 x 7, of integers two columns a multiplication (Cortex-M4F)"
ANY_STORAGE = AFFINE = NARROW_WEIGHTS = NEEDS_DSP = True
CODE_BYTES = 400  # of the C around, about
MOST_STRIDE, LONGEST = 2, 64  # taps: of a series of integers


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution) or layer.groups != plane(layer.input_shape)[2]:
        return "it is for depthwise convolutions"
    ending = ending_of(layer, doubled=True)
    if layer.kernel_numbers is not None and (ending is None or layer.peak_sum > ACCUMULATOR_LIMIT):
        return "it is for sums of 32 bits"
    layer = lying(layer)
    if layer.dilation != NO_DILATION:
        return "its taps lie side by side"
    if max(layer.kernel.shape[1:3]) == 1:
        return "a window of one tap has nothing to share"
    is_series = layer.kernel_numbers is not None and plane(layer.input_shape)[0] == layer.kernel.shape[1] == 1
    if max(layer.kernel.shape[1:3]) > (LONGEST if is_series else MOST_TAPS) or max(layer.strides) > MOST_STRIDE:
        return f"it is for windows up to {MOST_TAPS} x {MOST_TAPS} and strides up to {MOST_STRIDE}"
    return shape_of(layer, inputs).why_not


@lru_cache(maxsize=64)
def lying(layer: Convolution) -> Convolution:
    """Integers of a map of one column are as well one row, of which two are multiplied at once."""
    (height, width, channels), (rows, columns, filters) = plane(layer.input_shape), plane(layer.shape)
    upright = height > 1 == width == columns == layer.kernel.shape[2] and not any(layer.padding[1])
    if layer.kernel_numbers is None or not upright:
        return layer
    return replace(
        layer,
        input_shape=(1, height, channels),
        shape=(1, rows, filters),
        strides=layer.strides[::-1],
        padding=layer.padding[::-1],
        dilation=layer.dilation[::-1],
        kernel=layer.kernel.transpose(0, 2, 1, 3),
    )


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    return stripes(plane(lying(layer).shape)[0], 1)


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    return shape_of(lying(layer), inputs, variant.stripes).cycles(memory)


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    layer = lying(layer)
    shape = shape_of(layer, inputs, variant.stripes)
    fields = window_fields(layer.input_shape, layer.shape, layer.kernel.shape[1:3], layer.strides, layer.padding)
    own: dict[str, Any] = {**fields, **shape.fields()}
    call = KernelCall("convolution_depthwise", ("input", "output", "scratch", "kernel", "bias"), own)
    return LayerCode(
        (call,),
        shape.constants,
        shape.scratch_bytes,
        routines=shape.routines,
        code_bytes=CODE_BYTES,
        turns=(shape.turns,),
    )
