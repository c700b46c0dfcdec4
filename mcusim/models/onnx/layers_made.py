"""Layers of a Graph as they come into being, and the memory that they leave for those that read it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mcusim.graph import Layer, Shape
from mcusim.layers.reshape import Reshape
from mcusim.layers.strided_copy import MOST_AXES, StridedCopy, joined, steps
from mcusim.models.ending import Names
from mcusim.models.onnx.tensor import Tensor, merged
from mcusim.models.source import LARGEST_TENSOR_ELEMENTS
from mcusim.system.errors import ModelError
from mcusim.system.names import printable

LONGEST_NAME = 200


@dataclass
class LayersMade:
    """In the order in which they run. What is asked for twice is made once."""

    layers: list[Layer] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    _names: Names = field(default_factory=Names)
    _views: dict[tuple[str, Shape], str] = field(default_factory=dict)
    _moved: dict[tuple[str, tuple[int, ...], tuple[int, ...]], str] = field(default_factory=dict)

    def unique(self, name: str) -> str:
        """A name that no layer has, for reports and terminals."""
        return self._names.unique(printable(name)[:LONGEST_NAME] or "layer")

    def release(self, name: str) -> None:
        """A name that no layer took is free again."""
        if name not in self.shapes:
            self._names.release(name)

    def add(self, layer: Layer) -> str:
        """-> its name. Raises ModelError for a shape that no kernel has."""
        if not 1 <= len(layer.shape) <= MOST_AXES or min(layer.shape) < 1:
            what = f"layer {layer.name!r} ({layer.kind}) gives the shape {layer.shape}"
            raise ModelError(what, hint=f"use one to {MOST_AXES} axes, each of at least 1")
        if layer.elements > LARGEST_TENSOR_ELEMENTS:
            raise ModelError(f"layer {layer.name!r} gives {layer.elements} numbers", hint="use a smaller one")
        self.layers.append(layer)
        self.shapes[layer.name] = layer.shape
        return layer.name

    def seen(self, x: Tensor, shape: Shape) -> str:
        """-> the layer that has the memory of `x` as that shape."""
        if self.shapes[x.layer] == shape:
            return x.layer
        if (x.layer, shape) not in self._views:
            name = self.unique(f"{x.layer}_shape")
            self._views[x.layer, shape] = self.add(Reshape(name=name, inputs=(x.layer,), shape=shape))
        return self._views[x.layer, shape]

    def moved(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """`x` with its axes in this order in memory, as they are where that is how it lies."""
        places = tuple(place for axis in order for place in x.axes[axis])
        if places == tuple(range(len(places))):
            return x
        sizes, own = tuple(x.sizes[place] for place in places), steps(x.sizes)
        key = (x.layer, x.sizes, places)
        if key not in self._moved:
            strides = tuple(own[place] for place in places)
            self._moved[key] = self.copied(x, self.unique(f"{x.layer}_permuted"), "Permute", sizes, strides)
        now = {place: position for position, place in enumerate(places)}
        return merged(Tensor(self._moved[key], sizes, tuple(tuple(now[place] for place in axis) for axis in x.axes)))

    def copied(
        self, x: Tensor, name: str, spelled: str, sizes: Shape, strides: tuple[int, ...], offset: int = 0
    ) -> str:
        """A StridedCopy. Raises ModelError where the kernel has too few loops."""
        least, own = joined(sizes, strides)
        if len(least) > MOST_AXES:
            what = f"{name!r} moves {len(least)} axes in memory"
            raise ModelError(what, hint=f"up to {MOST_AXES} can be: transpose and reshape less")
        shape = tuple(size for size in sizes if size != 1) or (1,)
        if len(shape) > MOST_AXES:
            shape = (math.prod(shape),)
        return self.add(
            StridedCopy(
                name=name, inputs=(x.layer,), shape=shape, spelled=spelled, sizes=least, strides=own, offset=offset
            )
        )
