"""LayerNormalization: each row gets mean 0 and deviation 1, then a scale and an offset for each place in it."""

from dataclasses import dataclass, replace

import numpy as np

from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.numbers import Numbers, Range, Scheme, Standardizing
from mcusim.numbers.roots import square_root
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerNormalization(WeightedSum):
    """A row is as many of the last axes as kernel (the scale) and bias (the offset) have elements.

    Float32 sums run in the order of the elements, as in C.
    """

    epsilon: float
    standardizing: Standardizing | None = None

    IN_PLACE = True

    @property
    def macs(self) -> int:
        return 3 * self.elements

    def run(self, *inputs: Array) -> Array:
        rows = inputs[0].reshape(-1, len(self.kernel))
        if self.standardizing is not None:
            rows = self.standardizing.apply(rows)
        else:
            rows = _standardized(rows, np.float32(self.epsilon))
        return self.finish(self.exact(rows) * self.exact(self.kernel)).reshape(inputs[0].shape)

    def quantize(self, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> "LayerNormalization":
        standardizing = scheme.standardizing(inputs[0], len(self.kernel), self.epsilon)
        if standardizing is None:
            what = f"layer {self.name!r} standardizes {len(self.kernel)} numbers, too many for int{inputs[0].bits}"
            raise ConfigurationError(what, hint="choose fewer bits, or float32")
        made = scheme.weighted_sum(self.kernel, self.bias, standardizing.numbers, values)
        return replace(self, **vars(made), standardizing=standardizing)


def _standardized(rows: Array, epsilon: np.float32) -> Array:
    count = np.float32(rows.shape[1])
    centered = rows - _total(rows) / count
    variance = _total(centered * centered) / count
    return np.asarray(centered * (np.float32(1) / square_root(variance + epsilon)))


def _total(rows: Array) -> Array:
    """Sums in order, as C adds them: np.sum would add pairs."""
    return np.asarray(np.add.accumulate(rows, axis=1, dtype=np.float32)[:, -1:])
