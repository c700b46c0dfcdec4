"""Model -> layers of a Graph: one operation after the other, each constant, another view of a tensor, or converted.

What cannot be read is collected and told at once. What reads it is not converted, only looked at whether it could be.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from mcusim.graph import Layer, Shape
from mcusim.layers.constant import Constant
from mcusim.layers.input import Input
from mcusim.models.ending import Names
from mcusim.models.problems import ODD, Problems
from mcusim.models.source import LARGEST_TENSOR_ELEMENTS, Origin, demand_computable
from mcusim.models.tflite.call import AGAIN, Call, Entry, affine_of, without_batch
from mcusim.models.tflite.description import ABSENT, Model, Operation, Tensor
from mcusim.models.tflite.file import shown
from mcusim.models.tflite.fold import FOLDERS, Folding
from mcusim.models.tflite.hints import LOOKING_UP, hint_of, type_hint
from mcusim.models.tflite.layers import CONVERTERS, IN_TYPES, ONLY_IN_TFLM, STATEFUL, TYPE_CHANGING, TYPES, VIEWS
from mcusim.numbers.affine import WIDE_BITS
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

MOST_FOLDED_ELEMENTS = 2**25
LONGEST_NAME = 60
# What TensorFlow puts behind the name of a layer, without the digits at its end: operations, in its own spelling.
OPERATIONS = {
    *("Relu", "BiasAdd", "MatMul", "Conv", "Conv2D", "FusedBatchNormV", "ReadVariableOp", "Reshape", "AvgPool", "Mean"),
    *("MaxPool", "AddV", "Add", "Mul", "Sub", "Softmax", "Sigmoid", "Tanh", "Identity", "StatefulPartitionedCall"),
    *("PartitionedCall", "Rsqrt", "Squeeze", "ExpandDims", "Pad", "Shape", "Conv2DBackpropInput", "Transpose"),
    "Tensordot",
}
INNER = {
    *("add", "batchnorm", "concat", "depthwise", "mul", "resource", "separable_conv2d", "stack", "strided_slice"),
    "sub",
}
PREFIX = re.compile(r"^(serving_default_|args_)")


@dataclass(frozen=True)
class Value:
    """What is known of a tensor. `layer` None and `constant` None: it cannot be read, which is told already."""

    shape: Shape
    layer: str | None = None
    constant: Array | None = None

    @property
    def readable(self) -> bool:
        return self.layer is not None or self.constant is not None


@dataclass
class Walk:
    """Layers so far, by name, in the order in which they run."""

    model: Model
    layers: dict[str, Layer] = field(default_factory=dict)
    values: dict[int, Value] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    problems: Problems = field(default_factory=lambda: Problems(hint_of))
    names: Names = field(default_factory=Names)
    folded: int = 0  # elements of constants that were computed
    hybrid: bool = False  # integer weights are computed with as reals

    # -- ends ----------------------------------------------------------------------------------------------------------

    def inputs(self) -> None:
        """An Input for each input of the model, called like it; an only one `input`."""
        for index in self.model.inputs:
            tensor = self.model.tensors[index]
            made = self.problems.caught(tensor.name, "input", partial(self._input, tensor))
            self.values[index] = Value(tensor.shape, made)

    def _input(self, tensor: Tensor) -> str:
        only = len(self.model.inputs) == 1
        told = "input" if only else tensor_name(self.model.names.get(tensor.index, "") or tensor.name, "input")
        name = self.names.unique(told)
        what = f"the model's input {shown(tensor.name)!r}"
        if -1 in tensor.signature[1:]:
            told = str(tensor.signature).replace("-1", "None")
            raise ModelError(f"{what} has shape {told}", hint="convert it from a model whose inputs have fixed shapes")
        shape = without_batch(tensor.shape)
        if not 1 <= len(shape) <= 3 or not 1 <= math.prod(shape) <= LARGEST_TENSOR_ELEMENTS:
            raise ModelError(f"{what} has shape {tensor.shape}", hint="use a batch of 1 and one to three fixed axes")
        numbers = None if tensor.dtype == "float32" else affine_of(tensor)
        if tensor.dtype != "float32" and (numbers is None or numbers.bits > WIDE_BITS):
            looked_up = next((one.kind for one in self.model.operations if one.kind in LOOKING_UP), "")
            raise ModelError(f"{what} is {tensor.dtype}", hint=hint_of(looked_up) or type_hint(tensor.dtype))
        self._append(Input(name=name, inputs=(), shape=shape, numbers=numbers))
        return name

    # -- operations ----------------------------------------------------------------------------------------------------

    def operations(self) -> None:
        for operation in self.model.operations:
            name = layer_name(
                self.model.tensors[operation.outputs[0]].name if operation.outputs else "", operation.kind
            )
            outputs = self._operation(operation, self.names.unique(name)) or ()
            self.values |= {index: Value(self.model.tensors[index].shape) for index in operation.outputs}
            self.values |= dict(zip(operation.outputs, outputs, strict=False))

    def _operation(self, operation: Operation, name: str) -> Sequence[Value] | None:
        if operation.kind not in CONVERTERS and operation.kind not in VIEWS and operation.kind not in FOLDERS:
            self.problems.no_kernel(name, operation.kind, operation.index)
            return None
        inputs = [self._input_of(operation, index) for index in operation.inputs]
        outputs = [self.model.tensors[index] for index in operation.outputs]
        given = [value for value in inputs if value is not None]
        if not all(value.readable for value in given) or not outputs:
            return None

        folds = operation.kind == "SHAPE" or all(value.constant is not None for value in given)
        if not (folds and operation.kind in FOLDERS) and operation.kind not in (*VIEWS, *CONVERTERS):
            self.problems.no_kernel(name, operation.kind, operation.index)
            return None

        def convert() -> Sequence[Value]:
            if folds and operation.kind in FOLDERS:
                return [self._folded(operation, inputs, outputs[0])]
            if operation.kind in VIEWS:
                return [self._viewed(operation, given, outputs[0], name)]
            return self._converted(operation, inputs, outputs, name)

        try:
            return self.problems.caught(name, operation.kind, convert)
        except ODD as error:
            what = f"layer {name!r} ({operation.kind}): its settings cannot be understood ({type(error).__name__})"
            self.problems.caught(name, operation.kind, lambda: _raise(ModelError(what, hint=AGAIN)))
            return None

    def _input_of(self, operation: Operation, index: int) -> Value | None:
        """A constant where nothing wrote it. None where there is none, or a state that begins anew with each sample."""
        if index == ABSENT or (operation.kind in STATEFUL and self.model.tensors[index].variable):
            return None
        if index not in self.values:
            tensor = self.model.tensors[index]
            is_read = tensor.data is not None and not tensor.sparse and not tensor.variable
            constant = tensor.values if is_read else np.zeros(0, np.float32) if tensor.elements == 0 else None
            self.values[index] = Value(tensor.shape, constant=constant)
            if constant is None:
                self._unreadable(tensor)
        return self.values[index]

    def _unreadable(self, tensor: Tensor) -> None:
        why, hint = "is sparse", "convert it again without a sparse model: train it without pruning"
        if tensor.variable:
            why, hint = "keeps its numbers from one sample to the next", "use a model that takes a whole series at once"
        error = ModelError(f"tensor {shown(tensor.name)!r} {why}", hint=hint)
        self.problems.caught(tensor.name, "tensor", lambda: _raise(error))

    def _folded(self, operation: Operation, inputs: Sequence[Value | None], output: Tensor) -> Value:
        given = [np.zeros(0) if value is None or value.constant is None else value.constant for value in inputs]
        first = next((value for value in inputs if value is not None), Value(()))
        folding = Folding(operation, given, first.shape, output, self._tensors(operation))
        made = FOLDERS[operation.kind](folding)
        self.folded += made.size
        if self.folded > MOST_FOLDED_ELEMENTS:
            raise ModelError(f"constants of the model have {self.folded} numbers", hint="use a smaller model")
        return Value(made.shape, constant=made)

    def _tensors(self, operation: Operation) -> list[Tensor | None]:
        return [None if index == ABSENT else self.model.tensors[index] for index in operation.inputs]

    def _viewed(self, operation: Operation, given: Sequence[Value], output: Tensor, name: str) -> Value:
        """The same layer with another shape."""
        (source, *_), shape = given, output.shape
        if math.prod(shape) != math.prod(source.shape) and len(given) > 1 and given[1].constant is not None:
            shape = tuple(np.zeros(source.shape, np.bool_).reshape(given[1].constant.reshape(-1)).shape)
        if math.prod(shape) != math.prod(source.shape):
            what = f"layer {name!r} ({operation.kind}) turns {source.shape} into {output.shape}"
            raise ModelError(what, hint=AGAIN)
        return replace(source, shape=shape)

    def _converted(
        self, operation: Operation, inputs: Sequence[Value | None], outputs: Sequence[Tensor], name: str
    ) -> Sequence[Value]:
        tensors = [self.model.tensors[max(index, 0)] for index in operation.inputs]
        entries = [
            None if value is None else Entry(tensor, value.shape, value.constant, self.layers.get(value.layer or ""))
            for value, tensor in zip(inputs, tensors, strict=True)
        ]
        call = Call(name, operation, entries, outputs, self._tensors(operation), self.names.unique)
        if not any(entry is not None and entry.layer is not None for entry in entries):
            call.inputs = [self._laid_out(entries, call), *entries[1:]]
        _check_types(call)
        CONVERTERS[operation.kind](call)
        stored = [entry for entry in entries if entry is not None and entry.constant is not None]
        self.hybrid |= call.out is None and any(entry.tensor.quantized for entry in stored)
        ends = call.made[-len(outputs) :]
        shapes = [_shape_of(tensor, layer.elements) for tensor, layer in zip(outputs, ends, strict=True)]
        for layer, shape in zip(ends, shapes, strict=True):
            if layer.elements != math.prod(shape):
                raise call.refused(f"gives {layer.shape}, and the file has {shape}", AGAIN)
        for layer in call.made:
            demand_computable(layer, call.refused)
            self._append(layer)
        for layer, tensor in zip(ends, outputs, strict=True):
            if tensor.index != ABSENT:
                self.origins[layer.name] = Origin((tensor.name,), (tensor.index,))
        return [Value(shape, layer.name) for layer, shape in zip(ends, shapes, strict=True)]

    def _laid_out(self, entries: Sequence[Entry | None], call: Call) -> Entry:
        """The first input of what computes with constants alone, such as a first state, as a layer."""
        first = entries[0] if entries else None
        beside = next((name for name, layer in self.layers.items() if layer.INPUT), None)
        if first is None or first.constant is None or beside is None:
            raise call.refused("computes with constants alone", AGAIN)
        numbers = call.numbers(0)
        shape = without_batch(first.shape)
        values = first.constant.astype(np.float32 if numbers is None else numbers.dtype).reshape(shape)
        name = self.names.unique(f"{call.name}_constant")
        made = Constant(name=name, inputs=(beside,), shape=shape, numbers=numbers, values=values)
        self._append(made)
        return replace(first, constant=None, layer=made)

    def _append(self, layer: Layer) -> None:
        self.layers[layer.name] = layer


def _shape_of(tensor: Tensor, elements: int) -> Shape:
    """The file's, in which an axis that it leaves open, rows of all samples, is as long as there are elements."""
    if tensor.signature.count(-1) != 1:
        return tensor.shape
    place = tensor.signature.index(-1)
    before, after = tensor.shape[:place], tensor.shape[place + 1 :]
    length, left = divmod(elements, math.prod(before + after) or 1)
    return tensor.shape if left else (*before, length, *after)


def _check_types(call: Call) -> None:
    """All tensors of one type, but where it is changed."""
    computed = [entry.tensor for entry in call.inputs if entry is not None and entry.layer is not None]
    types = {tensor.dtype for tensor in (*computed, *call.outputs)}
    if call.kind in TYPE_CHANGING:
        return
    for other in types & {"uint8", "int32"}:
        raise call.refused(f"computes with {other}", type_hint(other))
    if len(types) > 1:
        raise call.refused(f"computes with {' and '.join(sorted(types))}", type_hint(min(types)))
    known = IN_TYPES.get(call.kind, TYPES)
    if types & {*TYPES} - {*known}:
        dtype = min(types)
        who = "mcusim" if (call.kind, dtype) in ONLY_IN_TFLM else "TensorFlow Lite Micro, whose bits integers have,"
        raise call.refused(f"computes with {dtype}", f"use {' or '.join(known)}: {who} has no such kernel")


def _raise(error: ModelError) -> None:
    raise error


def layer_name(tensor: str, kind: str) -> str:
    """Of the layer that computes it: the last part that the user gave, or the operator where there is none.

    Where several layers of the user's became one operation the last is that with the weights.
    """
    for part in reversed(tensor.split(";")):
        components = [PREFIX.sub("", component) for component in part.split("/") if component]
        if len(components) > 1 and _plain(components[-1]) in INNER:
            components.pop()
        while components and _plain(components[-1]) in (*OPERATIONS, "resource"):
            components.pop()
        if components:
            return _cleaned(components[-1]) or kind.lower()
    return kind.lower()


def tensor_name(tensor: str, default: str) -> str:
    """Of an input or an output of the model."""
    return _cleaned(PREFIX.sub("", tensor.split(";", maxsplit=1)[0].rsplit("/", maxsplit=1)[-1])) or default


def _plain(component: str) -> str:
    return component.split(":", maxsplit=1)[0].rstrip("_0123456789")


def _cleaned(name: str) -> str:
    """Letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name.split(":", maxsplit=1)[0]).strip("_")[:LONGEST_NAME]
