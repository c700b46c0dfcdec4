"""BatchNormalization and Rescaling that could not fold into a layer before: y = scale x + offset for each channel."""

from dataclasses import dataclass

from mcusim.layers.weighted_sum import WeightedSum
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchNormalization(WeightedSum):
    """Input (..., channels), kernel (channels,) is the scale, bias (channels,) the offset."""

    IN_PLACE = READS_UNSIGNED = WRITES_UNSIGNED = True

    @property
    def macs(self) -> int:
        return self.elements

    def run(self, *inputs: Array) -> Array:
        return self.finish(self.exact(inputs[0]) * self.exact(self.kernel))
