"""What a network was trained to be quantized to: a data type, a scheme, and the range of each tensor."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcusim.system.errors import DataError

MOST_LAYERS, LONGEST_WORD = 10_000, 1000


@dataclass(frozen=True)
class Learned:
    """`ranges`: (low, high) by layer, low at most 0, high at least 0. Numbers that a scheme makes of them are final."""

    data_type: str
    scheme: str
    ranges: Mapping[str, tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        ranges = {name: list(ends) for name, ends in self.ranges.items()}
        return {"data_type": self.data_type, "scheme": self.scheme, "ranges": ranges}

    @classmethod
    def from_dict(cls, values: Any) -> "Learned":
        """Inverse of `to_dict`. DataError when they cannot be that, whoever wrote them."""
        try:
            data_type, scheme, ranges = values["data_type"], values["scheme"], values["ranges"].items()
            found = {str(name): (float(low), float(high)) for name, (low, high) in ranges}
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise DataError("the stored quantization is unreadable", hint="train the model again") from None
        words = all(isinstance(word, str) and len(word) <= LONGEST_WORD for word in (data_type, scheme, *found))
        fits = all(math.isfinite(high - low) and low <= 0 <= high for low, high in found.values())
        if not words or not fits or len(found) > MOST_LAYERS:
            raise DataError("the stored quantization holds impossible ranges", hint="train the model again")
        return cls(data_type, scheme, found)
