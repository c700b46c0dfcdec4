"""Description + weights -> layers of a Graph: models are called, layers converted, in an order in which they can run.

What cannot be read is collected and told at once. What reads it is not converted, only looked at whether it could be.
"""

import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mcusim.graph import Layer, Shape
from mcusim.layers.input import Input
from mcusim.models.ending import Names
from mcusim.models.keras import operations
from mcusim.models.keras.convert import converted
from mcusim.models.keras.description import INPUT, SHAPES, Call, Described, Ref, refs_in, shown
from mcusim.models.keras.hdf5 import broken
from mcusim.models.keras.layer import KerasLayer
from mcusim.models.keras.layers import CONVERTERS, IDENTITIES
from mcusim.models.keras.weights import Place, Weights
from mcusim.models.problems import ATTENTION, EMBEDDING, Problems, open_hint
from mcusim.models.source import LARGEST_TENSOR_ELEMENTS, Origin
from mcusim.system.errors import ModelError

MOST_CALLS = 4096
OWN = (
    "nothing in a model's file is executed: say the same with layers of Keras, x * 2 + 1 or keras.ops (`mcusim layers`)"
)
Name = str | None  # of the layer of the graph that computes a tensor; None when it cannot be read
UNREAD: Sequence[Name] = (None,)  # outputs, however many, of what cannot be read


def _hint(kind: str) -> str | None:
    """What helps where a layer is code of the user's, or takes no real numbers."""
    if kind == "Embedding":
        return EMBEDDING
    if kind.endswith("Attention"):
        return ATTENTION
    return OWN if kind in ("Lambda", "Custom") or ">" in kind else None


@dataclass
class Walk:
    """Layers so far. `version`: of the Keras that saved the model, as far as it tells. `batch`: the fixed batch of the
    model's input, if it has one. `told`: shapes of inputs that users told, by name.
    """

    weights: Weights
    version: str = ""
    told: Mapping[str, Shape] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    problems: Problems = field(default_factory=lambda: Problems(_hint))
    batch: int | None = None
    calls: int = 0
    names: Names = field(default_factory=Names)

    def append(self, layer: Layer) -> None:
        self.layers.append(layer)
        self.shapes[layer.name] = layer.shape

    # -- models --------------------------------------------------------------------------------------------------------

    def inputs(self, model: Described) -> list[Name]:
        """An Input for each input of the outermost model, called like it; an only one `input`. None: not readable."""
        names = (
            ["input"] if len(model.inputs) == 1 else [name or model.layers[r.layer].name for name, r in model.inputs]
        )
        if unknown := set(self.told) - set(names):
            what = f"[[model]] input_shape tells of an input {min(unknown)!r}, and the model has none"
            raise ModelError(what, hint=f"its inputs: {', '.join(map(shown, names))}")
        return [
            self.problems.caught(name, INPUT, partial(self._input, model.layers[ref.layer], name))
            for name, (_, ref) in zip(names, model.inputs, strict=True)
        ]

    def _input(self, layer: Described, name: str) -> str:
        told = next((layer.config[key] for key in SHAPES if layer.config.get(key) is not None), None)
        if not isinstance(told, list):
            raise ModelError(f"the model's input {shown(layer.name)!r} has no shape", hint="start with Input((128, 9))")
        shape = self._fixed(tuple(told[1:]), name)
        if not 1 <= len(shape) <= 3 or any(type(axis) is not int or axis < 1 for axis in shape):
            hint = "use one to three fixed axes, for example Input((128, 9))"
            if None in shape:
                hint = open_hint(shape, f"save it with Input({tuple(axis or 128 for axis in shape)})")
            raise ModelError(f"the model's input {shown(layer.name)!r} has shape {shape}", hint=hint)
        if math.prod(shape) > LARGEST_TENSOR_ELEMENTS:
            hint = "use a smaller input"
            raise ModelError(f"layer {shown(layer.name)!r} ({INPUT}) takes {math.prod(shape)} numbers", hint=hint)
        for key in ("sparse", "ragged"):
            if layer.config.get(key):
                raise ModelError(f"the model's input {shown(layer.name)!r} is {key}", hint="use a dense input")
        self.batch = told[0] if type(told[0]) is int else self.batch
        name = self.names.unique(shown(name))
        self.append(Input(name=name, inputs=(), shape=shape))
        return name

    def _fixed(self, shape: tuple[Any, ...], name: str) -> tuple[Any, ...]:
        """With the axes that the model leaves open as the user told them."""
        told = self.told.get(name)
        if told is None:
            return shape
        if len(told) != len(shape) or any(own not in (None, size) for own, size in zip(shape, told, strict=True)):
            what = f"[[model]] input_shape tells {tuple(told)}, and the model's input has shape {shape}"
            raise ModelError(what, hint="give as many axes, and change only those that are None")
        return tuple(told)

    def model(self, model: Described, tensors: Sequence[Name], place: Place, path: Origin) -> list[Name]:
        """Append the layers of a model that is called on these tensors; -> the names of its outputs."""
        made: dict[tuple[int, int], Sequence[Name]] = {}
        for (_, ref), tensor in zip(model.inputs, tensors, strict=True):
            made[ref.layer, ref.call] = [tensor]
        for index, number, call in _ordered(model, made):
            layer = model.layers[index]
            inner = Origin((*path.path, layer.name), (*path.calls, layer.numbers.index(number)))
            made[index, number] = self._called(layer, call, made, (*place, index), inner)
        return [_tensor(made, ref) for _, ref in model.outputs]

    def _called(
        self, layer: Described, call: Call, made: Mapping[tuple[int, int], Sequence[Name]], place: Place, path: Origin
    ) -> Sequence[Name]:
        self.calls += 1
        if self.calls > MOST_CALLS:
            raise ModelError(f"the model has more than {MOST_CALLS} layers", hint="use a smaller model")
        name = shown("_".join(path.path))
        if layer.is_model:
            refs = self.problems.caught(name, layer.kind, lambda: _given(layer, call)) or []
            known: list[Name] = [_tensor(made, ref) for ref in refs] or [None] * len(layer.inputs)
            return self.model(layer, known, place, path)
        if layer.kind == INPUT:
            return [_tensor(made, ref) for ref in refs_in(call.arguments)]
        return self._layer(layer, call, made, place, path, name)

    # -- layers --------------------------------------------------------------------------------------------------------

    def _layer(
        self,
        layer: Described,
        call: Call,
        made: Mapping[tuple[int, int], Sequence[Name]],
        place: Place,
        path: Origin,
        name: str,
    ) -> Sequence[Name]:
        is_operation = layer.is_operation or operations.is_operation(layer.kind)
        unknown = operations.unknown(layer) if is_operation else layer.kind not in (*CONVERTERS, *IDENTITIES)
        if unknown:
            self.problems.no_kernel(name, operations.function_of(layer) if is_operation else layer.kind, place)
            return UNREAD
        refs = list(call.refs)
        inputs = [_tensor(made, ref) for ref in refs]
        if None in inputs:
            return UNREAD  # told already
        known = tuple(str(tensor) for tensor in inputs)

        def convert() -> Sequence[Name]:
            if is_operation:
                return self._operation(layer, call, dict(zip(refs, known, strict=True)), path, name)
            _demand_plain(name, layer.kind, call)
            idle = layer.kind in IDENTITIES
            return [known[0] if idle else self._converted(layer, known, place, path, name)]

        return self.problems.caught(name, layer.kind, convert) or UNREAD

    def _converted(self, layer: Described, inputs: tuple[str, ...], place: Place, path: Origin, name: str) -> str:
        end = self._step(layer.kind, layer.config, inputs, self.weights.of(place), self.names.unique(name))
        return self._from(path, end, inputs)

    def _from(self, path: Origin, end: str, inputs: Sequence[str]) -> str:
        """Note of which layer `end` is, unless that changes nothing."""
        if end not in inputs:
            self.origins[end] = path
        return end

    def _operation(
        self, layer: Described, call: Call, names: Mapping[Ref, str], path: Origin, name: str
    ) -> Sequence[Name]:
        """A function called on tensors: the layers of the same meaning, one after the other."""
        shapes = {ref: self.shapes[tensor] for ref, tensor in names.items()}
        steps = operations.steps(layer, call, shapes, self.batch)
        ends: list[str] = []
        for number, step in enumerate(steps, 1):
            read = step.inputs or (number - 2,)
            inputs = tuple(ends[source] if isinstance(source, int) else names[source] for source in read)
            if step.kind not in CONVERTERS:
                raise operations.no_kernel(name, layer, step.kind)
            called = self.names.unique(name if number == len(steps) else f"{name}_{number}")
            ends.append(self._step(step.kind, step.config, inputs, (), called))
        outputs = [end for end, step in zip(ends, steps, strict=True) if step.is_output]
        outputs = outputs or [[*names.values(), *ends][-1]]
        self._from(path, outputs[0], tuple(names.values()))
        return outputs

    def _step(self, kind: str, settings: Mapping[str, Any], inputs: tuple[str, ...], arrays: Any, name: str) -> str:
        """One converter; -> the name of what it ends with."""
        shapes = tuple(self.shapes[tensor] for tensor in inputs)
        layers = converted(KerasLayer(name, kind, settings, arrays, inputs, shapes, self.version))
        for layer in layers:
            self.append(layer)
        return layers[-1].name if layers else inputs[0]


# -- calls ---------------------------------------------------------------------------------------------------------


def _tensor(made: Mapping[tuple[int, int], Sequence[Name]], ref: Ref) -> Name:
    outputs = made.get((ref.layer, ref.call), ())
    if outputs is UNREAD:
        return None
    if not 0 <= ref.output < len(outputs):
        raise broken("a layer reads what nothing writes")
    return outputs[ref.output]


def _ordered(model: Described, known: Mapping[tuple[int, int], object]) -> Iterator[tuple[int, int, Call]]:
    """(layer, which of its calls, call) so that each comes after those that it reads, else as in the description."""
    calls = {
        (index, number): call
        for index, layer in enumerate(model.layers)
        for number, call in zip(layer.numbers, layer.calls, strict=True)
        if (index, number) not in known
    }
    missing: dict[tuple[int, int], int] = {}
    readers: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for key, call in calls.items():
        sources = {(ref.layer, ref.call) for ref in call.refs} - set(known)
        missing[key] = len(sources)
        for source in sources:
            readers.setdefault(source, []).append(key)
    ready = [key for key, count in missing.items() if count == 0]
    heapq.heapify(ready)
    done = 0
    while ready:
        key = heapq.heappop(ready)
        done += 1
        yield (*key, calls[key])
        for reader in readers.get(key, ()):
            missing[reader] -= 1
            if missing[reader] == 0:
                heapq.heappush(ready, reader)
    if done < len(calls):
        stuck = next(index for (index, number), count in missing.items() if count)
        raise broken(f"layer {shown(model.layers[stuck].name)!r} reads what nothing writes")


def _given(model: Described, call: Call) -> list[Ref]:
    """What a nested model is called with, in order of its inputs."""
    _demand_plain(model.name, model.kind, call)
    arguments = call.arguments or tuple(call.keywords.values())
    if len(arguments) == 1 and isinstance(arguments[0], Mapping):
        names = [name or model.layers[ref.layer].name for name, ref in model.inputs]
        return [ref for name in names for ref in refs_in(arguments[0][name])]
    refs = list(refs_in(arguments))
    if len(refs) != len(model.inputs):
        what = f"model {shown(model.name)!r} has {len(model.inputs)} inputs and is called with {len(refs)}"
        raise ModelError(what, hint="save the model again")
    return refs


def _is_nothing(value: Any) -> bool:
    values = list(value.values()) if isinstance(value, Mapping) else value
    return value is None or value is False or (isinstance(values, (list, tuple)) and all(map(_is_nothing, values)))


def _demand_plain(name: str, kind: str, call: Call) -> None:
    """Beside tensors, a layer is called with nothing that changes what it computes."""
    given = [*(("an argument", value) for value in call.arguments), *call.keywords.items()]
    for key, value in given:
        if not _is_nothing(value) and not list(refs_in(value)):
            raise ModelError(f"layer {name!r} ({kind}) is called with {key} = {value!r:.80}", hint=f"leave {key!r} out")
    tensors = [key for key, value in call.keywords.items() if list(refs_in(value)) and key not in ("inputs", "x")]
    if tensors and call.arguments:
        raise ModelError(f"layer {name!r} ({kind}) is called with {tensors[0]}", hint=f"leave {tensors[0]!r} out")
