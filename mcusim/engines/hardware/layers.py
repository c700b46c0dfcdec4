"""What a firmware with marks has counted (codegen/harness/layers.h), as bytes."""

import struct
from typing import Protocol, runtime_checkable

from mcusim.engines.engine import LayerSums

SYMBOL = "mcusim_layer_cycles"  # of firmware that has it
_HEAD = struct.Struct("<2I2Q")


@runtime_checkable
class ByLayer(Protocol):
    """A connection that may know what layers took."""

    def layers(self) -> LayerSums | None:
        """Since it began, of a board that waits for a sample; None where nothing was counted."""


def read_layers(data: bytes) -> LayerSums | None:
    """None of what is cut off, or of a board whose counter stands."""
    if len(data) < _HEAD.size:
        return None
    count, samples, marks, nothing = _HEAD.unpack_from(data)
    if len(data) != _HEAD.size + 8 * count:
        return None
    cycles = struct.unpack_from(f"<{count}Q", data, _HEAD.size)
    return LayerSums(samples, marks, nothing, cycles) if samples and any(cycles) else None
