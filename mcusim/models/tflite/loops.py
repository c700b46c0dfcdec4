"""Model -> Model without loops: the body of a WHILE that counts, once for each time that it runs.

A recurrent layer for which the converter has no operator of its own is such a loop: it counts steps, takes the one that
it counts out of a series, and puts what it gives into a list. What the count decides is known here; the rest becomes
operations of the model, all of which read the same weights. Lists exist only here: of whole TensorFlow (TensorList..),
or as tensors that are cut in two at the count and joined around what is new.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.models.problems import ODD
from mcusim.models.tflite.description import ABSENT, Model, Operation, Tensor
from mcusim.models.tflite.file import MOST_OPERATIONS
from mcusim.models.tflite.fold import FOLDERS, Folding, slices
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

LOOP = "WHILE"
LIST = "CUSTOM:FlexTensorList"
FOLDED_BY_THE_WALK = ("DEQUANTIZE", "QUANTIZE")  # to other numbers, whose scales are the tensor's
MOST_KNOWN_ELEMENTS = 2**24
INSTEAD = "convert recurrent layers with unroll=True, or use a shorter series"


def with_loops(model: Model) -> Model:
    """The model as it is where it has no loop. Raises ModelError for one whose end its inputs decide."""
    if not any(operation.kind == LOOP for operation in model.operations):
        return model
    work = Unrolling(model, [*model.tensors])
    places = {tensor.index: tensor.index for tensor in model.tensors}
    try:
        work.run(model, places)
    except (*ODD, RecursionError) as error:
        what = f"loops of the model cannot be understood ({type(error).__name__})"
        raise ModelError(what, hint=INSTEAD) from None
    outputs = tuple(work.whole(places[index]) for index in model.outputs)
    names = {places[index]: name for index, name in model.names.items()}
    operations = tuple(replace(one, index=index) for index, one in enumerate(work.operations))
    return replace(model, tensors=tuple(work.tensors), operations=operations, outputs=outputs, names=names, inner=())


@dataclass
class Unrolling:
    """`tensors`: those of the model, then those of bodies, each time anew. `rows`: of lists, by tensor.

    `stored`: constants of bodies that are among the tensors already, by subgraph and place.
    """

    model: Model
    tensors: list[Tensor]
    operations: list[Operation] = field(default_factory=list)
    rows: dict[int, list[int | None]] = field(default_factory=dict)
    stored: dict[tuple[int, int], int] = field(default_factory=dict)
    turns: int = 0  # of all loops
    known: int = 0  # numbers of constants that were computed

    def run(self, graph: Model, places: dict[int, int]) -> None:
        """`places`: of the tensors of `graph` among ours, inputs first; it is filled."""
        for operation in graph.operations:
            inputs = tuple(self._place(graph, places, index) for index in operation.inputs)
            outputs = [graph.tensors[index] for index in operation.outputs]
            own = graph is self.model
            made = self._operation(graph, operation, inputs, outputs)
            if made is None:
                whole = tuple(index if index == ABSENT else self.whole(index) for index in inputs)
                made = [one.index if own else self.added(one) for one in outputs]
                self.emit(replace(operation, inputs=whole, outputs=tuple(made)))
            places.update(zip(operation.outputs, made, strict=True))

    def _place(self, graph: Model, places: Mapping[int, int], index: int) -> int:
        if index == ABSENT or index in places:
            return index if index == ABSENT else places[index]
        key = id(graph), index
        if key not in self.stored:
            self.stored[key] = self.added(graph.tensors[index])
        return self.stored[key]

    def _operation(
        self, graph: Model, operation: Operation, inputs: Sequence[int], outputs: Sequence[Tensor]
    ) -> list[int] | None:
        """Places of the outputs of what runs here; None for what becomes an operation."""
        kind = operation.kind
        if kind == LOOP:
            return self._loop(operation, inputs)
        if kind.startswith(LIST) and kind.removeprefix(LIST) in LISTS:
            return [LISTS[kind.removeprefix(LIST)](self, inputs, outputs[0])]
        if kind == "SLICE" and inputs[0] in self.rows:
            (first, *_), (size, *_) = (self._whole_numbers(place) for place in inputs[1:3])
            return [self.listed(self.rows[inputs[0]][first : None if size == -1 else first + size])]
        if kind == "STRIDED_SLICE" and inputs[0] in self.rows:
            return self._picked(operation, inputs, outputs[0])
        carried = graph is not self.model and operation.outputs[0] in graph.outputs
        if carried and kind == "CONCATENATION" and not any(operation.options.values()):  # along the first axis
            return [self.listed([row for place in inputs for row in self._rows(place)])]
        return self._folded(operation, inputs, outputs)

    def _loop(self, operation: Operation, inputs: Sequence[int]) -> list[int]:
        condition, body = (self._inner(operation, role) for role in ("cond", "body"))
        values = list(inputs)
        while True:
            places = dict(zip(condition.inputs, values, strict=True))
            self.run(condition, places)
            told = self.tensors[self._place(condition, places, condition.outputs[0])].data
            if told is None or told.size != 1:
                raise ModelError(f"operation {operation.index} ({LOOP}) ends when its inputs say so", hint=INSTEAD)
            if not told.any():
                return values
            places = dict(zip(body.inputs, values, strict=True))
            self.run(body, places)
            values = [self._place(body, places, index) for index in body.outputs]
            self.turns += 1
            self.demand_few(0)

    def _inner(self, operation: Operation, role: str) -> Model:
        number = int(operation.options[f"{role}_subgraph_index"])
        inner = self.model.inner[number - 1] if 1 <= number <= len(self.model.inner) else None
        count = {len(operation.inputs)}
        if inner is None or {len(inner.inputs), len(inner.outputs) if role == "body" else len(inner.inputs)} != count:
            raise ModelError(f"operation {operation.index} ({LOOP}) has no {role} subgraph", hint=INSTEAD)
        return inner

    # -- what becomes of tensors ---------------------------------------------------------------------------------------

    def added(self, tensor: Tensor, **other: Any) -> int:
        """No file knows its place, so that nobody looks for it there."""
        self.demand_few(0)
        self.tensors.append(replace(tensor, index=ABSENT, **other))
        return len(self.tensors) - 1

    def constant(self, values: Array, tensor: Tensor) -> int:
        self.known += values.size
        return self.added(tensor, shape=values.shape, signature=values.shape, data=values)

    def listed(self, rows: list[int | None]) -> int:
        self.demand_few(len(rows))
        place = self.added(Tensor(ABSENT, "list", (), (), "variant"))
        self.rows[place] = rows
        return place

    def emit(self, operation: Operation) -> None:
        self.operations.append(operation)
        self.demand_few(0)

    def demand_few(self, more: int) -> None:
        """Layers and turns, also of a body that does nothing, and what is known of each turn."""
        most = max(len(self.operations) + more, self.turns, len(self.tensors) // 16)
        if most > MOST_OPERATIONS or self.known > MOST_KNOWN_ELEMENTS:
            raise ModelError(f"loops of the model are more than {MOST_OPERATIONS} layers", hint=INSTEAD)

    def emitted(self, kind: str, inputs: Sequence[int], like: Tensor, shape: Shape, **options: float) -> int:
        place = self.added(like, shape=shape, signature=shape, data=None)
        self.emit(Operation(ABSENT, kind, 1, tuple(inputs), (place,), options))
        return place

    def whole(self, place: int) -> int:
        """A list as a tensor again; others as they are."""
        if place not in self.rows:
            return place
        rows = [row for row in self.rows[place] if row is not None]
        if not rows:
            raise ModelError("a list of the model is empty", hint=INSTEAD)
        shape = self.tensors[rows[0]].shape
        length = (len(rows), *shape[1:])
        return self.emitted("CONCATENATION", rows, self.tensors[rows[0]], length, axis=0, activation=0)

    def _rows(self, place: int) -> list[int | None]:
        """Along the first axis, which they keep."""
        tensor = self.tensors[place]
        if place in self.rows or tensor.data is None:
            return self.rows.get(place, [place])
        return [self.constant(tensor.values[row : row + 1], tensor) for row in range(len(tensor.values))]

    def _picked(self, operation: Operation, inputs: Sequence[int], output: Tensor) -> list[int] | None:
        """One row of a list, whole; None for anything else."""
        rows = self.rows[inputs[0]]
        first = next((self.tensors[row] for row in rows if row is not None), output)
        shape = (len(rows), *first.shape[1:])
        numbers = [np.array(self._whole_numbers(place)) for place in inputs[1:4]]
        along, *others = slices(operation.options, shape, numbers[0], numbers[1], numbers[2])
        beside = zip(others, shape[1:], strict=True)
        whole = all(isinstance(cut, slice) and range(size)[cut] == range(size) for cut, size in beside)
        row = rows[along] if isinstance(along, int) and whole else None
        if row is None:
            return None
        like = self.tensors[row]
        return [self.emitted("RESHAPE", [row], like, like.shape[1:])]

    def _folded(self, operation: Operation, inputs: Sequence[int], outputs: Sequence[Tensor]) -> list[int] | None:
        """Of constants, such as counts, and of what has a length."""
        if operation.kind not in FOLDERS or operation.kind in FOLDED_BY_THE_WALK or not inputs:
            return None
        given = [None if place == ABSENT else self.tensors[place] for place in inputs]
        known = all(tensor is None or tensor.data is not None for tensor in given)
        if not known or any(tensor and tensor.quantized for tensor in given):
            return None
        values = [np.zeros(0) if tensor is None else tensor.values for tensor in given]
        made = FOLDERS[operation.kind](Folding(operation, values, values[0].shape, outputs[0], given))
        return [self.constant(made, outputs[0])]

    def _whole_numbers(self, place: int) -> list[int]:
        """Of a constant."""
        data = self.tensors[place].data
        if data is None or data.dtype.kind != "i":
            raise ModelError("a list of the model has a place that is computed", hint=INSTEAD)
        return [int(value) for value in data.reshape(-1)]

    # -- lists of TensorFlow -------------------------------------------------------------------------------------------

    def reserved(self, inputs: Sequence[int], output: Tensor) -> int:
        (count,) = self._whole_numbers(inputs[1])
        self.demand_few(count)
        return self.listed([None] * count)

    def of_tensor(self, inputs: Sequence[int], output: Tensor) -> int:
        tensor = self.tensors[inputs[0]]
        if not tensor.shape:
            raise ModelError("a list of the model is made of a number", hint=INSTEAD)
        return self.listed([self._row(inputs[0], row) for row in range(tensor.shape[0])])

    def _row(self, place: int, row: int) -> int:
        tensor = self.tensors[place]
        index = self.constant(np.array(row, np.int32), Tensor(ABSENT, "place", (), (), "int32"))
        return self.emitted("GATHER", [place, index], tensor, tensor.shape[1:], axis=0, batch_dims=0)

    def written(self, inputs: Sequence[int], output: Tensor) -> int:
        rows, (place,) = [*self.rows[inputs[0]]], self._whole_numbers(inputs[1])
        rows[place] = inputs[2]
        return self.listed(rows)

    def read(self, inputs: Sequence[int], output: Tensor) -> int:
        row = self.rows[inputs[0]][self._whole_numbers(inputs[1])[0]]
        if row is None:
            raise ModelError("a list of the model is read where nothing was written", hint=INSTEAD)
        return row

    def stacked(self, inputs: Sequence[int], output: Tensor) -> int:
        found = self.rows[inputs[0]]
        rows = [row for row in found if row is not None]
        if len(rows) != len(found) or not rows:
            raise ModelError("a list of the model is stacked where nothing was written", hint=INSTEAD)
        like = self.tensors[rows[0]]
        return self.emitted("PACK", rows, like, (len(rows), *like.shape), axis=0)


LISTS: Mapping[str, Callable[[Unrolling, Sequence[int], Tensor], int]] = {
    "FromTensor": Unrolling.of_tensor,
    "GetItem": Unrolling.read,
    "Reserve": Unrolling.reserved,
    "SetItem": Unrolling.written,
    "Stack": Unrolling.stacked,
}
