"""Dense on vectors. On anything larger it is applied to the last axis, which is a convolution with a 1x1 kernel."""

from dataclasses import dataclass

from mcusim.layers.weighted_sum import WeightedSum
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(WeightedSum):
    """Input (elements,), kernel (units, elements), bias (units,)."""

    READS_UNSIGNED = WRITES_UNSIGNED = WRITES_WIDE = True

    @property
    def macs(self) -> int:
        return int(self.kernel.size)

    def taps(self, x: Array, most: int) -> Array | None:
        return x[None]

    def run(self, *inputs: Array) -> Array:
        return self.finish(self.exact(inputs[0]) @ self.exact(self.kernel.T))
