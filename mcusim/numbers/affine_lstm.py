"""What is between the sums of an LSTM on affine numbers: bit for bit what TFLM does. Its twin is `nn_scaled_lstm.h`.

Sums over inputs and over the state are each brought to 2**-12 and saturated to 16 bits, gates are 2**-15, and the cell
has 16 bits and the scale of its tensor, a power of two. The state has the numbers of the output. Of numbers of 16 bits
sums have 64, and are rounded once.
"""

import math
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from mcusim.numbers.affine import Affine
from mcusim.numbers.affine_wide import NO_TABLE, WideSigmoid
from mcusim.numbers.factors import Factors, once, rescaled, wrapped
from mcusim.numbers.numbers import Fields
from mcusim.system.arrays import Array

GATE_SCALE, GATE_ONE = 2.0**-12, 2.0**-15
SHORT = (-32768, 32767)
NARROW, SHORT_BITS = 8, 15  # bits of numbers, and of the multipliers of wider ones
FINEST = 12  # of cells whose tanh needs no shift


@dataclass(frozen=True, eq=False)
class ScaledCells:
    """`over_inputs`, `over_states`: a factor for each gate: input, forget, candidate, output. `clip`: None for none."""

    over_inputs: tuple[Factors, ...]
    over_states: tuple[Factors, ...]
    kept: Factors
    entered: Factors
    shown: Factors
    fraction: int  # of the cell
    clip: int | None
    numbers: Affine

    def joined(self, gate: int, from_input: Array, from_state: Array) -> Array:
        sums = (self.over_inputs[gate], from_input), (self.over_states[gate], from_state)
        first, second = (_short(wrapped(factors.apply(x))) for factors, x in sums)
        return _short(first + second)

    def opened(self, x: Array) -> Array:
        return WideSigmoid(self.numbers, self.numbers, NO_TABLE, factor=3, shift=0, is_tanh=False).apply(x)

    def activated(self, x: Array) -> Array:
        return WideSigmoid(self.numbers, self.numbers, NO_TABLE, factor=3, shift=0, is_tanh=True).apply(x)

    def carried(self, forget: Array, cell: Array, enter: Array, candidate: Array) -> Array:
        old = _short(self.kept.apply(forget.astype(np.int64) * cell))
        new = _short(self.entered.apply(enter.astype(np.int64) * candidate))
        sums = _short(old + new)
        return sums if self.clip is None else np.clip(sums, -self.clip, self.clip)

    def output(self, show: Array, cell: Array) -> Array:
        """The next state."""
        bounded = self._bounded.apply(cell).astype(np.int64)
        y = self.shown.apply(bounded * show) + self.numbers.zero
        return np.asarray(np.clip(y, self.numbers.minimum, self.numbers.maximum), self.numbers.dtype)

    @cached_property
    def _bounded(self) -> WideSigmoid:
        factor, shift = self._places
        return WideSigmoid(self.numbers, self.numbers, NO_TABLE, factor=factor, shift=shift, is_tanh=True)

    @property
    def _places(self) -> tuple[int, int]:
        """Of a cell, to places in the table of sigmoids."""
        left = FINEST - self.fraction
        return (3 << left, 0) if left >= 0 else (3, -left)

    def fields(self) -> Fields:
        factor, shift = self._places
        unsaid: Fields = {} if self.clip is None else {"clip": self.clip}
        return {
            "over_inputs": tuple(factors.one for factors in self.over_inputs),
            "over_states": tuple(factors.one for factors in self.over_states),
            "kept": self.kept.one,
            "entered": self.entered.one,
            "shown": self.shown.one,
            "cell_factor": factor,
            "cell_shift": shift,
            "zero": self.numbers.zero,
            **unsaid,
        }


def scaled_cells(
    entry: Affine, out: Affine, scales: tuple[tuple[float, ...], tuple[float, ...]], cell_scale: float, clip: float
) -> ScaledCells | None:
    """`scales`: of the weights of each gate, over inputs and over states. None for a cell whose scale TFLM refuses."""
    mantissa, power = math.frexp(cell_scale)
    if mantissa != 0.5 or not 0 <= 1 - power <= FINEST + 15:
        return None
    over_inputs, over_states = scales
    of_sums = partial(once, bits=SHORT_BITS) if entry.bits > NARROW else rescaled
    return ScaledCells(
        over_inputs=tuple(of_sums([entry.scale * scale / GATE_SCALE]) for scale in over_inputs),
        over_states=tuple(of_sums([out.scale * scale / GATE_SCALE]) for scale in over_states),
        kept=rescaled([GATE_ONE * cell_scale / cell_scale]),
        entered=rescaled([GATE_ONE * GATE_ONE / cell_scale]),
        shown=rescaled([GATE_ONE * GATE_ONE / out.scale]),
        fraction=1 - power,
        clip=int(min(clip / cell_scale, SHORT[1])) if clip > 0 else None,
        numbers=out,
    )


def _short(x: Array) -> Array:
    return np.clip(x, *SHORT)
