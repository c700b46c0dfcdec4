"""What the converters of `layers.py` see of an operation: its inputs as the graph has them, and what it makes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers import Constant, Reshape
from mcusim.layers.planes import plane
from mcusim.models.tflite.description import Operation, Tensor
from mcusim.models.tflite.fold import real
from mcusim.models.tflite.hints import type_hint
from mcusim.numbers.affine import Affine
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

L = TypeVar("L", bound=Layer)
RELU6, SYMMETRIC = Activation(relu=True, ceiling=6.0), Activation(relu=True, ceiling=1.0, floor=-1.0)
ACTIVATIONS = (LINEAR, RELU, SYMMETRIC, RELU6)  # as the schema numbers them
BITS = {"int8": 8, "uint8": 8, "int16": 16, "int32": 32}  # the last of an output alone
SAME_SCALE = 1e-6
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
    """`made`: layers so far, the last of which compute the outputs. `tensors`: of inputs, also of states, which are no
    entries. `unique`: a name that no layer has."""

    name: str
    operation: Operation
    inputs: Sequence[Entry | None]
    outputs: Sequence[Tensor]
    tensors: Sequence[Tensor | None]
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
        """Float32, or of an operation on integers int8. Raises ModelError for numbers that are not finite."""
        found = self.constant(index)
        if rank is not None and found.ndim != rank:
            raise self.refused(f"has weights of shape {found.shape}", AGAIN)
        tensor = self.entry(index).tensor
        if self.out is not None:
            if tensor.dtype not in ("int8", "int4") or not tensor.quantized:
                raise self.refused(f"computes with integers, its weights are {tensor.dtype}", AGAIN)
            return found
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
            return self._constant(entry.constant, shape, self.numbers(index))
        if entry.layer.shape == shape:
            return entry.layer.name
        name, source = self.unique(f"{self.name}_in"), entry.layer
        return self.add(Reshape(name=name, inputs=(source.name,), shape=shape, numbers=source.numbers)).name

    def _constant(self, values: Array, shape: Shape, numbers: Affine | None) -> str:
        beside = next(entry.layer for entry in self.inputs if entry is not None and entry.layer is not None)
        with np.errstate(over="ignore"):
            values = values.astype(np.float32 if numbers is None else numbers.dtype).reshape(shape)
        name = self.unique(f"{self.name}_constant")
        made = Constant(name=name, inputs=(beside.name,), shape=shape, numbers=numbers, values=values)
        return self.add(made).name

    # -- numbers -------------------------------------------------------------------------------------------------------

    def numbers(self, index: int = 0) -> Affine | None:
        """What the integers of an input stand for; None for reals."""
        return numbers_of(self, self.entry(index).tensor)

    @property
    def out(self) -> Affine | None:
        """Likewise of the first output."""
        return numbers_of(self, self.outputs[0])

    def same_numbers(self, index: int = 0) -> None:
        """Raises ModelError, as TFLM does, where an input has other numbers than the output."""
        entry, out = self.numbers(index), self.out
        if entry and out and (abs(entry.scale - out.scale) > SAME_SCALE or entry.zero != out.zero):
            raise self.refused("has inputs of another scale than its output", AGAIN)

    @property
    def bits(self) -> int:
        """Of the numbers that the operation computes with; 0 for reals."""
        return 0 if self.out is None else self.out.bits

    # -- layers --------------------------------------------------------------------------------------------------------

    def filled(self, beside: str, shape: Shape, value: Array) -> str:
        """Name of a layer that is one number, all over."""
        name, dtype = self.unique(f"{self.name}_constant"), np.float32 if self.out is None else self.out.dtype
        values = np.full(shape, value, dtype)
        return self.add(Constant(name=name, inputs=(beside,), shape=shape, numbers=self.out, values=values)).name

    def own(self, shape: Shape, *inputs: str) -> dict[str, Any]:
        """The first fields of the layer that computes an only output."""
        return {"name": self.name, "inputs": inputs, "shape": shape, "numbers": self.out}

    def step(self, role: str, shape: Shape, *inputs: str) -> dict[str, Any]:
        """Likewise of a layer that is a step to it."""
        return {**self.own(shape, *inputs), "name": self.unique(f"{self.name}_{role}")}

    def add(self, layer: L) -> L:
        self.made.append(layer)
        return layer

    def activated(self, layer: Any) -> None:
        """Adds a layer with the activation of the operation."""
        number = self.option("activation")
        if not 0 <= number < len(ACTIVATIONS):
            raise self.refused(f"has the activation {number} inside", "use a layer for it")
        self.add(replace(layer, activation=ACTIVATIONS[number]))

    # -- errors --------------------------------------------------------------------------------------------------------

    def refused(self, why: str, hint: str) -> ModelError:
        return ModelError(f"layer {self.name!r} ({self.kind}) {why}", hint=hint)


def numbers_of(call: Call, tensor: Tensor) -> Affine | None:
    """None for reals. Raises ModelError for integers that stand for nothing, or for something in another way."""
    if tensor.dtype == "float32":
        return None
    found = affine_of(tensor)
    if found is None:
        without = " without a scale" if tensor.dtype in BITS else ""
        raise call.refused(f"computes with {tensor.dtype}{without}", type_hint(tensor.dtype))
    return found


def affine_of(tensor: Tensor) -> Affine | None:
    """None where there is no single scale, or of a type that nothing here computes with."""
    if tensor.dtype not in BITS or len(tensor.scales) != 1:
        return None
    zero = int(tensor.zero_points[0])
    return Affine(BITS[tensor.dtype], float(tensor.scales[0]), zero, signed=tensor.dtype != "uint8")


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
