"""LSTM on affine numbers of a file: sums over inputs and states have scales of their own, as TFLM computes them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.affine_lstm import ScaledCells
from mcusim.numbers.numbers import Numbers, Range, Scheme
from mcusim.system.arrays import Array

GATES = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaledLSTM(Layer):
    """Input (steps, features), output (steps, units): the state of each step, which begins with what stands for 0.

    Rows of `kernel` (4 units, features) and `recurrent` (4 units, units) are those of the gates input, forget,
    candidate and output. Biases are at the scales of the sums, with all that the zeros of inputs and states add to
    them.
    """

    kernel: Array
    recurrent: Array
    bias: Array
    recurrent_bias: Array
    kernel_numbers: Numbers
    cells: ScaledCells

    @property
    def kind(self) -> str:
        return "LSTM"

    @property
    def weight_numbers(self) -> Numbers | None:
        return self.kernel_numbers

    @property
    def units(self) -> int:
        return int(self.recurrent.shape[1])

    @property
    def macs(self) -> int:
        return self.shape[0] * (self.kernel.size + self.recurrent.size)

    @property
    def weights(self) -> Mapping[str, Array]:
        arrays = {"kernel": self.kernel, "recurrent": self.recurrent, "bias": self.bias}
        return {**arrays, "recurrent_bias": self.recurrent_bias}

    @property
    def accumulator_peak(self) -> int:
        return max(
            int((np.abs(kernel.astype(np.int64)).sum(axis=1) * (-self.cells.numbers.minimum) + np.abs(bias)).max())
            for kernel, bias in ((self.kernel, self.bias), (self.recurrent, self.recurrent_bias))
        )

    @property
    def run_bytes(self) -> int:
        return 64 * self.shape[0] * len(self.kernel)

    def run(self, *inputs: Array) -> Array:
        x, cells = inputs[0].astype(np.int64), self.cells
        sums = x @ self.kernel.T.astype(np.int64) + self.bias
        state = np.full((len(x), self.units), cells.numbers.zero, np.int64)
        cell, shown = np.zeros_like(state), []
        for step in range(self.shape[0]):
            over = state @ self.recurrent.T.astype(np.int64) + self.recurrent_bias
            gates = (np.split(sums[:, step], GATES, axis=1), np.split(over, GATES, axis=1))
            enter, forget, candidate, show = (cells.joined(i, *pair) for i, pair in enumerate(zip(*gates, strict=True)))
            opened = cells.opened(forget), cell, cells.opened(enter), cells.activated(candidate)
            cell = cells.carried(*opened)
            shown.append(cells.output(cells.opened(show), cell))
            state = shown[-1].astype(np.int64)
        return np.stack(shown, axis=1)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> Layer:
        return self  # it is
