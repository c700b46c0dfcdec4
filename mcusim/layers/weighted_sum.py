"""What Dense, convolutions and batch normalization share: sums of weight x input, their formats and their proof.

A weighted sum starts from its bias, which is stored at the scale of the accumulator (input fraction + weight fraction)
with the rounding of the final shift already in it, so that rounding costs nothing on the board.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mcusim.graph import Layer
from mcusim.layers.activation import LINEAR, Activation
from mcusim.numbers.power_of_two import (
    ACCUMULATOR_LIMIT,
    Array,
    Format,
    encode,
    format_for,
    quantize_values,
    rounding_term,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcusim.line.lower import Constant
    from mcusim.line.quantize import Scheme

BIAS_BITS = 62  # formats of a bias: 64-bit accumulators keep two bits of head-room
LARGEST_SHIFT = 31  # of a 32-bit accumulator
W = TypeVar("W", bound="WeightedSum")


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightedSum(Layer):
    """A layer that sums weight x input. `kernel`: (outputs, ...), a row for each output channel; `bias`: (outputs,)."""

    kernel: Array
    bias: Array
    activation: Activation = LINEAR
    has_bias: bool = True
    kernel_format: Format | None = None
    shift: int = 0  # from the accumulator's scale to the output's
    rounding: int = 0  # added before the shift
    peak_sum: int = 0

    @property
    def weights(self) -> Mapping[str, Array]:
        return {"kernel": self.kernel, "bias": self.bias} if self.has_bias else {"kernel": self.kernel}

    @property
    def accumulator_peak(self) -> int:
        return self.peak_sum

    def finish(self, sums: Array) -> Array:
        """Sums of products, without bias -> output."""
        if self.format is None:
            return self.activation.apply(sums + self.bias)
        return self.activation.finish(sums.astype(np.int64) + self.bias + self.rounding, self.shift, self.format)

    def sum_parameters(self) -> dict[str, Any]:
        """Fields of the kernel's parameter struct that say how a sum becomes an output."""
        return {**({"shift": self.shift} if self.shift else {}), **self.activation.parameters(self.format)}

    def constants(self) -> tuple[Constant, ...]:
        """Kernel and bias as the C sees them."""
        from mcusim.line.lower import Constant

        return (
            Constant("kernel", "number_t", self.kernel, self.kernel_format),
            Constant("bias", "accumulator_t", self.bias + self.rounding if self.format else self.bias),
        )

    def quantize(self: W, scheme: Scheme, inputs: tuple[Format, ...], peak: float) -> W:
        out, entry = scheme.format(peak), inputs[0]
        if scheme.fraction is not None:
            return _quantized(self, scheme, entry, out, out.fraction)
        widest = format_for(float(np.abs(self.kernel).max(initial=0.0)), scheme.bits).fraction
        fraction = min(widest, LARGEST_SHIFT + out.fraction - entry.fraction)
        while True:
            # Fewer fraction bits in the output where the sum has no more; fewer in the weights until the proof holds.
            fitted = Format(out.bits, min(out.fraction, entry.fraction + fraction))
            layer = _quantized(self, scheme, entry, fitted, fraction)
            if layer.peak_sum <= ACCUMULATOR_LIMIT:
                return layer
            fraction -= 1


def _quantized(layer: W, scheme: Scheme, entry: Format, out: Format, fraction: int) -> W:
    """The layer with weights of the given fraction, and the bound of its accumulator for the worst input."""
    kernel_format = Format(scheme.bits, fraction)
    kernel = encode(layer.kernel, kernel_format, scheme.rounding)
    shift = entry.fraction + fraction - out.fraction
    rounding = rounding_term(shift, scheme.rounding)
    bias = quantize_values(layer.bias, Format(BIAS_BITS, entry.fraction + fraction), scheme.rounding)
    rows = np.abs(kernel.reshape(len(kernel), -1).astype(np.int64)).sum(axis=1)
    peak = int((rows * -entry.minimum + np.abs(bias)).max(initial=0)) + rounding
    return replace(
        layer,
        kernel=kernel,
        bias=bias,
        kernel_format=kernel_format,
        format=out,
        shift=shift,
        rounding=rounding,
        peak_sum=peak,
    )
