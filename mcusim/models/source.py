"""What every model file is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mcusim.datasets.dataset import Normalization
from mcusim.graph import Graph
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of, records_of


@dataclass(frozen=True)
class Source:
    """Float32 layers as the file has them, and how samples are normalized for them: by input, "" for an only one.

    An input without an entry is fed as it is. `fitted`: the statistics are not of the file, but of a training set.
    """

    graph: Graph
    normalizations: Mapping[str, Normalization] = field(default_factory=dict)
    fitted: bool = False

    @property
    def normalization(self) -> str:
        """What becomes of raw samples, in the words of the report."""
        if not self.normalizations:
            return "none"
        return f"z-score ({'training set' if self.fitted else 'stored'})"

    def normalized(self, x: Array) -> Array:
        """Raw samples, as the model takes them."""
        known = self.normalizations
        return records_of({name: known[name].apply(v) if name in known else v for name, v in fields_of(x).items()})
