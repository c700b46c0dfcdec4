"""Model -> layers of a Graph: constants are folded, nodes converted, in an order in which they can run.

What cannot be read is collected and told at once. What reads it is not converted, only looked at whether it could be.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from mcusim.graph import Shape
from mcusim.layers import Convert, Input
from mcusim.models.onnx import older
from mcusim.models.onnx.constants import FOLDED, OF_SHAPES
from mcusim.models.onnx.layers_made import LayersMade
from mcusim.models.onnx.model import Declared, Model, Node
from mcusim.models.onnx.node import Attributes, OnnxNode, Value, channels_last
from mcusim.models.onnx.operators import CONVERTERS, HINTS, NO_BATCH, STATES, reads_planes
from mcusim.models.onnx.tensor import Tensor, tensor
from mcusim.models.onnx.wire import broken
from mcusim.models.problems import ODD, Problems, open_hint
from mcusim.models.source import LARGEST_TENSOR_ELEMENTS, Origin, Shapes
from mcusim.numbers.affine import Affine
from mcusim.system.errors import ModelError
from mcusim.system.names import printable, shortened


class Computed(NamedTuple):
    """An output of a node: its name in the file, and how it lies in the memory of a layer."""

    name: str
    tensor: Tensor


@dataclass
class Walk:
    """Values so far, by name; None for what cannot be read. `told`: shapes of inputs that users told, by name.

    `numbers` of tensors by name, `stored_as`: of layers. `channels_last`: may inputs and outputs that are planes be so?
    `batch`: for how many samples the file is, 0 for any number.
    """

    model: Model
    told: Shapes = field(default_factory=dict)
    channels_last: bool = True
    numbers: Mapping[str, Affine] = field(default_factory=dict)
    made: LayersMade = field(default_factory=LayersMade)
    values: dict[str, Value | None] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    computed: dict[Origin, Computed] = field(default_factory=dict)
    batch: int = 0
    stored_as: dict[str, Affine] = field(default_factory=dict)
    problems: Problems = field(default_factory=lambda: Problems(HINTS.get))

    def run(self) -> None:
        """Convert all that the outputs need."""
        self.values.update(self.model.constants)
        for declared, name in zip(self.model.inputs, self.input_names, strict=True):
            value = self.problems.caught(name, "Input", partial(self._input, declared, name))
            if value and declared.name in self.numbers:
                self.stored_as[value.layer] = self.numbers[declared.name]
            self.values[declared.name] = value
        needed = _needed(self.model)
        for index in _ordered(self.model, needed, set(self.values)):
            self._node(index, self.model.nodes[index])
        self.problems.demand_none()

    @property
    def input_names(self) -> list[str]:
        """An only one is called `input`."""
        inputs = self.model.inputs
        return ["input"] if len(inputs) == 1 else [one.name for one in inputs]

    # -- inputs and outputs --------------------------------------------------------------------------------------------

    def _input(self, declared: Declared, name: str) -> Tensor:
        shape = self._shape(declared, name)
        if math.prod(shape) > LARGEST_TENSOR_ELEMENTS:
            what = f"layer {printable(name)!r} (Input) takes {math.prod(shape)} numbers"
            raise ModelError(what, hint="use a smaller input")
        rank = len(shape)
        planes = self.channels_last and rank in (3, 4) and reads_planes(self.model, declared.name)
        order = channels_last(rank) if planes else tuple(range(rank))
        own = tuple(shape[axis] for axis in order[1:]) or shape
        return tensor(self.made.add(Input(name=self.made.unique(name), inputs=(), shape=own)), shape, order)

    def _shape(self, declared: Declared, name: str) -> Shape:
        """With a batch of 1, and axes that the model leaves open as the user told them. An only axis is no batch."""
        shape, shown = declared.shape, shortened(printable(declared.name), 60)
        if shape is None:
            raise ModelError(f"the model's input {shown!r} has no shape", hint=NO_BATCH)
        told = self.told.get(name, self.told.get("" if len(self.model.inputs) == 1 else name))
        if len(shape) == len(self.model.inputs) == 1 and shape[0] != 0:
            return (shape[0] or 1,)
        if not shape or shape[0] == 0:
            raise ModelError(f"the model's input {shown!r} has shape {_told(shape)}: no batch of 1", hint=NO_BATCH)
        if self.batch not in (0, shape[0] or self.batch):
            raise ModelError(f"the model's inputs have batches of {self.batch} and {shape[0]} ({shown!r})", hint=STATES)
        self.batch = shape[0] or self.batch
        own = shape[1:]
        if told is not None:
            if len(told) != len(own) or any(have not in (None, size) for have, size in zip(own, told, strict=True)):
                what = f"[[model]] input_shape tells {tuple(told)}, and the model's input has shape {own}"
                raise ModelError(what, hint="give as many axes, and change only those that are None")
            own = tuple(told)
        if not 1 <= len(own) <= 3 or any(size is None or size < 1 for size in own):
            hint = "use one to three fixed axes behind the batch"
            if None in own:
                hint = open_hint(own, "export it with fixed axes")
            raise ModelError(f"the model's input {shown!r} has shape {_told(shape)}", hint=hint)
        return (1, *(int(size or 1) for size in own))

    def output(self, declared: Declared) -> Tensor:
        """Planes stay channels last, where that is how they lie; all else is in the order of the file."""
        value = self.values.get(declared.name)
        if not isinstance(value, Tensor):
            what = f"output {shortened(printable(declared.name), 60)!r} is a constant, or computed by nobody"
            raise ModelError(what, hint="leave it out")
        last = channels_last(len(value.shape))
        planes = self.channels_last and len(value.shape) in (3, 4) and value.order
        order = last if planes and _lies(value, last) else range(len(value.axes))
        moved = self.made.moved(value, order)
        shape = tuple(value.shape[axis] for axis in order)
        shape = shape[1:] if shape[:1] == (1,) else shape
        return moved.at(self.made.seen(moved, shape or (1,)))

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _node(self, index: int, node: Node) -> None:
        name = shortened(printable(node.name or f"{node.kind}_{index}"), 200)
        kind = printable(f"{node.domain}.{node.kind}" if node.domain else node.kind)[:60]
        for output in node.outputs:
            self.values[output] = None
        if kind not in CONVERTERS and kind not in FOLDED:
            self.problems.no_kernel(name, kind, index)
            return
        given = [self.values[one] if one else None for one in node.inputs]
        if any(one and value is None for one, value in zip(node.inputs, given, strict=True)):
            return  # told already
        results = self.problems.caught(name, kind, lambda: self._converted(index, node, name, kind, tuple(given)))
        for output, result in zip(node.outputs, results or (), strict=False):
            numbers = self.numbers.get(output)
            is_stored = numbers is not None and isinstance(result, Tensor)
            self.values[output] = self._in_numbers(node, result, numbers) if is_stored else result  # type: ignore[arg-type]

    def _converted(
        self, index: int, node: Node, name: str, kind: str, values: tuple[Value | None, ...]
    ) -> Sequence[Value]:
        before = len(self.made.layers)
        is_constant = kind in OF_SHAPES or not any(isinstance(value, Tensor) for value in values)
        used = tuple(bool(output) and output in self._read for output in node.outputs)
        unique = name if is_constant else self.made.unique(name)
        view = OnnxNode(
            unique, kind, Attributes(node.attributes), values, used, self.model.opset, self.made, self.batch or 1
        )
        table: Mapping[str, object] = FOLDED if is_constant else CONVERTERS
        if kind not in table:
            raise view.refused("works on constants alone" if is_constant else "works on what is computed", CONSTANT)
        try:
            with np.errstate(all="ignore"):
                view = older.modern(view) if self.model.opset <= older.UP_TO else view
                result = table[kind](view)  # type: ignore[operator]
        except ODD as error:
            why = f"has settings that cannot be understood ({type(error).__name__}: {str(error)[:80]!r})"
            raise view.refused(why, "export the model again") from None
        for key in view.attributes.ignored:
            raise view.refused(f"has an attribute {printable(key)!r:.60}, which is not known", "export the model again")
        if not is_constant:
            self.made.release(unique)
        results = list(result) if isinstance(result, (list, tuple)) else [result]
        if any(used[len(results) :]):
            raise view.refused(f"gives {node.outputs[used.index(True, len(results))]!r:.60}, too", ONE_OUTPUT)
        self._note(Origin((name,), (index,)), zip(node.outputs, used, results, strict=False), before)
        return results

    def _in_numbers(self, node: Node, value: Tensor, numbers: Affine) -> Tensor:
        """The layer of that value, stored so; one of its own where the same reals are read otherwise, too."""
        have = self.stored_as.get(value.layer)
        if have == numbers:
            return value
        if have is None and (node.kind != "QuantizeLinear" or self._is_only_read(node.inputs[0], numbers)):
            self.stored_as[value.layer] = numbers
            return value
        name = self.made.unique(f"{value.layer}_quantized")
        layer = Convert(name=name, inputs=(value.layer,), shape=self.made.shapes[value.layer])
        self.stored_as[self.made.add(layer)] = numbers
        return value.at(name)

    def _is_only_read(self, name: str, numbers: Affine) -> bool:
        """Is all that becomes of a tensor, and of those that it is another view of, stored in these numbers?"""
        readers = self._readers.get(name, [])
        own = [self.numbers.get(one.outputs[0]) if one.kind == "QuantizeLinear" else None for one in readers]
        if any(have != numbers for have in own):
            return False
        value = self.values.get(name)
        while (maker := self._makers.get(name)) and isinstance(value, Tensor):
            before = [one for one in maker.inputs if _layer_of(self.values.get(one)) == value.layer]
            if not before:
                return True
            name = before[0]
            if len(self._readers[name]) > 1:
                return False
        return True

    @cached_property
    def _readers(self) -> dict[str, list[Node]]:
        """Nodes that read a tensor; outputs of the model are read by one that does nothing."""
        end = Node("Identity", tuple(one.name for one in self.model.outputs), ("",))
        readers: dict[str, list[Node]] = {}
        for node in (*(self.model.nodes[index] for index in sorted(_needed(self.model))), end):
            for name in node.inputs:
                readers.setdefault(name, []).append(node)
        return readers

    @cached_property
    def _makers(self) -> dict[str, Node]:
        return {output: node for node in self.model.nodes for output in node.outputs if output}

    def _note(self, origin: Origin, results: Iterable[tuple[str, bool, Value]], before: int) -> None:
        """Of the first output that is read and that a layer of its own computes. `before`: layers that were there."""
        new = {layer.name for layer in self.made.layers[before:]}
        for name, is_used, result in results:
            if is_used and isinstance(result, Tensor) and result.layer in new:
                self.origins[result.layer] = origin
                self.computed[origin] = Computed(name, result)
                return

    @cached_property
    def _read(self) -> set[str]:
        """Names that a node reads, or that are outputs."""
        inner = {name for node in self.model.nodes for name in node.inputs}
        return inner | {one.name for one in self.model.outputs}


ONE_OUTPUT = "only its first output can be read: leave the other one out"
CONSTANT = "fold it into a constant before the export, or leave it out"


def _layer_of(value: Value | None) -> str | None:
    return value.layer if isinstance(value, Tensor) else None


def _told(shape: Sequence[int | None]) -> str:
    """The batch, and other axes that are open, by these words."""
    open_axis = ["batch", *["open"] * len(shape)]
    return f"({', '.join(str(size or word) for size, word in zip(shape, open_axis, strict=False))})"


def _lies(x: Tensor, order: Sequence[int]) -> bool:
    places = [place for axis in order for place in x.axes[axis]]
    return places == sorted(places)


def _needed(model: Model) -> set[int]:
    """Nodes that the outputs need."""
    makers = {output: index for index, node in enumerate(model.nodes) for output in node.outputs if output}
    waiting, found = [one.name for one in model.outputs], set[int]()
    while waiting:
        index = makers.get(waiting.pop())
        if index is not None and index not in found:
            found.add(index)
            waiting.extend(model.nodes[index].inputs)
    return found


def _ordered(model: Model, needed: set[int], known: set[str]) -> list[int]:
    """So that each comes after those that it reads: as in the file, which the standard demands, where that is so."""
    made, order, left = set(known) | {""}, list[int](), sorted(needed)
    while left:
        later = []
        for index in left:
            node = model.nodes[index]
            if all(name in made for name in node.inputs):
                order.append(index)
                made.update(node.outputs)
            else:
                later.append(index)
        if len(later) == len(left):
            name = next(one for one in model.nodes[left[0]].inputs if one not in made)
            raise broken(f"a node reads {shortened(printable(name), 60)!r}, which nothing writes")
        left = later
    return order
