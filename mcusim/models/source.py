"""What every model file is read into."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from mcusim.datasets.dataset import Normalization
from mcusim.graph import Graph, Layer, Shape
from mcusim.layers.strided_copy import MOST_AXES
from mcusim.numbers.learned import Learned
from mcusim.system.arrays import Array, without_ones
from mcusim.system.errors import ModelError
from mcusim.system.records import fields_of, records_of

Shapes = Mapping[str, Shape]
NO_SHAPES: Shapes = MappingProxyType({})
LARGEST_TENSOR_ELEMENTS = 2**24


@dataclass(frozen=True)
class Origin:
    """A layer of the framework's model at one of its calls: names from the outermost model on, and for each of them
    which of its calls in the model around it, from 0 on. (("two", "dense"), (1, 0)) is the layer `dense` of the model
    `two`, called once in there, where `two` itself is called for the second time.
    """

    path: tuple[str, ...] = ()
    calls: tuple[int, ...] = ()


@dataclass(frozen=True)
class Order:
    """`shape` of a sample or an answer as the file has it; `axes` of that, in the order in which the graph has them."""

    shape: Shape
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """Layers as the file has them, of float32 or quantized already, and how samples are normalized for them.

    Normalizations are by input, "" for an only one; an input without an entry is fed as it is. `fitted`: the statistics
    are not of the file, but of a training set.
    `origins` tells for layers of the graph, by name, of which layer of the framework they compute the output; layers
    that are only steps to it have no entry. `unoptimized` is the graph that they speak of, when `graph` is another.
    `learned`: the integers that it was trained for.
    `unproved`: why the framework computes something else, so that it is no proof.
    `input_orders` and `output_orders`: of those whose channels come first in the file, by name, "" for an only one.
    """

    graph: Graph
    normalizations: Mapping[str, Normalization] = field(default_factory=dict)
    fitted: bool = False
    origins: Mapping[str, Origin] = field(default_factory=dict)
    unoptimized: Graph | None = None
    input_orders: Mapping[str, Order] = field(default_factory=dict)
    output_orders: Mapping[str, Order] = field(default_factory=dict)
    unproved: str | None = None
    learned: Learned | None = None

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

    def arranged(self, x: Array) -> Array:
        """Samples in the order of the file, as the graph has them; others stay as they are."""
        return arranged(x, self.input_orders)

    def normalized(self, x: Array) -> Array:
        """Raw samples, as the model takes them."""
        known = self.normalizations
        return records_of({name: known[name].apply(v) if name in known else v for name, v in fields_of(x).items()})


def arranged(x: Array, orders: Mapping[str, Order]) -> Array:
    """What has the shape of the file, but for axes of length 1, with its axes in the order of the graph."""
    fields = fields_of(x)
    if not any(is_as_in_file(name, part.shape[1:], orders) for name, part in fields.items()):
        return x
    return records_of({name: _moved(part, orders.get(name)) for name, part in fields.items()})


def is_as_in_file(name: str, shape: Shape, orders: Mapping[str, Order]) -> bool:
    order = orders.get(name)
    return order is not None and without_ones(shape) == without_ones(order.shape)


def _moved(part: Array, order: Order | None) -> Array:
    if order is None or without_ones(part.shape[1:]) != without_ones(order.shape):
        return part
    axes = (0, *(axis + 1 for axis in order.axes))
    return np.ascontiguousarray(part.reshape(len(part), *order.shape).transpose(axes))


def demand_computable(layer: Layer, refused: Callable[[str, str], ModelError]) -> None:
    """Raises what `refused` makes of a reason and a hint, where no kernel has the layer's shape."""
    if not 1 <= len(layer.shape) <= MOST_AXES or min(layer.shape) < 1:
        raise refused(f"gives the shape {layer.shape}", f"use one to {MOST_AXES} axes, each of at least 1")
    if layer.elements > LARGEST_TENSOR_ELEMENTS:
        raise refused(f"gives {layer.elements} numbers", "use a smaller one")
