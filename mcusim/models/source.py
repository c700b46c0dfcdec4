"""What every model file is read into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from mcusim.datasets.dataset import Normalization
from mcusim.graph import Graph, Shape
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of, records_of

Shapes = Mapping[str, Shape]
NO_SHAPES: Shapes = MappingProxyType({})


@dataclass(frozen=True)
class Origin:
    """A layer of the framework's model at one of its calls: names from the outermost model on, and for each of them
    which of its calls in the model around it, from 0 on. (("two", "dense"), (1, 0)) is the layer `dense` of the model
    `two`, called once in there, where `two` itself is called for the second time.
    """

    path: tuple[str, ...] = ()
    calls: tuple[int, ...] = ()


@dataclass(frozen=True)
class Source:
    """Layers as the file has them, of float32 or quantized already, and how samples are normalized for them.

    Normalizations are by input, "" for an only one; an input without an entry is fed as it is. `fitted`: the statistics
    are not of the file, but of a training set.
    `origins` tells for layers of the graph, by name, of which layer of the framework they compute the output; layers
    that are only steps to it have no entry. `unoptimized` is the graph that they speak of, when `graph` is another.
    """

    graph: Graph
    normalizations: Mapping[str, Normalization] = field(default_factory=dict)
    fitted: bool = False
    origins: Mapping[str, Origin] = field(default_factory=dict)
    unoptimized: Graph | None = None

    @property
    def as_read(self) -> Graph:
        """The graph as the file draws it."""
        return self.unoptimized or self.graph

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
