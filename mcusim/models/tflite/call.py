"""What the converters of `layers.py` see of an operation: its inputs as the graph has them, and what it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.constant import Constant
from mcusim.layers.planes import plane
from mcusim.layers.pointwise import Pointwise
from mcusim.layers.reshape import Reshape
from mcusim.models.tflite.description import Operation, Tensor
from mcusim.models.tflite.fold import real
from mcusim.numbers.functions import Function
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

L = TypeVar("L", bound=Layer)
NO_ACTIVATION, ON_RELU, ON_RELU_N1_TO_1, ON_RELU6 = range(4)
ACTIVATIONS = {NO_ACTIVATION: LINEAR, ON_RELU: RELU, ON_RELU6: Activation(relu=True, ceiling=6.0)}
SYMMETRIC = Function("hard_tanh")
AGAIN = "convert it again with TFLiteConverter"


@dataclass(frozen=True, eq=False)
class Entry:
    """An input. `shape`: as the file has it, batch included. `constant`, or the `layer` that computes it.

    A reshape of the file makes no layer: the layer may have another shape of as many elements.
    """

    tensor: Tensor
    shape: Shape
    constant: Array | None = None
    layer: Layer | None = None


@dataclass(eq=False)
class Call:
    """`made`: layers so far, the last of which compute the outputs. `unique`: a name that no layer has."""

    name: str
    operation: Operation
    inputs: Sequence[Entry | None]
    outputs: Sequence[Tensor]
    unique: Callable[[str], str]
    made: list[Layer] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.operation.kind

    # -- settings ------------------------------------------------------------------------------------------------------

    def option(self, name: str) -> int:
        return int(self.operation.options[name])

    def real(self, name: str) -> float:
        return float(self.operation.options[name])

    # -- inputs --------------------------------------------------------------------------------------------------------

    def entry(self, index: int) -> Entry:
        found = self.optional(index)
        if found is None:
            raise self.refused(f"has no input {index}", AGAIN)
        return found

    def optional(self, index: int) -> Entry | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def constant(self, index: int, what: str = "weights") -> Array:
        """Raises ModelError where it is computed."""
        entry = self.entry(index)
        if entry.constant is None:
            raise self.refused(f"computes its {what}", f"give it {what} that are constants")
        return entry.constant

    def weights(self, index: int, *, rank: int | None = None) -> Array:
        """Float32. Raises ModelError for numbers that are not finite."""
        found = self.constant(index)
        if rank is not None and found.ndim != rank:
            raise self.refused(f"has weights of shape {found.shape}", AGAIN)
        tensor = self.entry(index).tensor
        if found.dtype.kind != "f" and not tensor.quantized:
            raise self.refused(f"computes with reals, its weights are {found.dtype}", AGAIN)
        found = real(tensor, found) if found.dtype.kind != "f" else found
        with np.errstate(over="ignore"):
            found = found.astype(np.float32)
        if not np.isfinite(found).all():
            raise self.refused("holds NaN or infinite weights", "train again with a lower learning rate")
        return found

    def integers(self, index: int, what: str = "settings") -> list[int]:
        """A list of whole numbers."""
        found = self.constant(index, what)
        if found.dtype.kind not in "iu":
            raise self.refused(f"has {what} of type {found.dtype}", AGAIN)
        return [int(value) for value in found.reshape(-1)]

    def shape(self, index: int = 0) -> Shape:
        """As the file has it."""
        return self.entry(index).shape

    def own_shape(self, index: int = 0) -> Shape:
        """The shape of the layer that computes it."""
        layer = self.entry(index).layer
        return without_batch(self.shape(index)) if layer is None else layer.shape

    def view(self, index: int, shape: Shape) -> str:
        """Name of a layer with that input in this shape. A constant becomes a layer."""
        entry = self.entry(index)
        if entry.layer is None:
            assert entry.constant is not None
            return self._constant(entry.constant, shape)
        if entry.layer.shape == shape:
            return entry.layer.name
        return self.add(Reshape(name=self.unique(f"{self.name}_in"), inputs=(entry.layer.name,), shape=shape)).name

    def _constant(self, values: Array, shape: Shape) -> str:
        beside = next(entry.layer for entry in self.inputs if entry is not None and entry.layer is not None)
        with np.errstate(over="ignore"):
            values = values.astype(np.float32).reshape(shape)
        name = self.unique(f"{self.name}_constant")
        return self.add(Constant(name=name, inputs=(beside.name,), shape=shape, values=values)).name

    # -- layers --------------------------------------------------------------------------------------------------------

    def own(self, shape: Shape, *inputs: str) -> dict[str, Any]:
        """The first fields of the layer that computes an only output."""
        return {"name": self.name, "inputs": inputs, "shape": shape}

    def add(self, layer: L) -> L:
        self.made.append(layer)
        return layer

    def activated(self, layer: Any) -> None:
        """Adds a layer that has the activation of the operation, or another behind it."""
        number = self.option("activation")
        if number in ACTIVATIONS:
            self.add(replace(layer, activation=ACTIVATIONS[number]))
        elif number == ON_RELU_N1_TO_1:
            inner = self.add(replace(layer, name=self.unique(f"{self.name}_linear")))
            self.add(Pointwise(**self.own(layer.shape, inner.name), function=SYMMETRIC))
        else:
            raise self.refused(f"has the activation {number} inside", "use a layer for it")

    # -- errors --------------------------------------------------------------------------------------------------------

    def refused(self, why: str, hint: str) -> ModelError:
        return ModelError(f"layer {self.name!r} ({self.kind}) {why}", hint=hint)


def without_batch(shape: Shape) -> Shape:
    """What a layer has of a file's shape. A scalar is a vector of one."""
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape or (1,)


def plane_of(call: Call, index: int = 0) -> Shape:
    """An input (1, height, width, channels) as windows see it: its own shape where that is (samples, channels).

    A convolution that was merged out of several may read (1, samples, channels) itself.
    """
    shape = call.shape(index)
    if call.operation.extra is not None and len(shape) == 3:
        shape = (shape[0], 1, *shape[1:])
    if len(shape) != 4 or shape[0] != 1:
        raise call.refused(f"gets the shape {shape}", "use a batch of 1 and (height, width, channels)")
    own = call.own_shape(index)
    return own if len(own) in (2, 3) and plane(own) == shape[1:] else shape[1:]
