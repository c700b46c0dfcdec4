"""Weighted sums -> CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, TRANSPOSE_CONV.

A layer holds its sums as they are computed: what the input's zero adds is in the bias. A file holds the bias without.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import BatchNormalization, Convolution, Dense, PReLU, TransposedConvolution
from mcusim.layers.planes import NO_DILATION, plane, reach, same_padding
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.models.tflite.sums import INT32, SAME, VALID
from mcusim.models.tflite.writing.sheet import PER_CHANNEL, REALS, Sheet, Writer
from mcusim.models.tflite.writing.windows import cut, padded
from mcusim.numbers.affine import Affine, Multiplied, Scaled, sum_factors
from mcusim.numbers.affine_wide import scaled_slopes
from mcusim.numbers.factors import Factors
from mcusim.numbers.numbers import LINEAR
from mcusim.system.arrays import Array

QUARTER = (1 << 30, -1)  # factor of a sum that is the same for all inputs, see `weighted_sum`
WEIGHT_BITS = 8


@dataclass(frozen=True)
class Sums:
    """`kernel` (outputs, ...) and `bias` (outputs,) as a file holds them; `scales` of the kernel, none of reals.

    `long`: TFLM sums in 64 bits.
    """

    kernel: Array
    bias: Array
    entry: Affine | None = None
    scales: tuple[float, ...] = ()
    long: bool = False

    def weights(self, sheet: Sheet, kernel: Array, axis: int = 0) -> int:
        """`kernel` in the order of the operator, its outputs along `axis`."""
        if not self.scales:
            return sheet.constant("kernel", kernel)
        told = {"scales": self.scales, "zeros": (0,) * len(self.scales), "axis": axis if len(self.scales) > 1 else 0}
        return sheet.constant("kernel", kernel, "int8", **told)

    def added(self, sheet: Sheet) -> int:
        if self.entry is None:
            return sheet.constant("bias", self.bias)
        scales = tuple(float(np.float32(self.entry.scale * scale)) for scale in self.scales)
        told = {"scales": scales, "zeros": (0,) * len(scales)}
        return sheet.constant("bias", self.bias, "int64" if self.long else "int32", **told)

    @property
    def options(self) -> dict[str, float]:
        """With inputs of 16 bits an operator is told which sums it has, where they are not the usual ones."""
        short = self.entry is not None and self.entry.bits == 16 and not self.long
        return {"quantized_bias_type": INT32} if short else {}


def summed(sheet: Sheet, layer: WeightedSum, *, fold: bool = True) -> Sums:
    """`fold`: see `weighted_sum`. Raises ModelError for sums that TFLite has not."""
    entry, out = sheet.numbers(), sheet.out
    if entry is None or out is None:
        return Sums(layer.kernel.astype(np.float32), layer.bias.astype(np.float32))
    if not isinstance(layer.rescale, Multiplied) or not isinstance(layer.kernel_numbers, Scaled):
        raise sheet.refused(f"has weights of {layer.kernel_numbers}", PER_CHANNEL)
    if np.abs(layer.kernel.astype(np.int64)).max(initial=0) > 1 << (WEIGHT_BITS - 1):
        raise sheet.refused("has weights of more than 8 bits", PER_CHANNEL)
    if entry.bits == 16 and (entry.zero or out.zero):
        raise sheet.refused("has numbers of 16 bits whose zero is not 0", PER_CHANNEL)
    scales, long = _scales(sheet, layer, entry, out)
    rows = layer.kernel.reshape(len(layer.kernel), -1).astype(np.int64)
    bias = layer.bias.astype(np.int64) + (entry.zero * rows.sum(axis=1) if fold else 0)
    if np.abs(bias).max(initial=0) >= 1 << 31 and not long:
        raise sheet.refused("has a bias of more than 32 bits", PER_CHANNEL)
    return Sums(layer.kernel.astype(np.int8), bias, entry, scales, long)


def _scales(sheet: Sheet, layer: WeightedSum, entry: Affine, out: Affine) -> tuple[tuple[float, ...], bool]:
    """Of weights, whose factors are those of the layer, and whether these are those of long sums."""
    assert isinstance(layer.rescale, Multiplied) and isinstance(layer.kernel_numbers, Scaled)
    factors, count = layer.rescale.factors, len(layer.kernel)
    told = np.array(layer.kernel_numbers.scales, np.float32).astype(np.float64)
    for long in (False, True) if out.bits == 16 else (False,):
        wrong = _differ(factors, told, entry, out, count, long)
        if not wrong.any():
            return tuple(map(float, told)), long
        quarter = _is_quarter(factors, count) & (not long)
        if not (wrong & ~quarter).any():
            alone = np.float64(np.float32(out.scale / entry.scale / 4))
            return tuple(map(float, np.where(wrong, alone, np.broadcast_to(told, count)))), False
    raise sheet.refused("rescales its sums otherwise than TFLite does", PER_CHANNEL)


def _differ(factors: Factors, scales: Array, entry: Affine, out: Affine, count: int, long: bool) -> Array:
    """Outputs whose factor another scale would have."""
    made = sum_factors(entry, Scaled(WEIGHT_BITS, tuple(map(float, scales))), out, long=long)
    wrong = np.full(count, made.is_once != factors.is_once)
    if made.multipliers.size == 0 or factors.multipliers.size == 0:
        return np.full(count, True)
    return np.asarray(wrong | (made.multipliers != factors.multipliers) | (made.shifts != factors.shifts))


def _is_quarter(factors: Factors, count: int) -> Array:
    multiplier, shift = QUARTER
    return np.broadcast_to((factors.multipliers == multiplier) & (factors.shifts == shift), count)


def convolution(sheet: Sheet, layer: Convolution) -> None:
    made, shape = summed(sheet, layer), plane(layer.input_shape)
    _, rows, columns, _ = layer.kernel.shape
    reached = reach((rows, columns), layer.dilation)
    source, padding = padded(sheet, shape, reached, layer.strides, layer.padding)
    options: dict[str, float] = {
        **{"padding": padding, "stride_h": layer.strides[0], "stride_w": layer.strides[1]},
        **{"dilation_h": layer.dilation[0], "dilation_w": layer.dilation[1]},
    }
    output = (1, *plane(layer.shape))
    if 1 < layer.groups == shape[2]:
        if made.options:
            raise sheet.refused("sums each channel of 16 bits in 32 bits", PER_CHANNEL)
        kernel = np.ascontiguousarray(made.kernel.transpose(3, 1, 2, 0))
        inputs = (source, made.weights(sheet, kernel, 3), made.added(sheet))
        options["depth_multiplier"] = len(made.kernel) // shape[2]
        sheet.end("DEPTHWISE_CONV_2D", inputs, output, layer.activation, **options)
        return
    inputs = (source, made.weights(sheet, made.kernel), made.added(sheet))
    sheet.end("CONV_2D", inputs, output, layer.activation, **options, **made.options)


def dense(sheet: Sheet, layer: Dense) -> None:
    made = summed(sheet, layer)
    inputs = [sheet.view(0, layer.kernel.shape[1:]), made.weights(sheet, made.kernel)]
    inputs += [made.added(sheet)] if layer.has_bias else []
    sheet.end("FULLY_CONNECTED", inputs, (1, *layer.shape), layer.activation, **made.options)


def transposed(sheet: Sheet, layer: TransposedConvolution) -> None:
    """Without the cut of SAME it is computed whole, and cut behind."""
    if layer.dilation != NO_DILATION:
        raise sheet.refused("has a dilation", "use strides, or another layer")
    made, (height, width, channels) = summed(sheet, layer, fold=False), plane(layer.input_shape)
    _, rows, columns, _ = layer.kernel.shape
    shape, strides = plane(layer.shape), layer.strides
    padding = same_padding(shape, (rows, columns), strides)
    count = [-(-size // stride) for size, stride in zip(shape[:2], strides, strict=True)]
    is_same = (padding[0][0], padding[1][0]) == layer.cut and count == [height, width]
    least = [(n - 1) * stride + k for n, stride, k in zip((height, width), strides, (rows, columns), strict=True)]
    whole = [max(low, cut + n) for low, cut, n in zip(least, layer.cut, shape[:2], strict=True)]
    if not is_same and any(n >= low + stride for n, low, stride in zip(whole, least, strides, strict=True)):
        raise sheet.refused("has rows or columns that no window reaches", "use a smaller output_padding")
    output = (1, *(shape[:2] if is_same else whole), shape[2])
    inputs = [sheet.integers(output), made.weights(sheet, made.kernel), sheet.view(0, (height, width, channels))]
    inputs += [made.added(sheet)] if layer.has_bias else []
    options = {"padding": SAME if is_same else VALID, "stride_h": strides[0], "stride_w": strides[1]}
    tensor = sheet.op("TRANSPOSE_CONV", inputs, output, sheet.out, **options, **made.options)
    if not is_same:
        tensor = cut(sheet, tensor, (0, *layer.cut, 0), (1, *shape))
    sheet.done(sheet.limited(tensor, layer.activation))


def scaling(sheet: Sheet, layer: BatchNormalization) -> None:
    """A factor and an offset for each channel, as a depthwise convolution of one tap."""
    made = summed(sheet, layer)
    if made.options:
        raise sheet.refused("sums each channel of 16 bits in 32 bits", PER_CHANNEL)
    channels = layer.shape[-1]
    shape = (1, layer.elements // channels, channels)
    kernel = made.kernel.reshape(1, 1, 1, channels)
    inputs = (sheet.view(0, shape), made.weights(sheet, kernel, 3), made.added(sheet))
    options: dict[str, Any] = {"padding": VALID, "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1}
    sheet.end("DEPTHWISE_CONV_2D", inputs, (1, *shape), layer.activation, **options, depth_multiplier=1)


def slopes(sheet: Sheet, layer: PReLU) -> None:
    shape = layer.shape[-1:] if layer.slopes == layer.shape[-1] else layer.shape
    if sheet.out is None:
        alphas = sheet.constant("slopes", layer.kernel.astype(np.float32).reshape(shape))
    else:
        alphas = _integer_slopes(sheet, layer, shape)
    tensor = sheet.op("PRELU", (sheet.view(0, layer.shape), alphas), (1, *layer.shape), sheet.out)
    sheet.done(tensor if layer.activation == LINEAR else sheet.limited(tensor, layer.activation))


def _integer_slopes(sheet: Sheet, layer: PReLU, shape: Shape) -> int:
    """As int8, with a zero that brings them there."""
    entry, out, numbers = sheet.numbers(), sheet.out, layer.kernel_numbers
    if layer.slopes_of_file is None or entry is None or out is None or not isinstance(numbers, Scaled):
        raise sheet.refused("has integer slopes, which TFLite rounds otherwise", f"use LeakyReLU, or {REALS}")
    sheet.demand(layer.slopes_of_file, scaled_slopes(entry, out, numbers.scales[0]), "rescales")
    zero = int(np.clip(-128 - int(layer.kernel.min()), -128, 127))
    stored = layer.kernel.astype(np.int64) + zero
    return sheet.constant("slopes", stored.reshape(shape), "int8", scales=numbers.scales, zeros=(zero,))


WRITERS: Mapping[type, Writer] = {
    BatchNormalization: scaling,
    Convolution: convolution,
    Dense: dense,
    PReLU: slopes,
    TransposedConvolution: transposed,
}
