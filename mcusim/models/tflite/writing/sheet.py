"""What a writer sees of a layer: its inputs as tensors of the file, in any shape, and what it adds to the file."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np

from mcusim.graph import Graph, Layer, Shape
from mcusim.models.tflite.call import ACTIVATIONS, RELU6
from mcusim.models.tflite.writing.file import File, Operator, Tensor
from mcusim.models.tflite.writing.versions import version_of
from mcusim.numbers.affine import Affine
from mcusim.numbers.factors import Factors
from mcusim.numbers.numbers import LINEAR, Activation, Numbers
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

PER_CHANNEL = "quantize it as TFLite does: --scheme per-channel"
REALS = "write it with real numbers: --data-type float32"
OTHER = f"use another layer in its place, or {REALS}"


@dataclass(eq=False)
class Sheet:
    """`places`: the tensor of each layer so far. `shaped`: tensors seen with another shape, and `titles`: how users
    call these. `reserved`: names of layers.
    """

    graph: Graph
    layer: Layer
    file: File
    places: dict[str, int] = field(default_factory=dict)
    shaped: dict[tuple[int, Shape], int] = field(default_factory=dict)
    titles: dict[tuple[int, Shape], str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    reserved: frozenset[str] = frozenset()

    def of(self, layer: Layer) -> "Sheet":
        """The sheet of another layer of the same file."""
        return replace(self, layer=layer)

    # -- inputs --------------------------------------------------------------------------------------------------------

    def entry(self, index: int = 0) -> Layer:
        return self.graph[self.layer.inputs[index]]

    def numbers(self, index: int = 0) -> Affine | None:
        return self._affine(self.entry(index).numbers)

    @property
    def out(self) -> Affine | None:
        return self._affine(self.layer.numbers)

    def _affine(self, numbers: Numbers | None) -> Affine | None:
        """With the scale that a file can hold. Raises ModelError for numbers that TFLite has not."""
        if numbers is None:
            return None
        if not isinstance(numbers, Affine) or numbers.bits not in (8, 16):
            raise self.refused(f"computes with {numbers}, and TFLite has int8 and int16 with scales", PER_CHANNEL)
        return replace(numbers, scale=float(np.float32(numbers.scale)))

    def tensor(self, index: int = 0) -> int:
        return self.places[self.layer.inputs[index]]

    def shape(self, tensor: int) -> Shape:
        """With the batch."""
        return self.file.tensors[tensor].shape

    def view(self, index: int, shape: Shape) -> int:
        """An input with this shape behind the batch."""
        return self.seen(self.tensor(index), (1, *shape))

    def views(self, shapes: Sequence[Shape]) -> list[int]:
        """All inputs, as they are where they have one shape, else with those shapes behind the batch."""
        tensors = [self.tensor(index) for index in range(len(self.layer.inputs))]
        if len({self.shape(tensor) for tensor in tensors}) == 1 and len(set(shapes)) == 1:
            return tensors
        return [self.view(index, shape) for index, shape in enumerate(shapes)]

    def seen(self, tensor: int, shape: Shape) -> int:
        if self.shape(tensor) == shape:
            return tensor
        made = self.shaped.get((tensor, shape))
        if made is None:
            assert math.prod(shape) == math.prod(self.shape(tensor)), (shape, self.shape(tensor))
            made = self.shaped[tensor, shape] = self.copied(tensor, shape)
            self.shaped[made, self.shape(tensor)] = tensor
        return made

    def copied(self, tensor: int, shape: Shape) -> int:
        """The same numbers, as a tensor of its own."""
        source, inputs = self.file.tensors[tensor], (tensor, self.integers(shape))
        name = self.titles.pop((tensor, shape), None) or self.unique(f"{source.name}_reshaped")
        return self._operator("RESHAPE", inputs, replace(source, name=name, shape=shape, buffer=0), {})

    # -- constants -----------------------------------------------------------------------------------------------------

    def integers(self, values: Any) -> int:
        data = np.array(values, np.int32)
        return self.file.tensor(Tensor(self.unique("constant"), data.shape, "int32"), data)

    def constant(self, name: str, values: Array, dtype: str = "float32", **numbers: Any) -> int:
        """Of the layer. `numbers`: scales, zeros, axis."""
        made = Tensor(self.unique(f"{self.layer.name}_{name}"), values.shape, dtype, **numbers)
        return self.file.tensor(made, values)

    def number(self, real: float, like: int) -> int:
        """One, in the numbers of the tensor `like`; they are those of the output."""
        out = self.out
        value = np.float32(real) if out is None else out.encode(np.array(real))
        return self.stored_number(value, like)

    def stored_number(self, value: Any, like: int) -> int:
        told = self.file.tensors[like]
        made = replace(told, name=self.unique(f"{self.layer.name}_limit"), shape=(1,), buffer=0)
        return self.file.tensor(made, np.array([value]))

    # -- operators -----------------------------------------------------------------------------------------------------

    def op(
        self, kind: str, inputs: Sequence[int], shape: Shape, numbers: Affine | None = None, **options: float
    ) -> int:
        """Its output, of the `numbers`; of float32 without."""
        name = self.unique(f"{self.layer.name}_{kind.lower()}")
        return self._operator(kind, inputs, tensor_of(name, shape, numbers), options)

    def moved(self, kind: str, inputs: Sequence[int], shape: Shape, **options: float) -> int:
        """One whose output has the numbers of its first input."""
        name = self.unique(f"{self.layer.name}_{kind.lower()}")
        made = replace(self.file.tensors[inputs[0]], name=name, shape=shape, buffer=0)
        return self._operator(kind, inputs, made, options)

    def _operator(self, kind: str, inputs: Sequence[int], output: Tensor, options: dict[str, float]) -> int:
        read = [self.file.tensors[index] for index in inputs]
        version = version_of(kind, read, output, options)
        made = self.file.tensor(output)
        self.file.operators.append(Operator(kind, version, tuple(inputs), (made,), options))
        return made

    def end(
        self, kind: str, inputs: Sequence[int], shape: Shape, activation: Activation = LINEAR, **options: float
    ) -> None:
        """The operator that computes the layer, with its activation inside where TFLite has that one."""
        if activation in ACTIVATIONS:
            inside = {"activation": ACTIVATIONS.index(activation)} if activation != LINEAR else {}
            self.done(self.op(kind, inputs, shape, self.out, **options, **inside))
        else:
            self.done(self.limited(self.op(kind, inputs, shape, self.out, **options), activation))

    def limited(self, tensor: int, activation: Activation) -> int:
        """Behind an operator that cannot do it itself."""
        shape, numbers = self.shape(tensor), self.out
        if activation == RELU6:
            return self.op("RELU6", (tensor,), shape, numbers)
        if activation.relu and activation.floor == 0:
            tensor = self.op("RELU", (tensor,), shape, numbers)
        elif activation.relu:
            tensor = self.op("MAXIMUM", (tensor, self.number(activation.floor, tensor)), shape, numbers)
        if activation.ceiling is not None:
            tensor = self.op("MINIMUM", (tensor, self.number(activation.ceiling, tensor)), shape, numbers)
        return tensor

    def done(self, tensor: int) -> None:
        """That is the output of the layer, and called like it where it was made for it."""
        self.places[self.layer.name] = tensor
        made = self.file.operators and self.file.operators[-1].outputs[0] == tensor
        if made and self.layer.name not in self.names:
            self.names.add(self.layer.name)
            self.file.tensors[tensor].name = self.layer.name

    def unique(self, name: str) -> str:
        made, number = name, 1
        while made in self.names or made in self.reserved:
            number += 1
            made = f"{name}_{number}"
        self.names.add(made)
        return made

    # -- errors --------------------------------------------------------------------------------------------------------

    def refused(self, why: str, hint: str) -> ModelError:
        return ModelError(f"layer {self.layer.name!r} ({self.layer.kind}) {why}", hint=hint)

    def demand(self, own: object, theirs: object, what: str) -> None:
        """Raises ModelError where a layer computes otherwise than TFLite's operator does."""
        if not alike(own, theirs):
            raise self.refused(f"{what} otherwise than TFLite does", OTHER)


Writer = Callable[[Sheet, Any], None]  # of a layer of its kind


def tensor_of(name: str, shape: Shape, numbers: Affine | None) -> Tensor:
    if numbers is None:
        return Tensor(name, shape, "float32")
    return Tensor(name, shape, str(numbers.dtype), (numbers.scale,), (numbers.zero,))


def alike(one: object, other: object) -> bool:
    """Do they compute the same? Of dataclasses each field, of factors each channel's."""
    if isinstance(one, Factors) and isinstance(other, Factors):
        sizes = {one.multipliers.size, other.multipliers.size}
        return (
            one.is_once == other.is_once
            and (0 not in sizes or sizes == {0})
            and bool(np.all(one.multipliers == other.multipliers) and np.all(one.shifts == other.shifts))
        )
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(np.asarray(one), np.asarray(other))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if is_dataclass(one) and type(one) is type(other):
        return all(alike(getattr(one, part.name), getattr(other, part.name)) for part in fields(one))
    return one == other
