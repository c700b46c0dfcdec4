"""quantized Graph -> Program: kernel calls and constant arrays for each layer, a place in memory for each tensor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcusim.graph import Graph, Layer, Shape
from mcusim.line import arena
from mcusim.numbers.power_of_two import ACCUMULATOR_LIMIT, Array, Format

C_TYPES = {"float32": "float", "int8": "int8_t", "int16": "int16_t"}
LONGEST_NAME = 40


@dataclass(frozen=True)
class Constant:
    """An array in flash. `role` completes its name: `<layer's function>_<role>`."""

    role: str
    ctype: str
    values: Array
    format: Format | None = None


@dataclass(frozen=True)
class KernelCall:
    """`nn_<kernel>_<type>(arguments, (nn_<kernel>_t){parameters})`.

    Arguments are `input`, `inputs[i]`, `output` or roles of constants.
    """

    kernel: str
    arguments: tuple[str, ...]
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class LayerCode:
    """What a layer does, as C sees it."""

    calls: tuple[KernelCall, ...]
    constants: tuple[Constant, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: the caller's `input` or `output`, or the arena, `offset` numbers from its start."""

    region: str
    offset: int = 0


@dataclass(frozen=True)
class Step:
    """One layer of the program, in running order."""

    name: str
    kind: str
    function: str
    macs: int
    input_shapes: tuple[Shape, ...]
    shape: Shape
    format: Format | None
    code: LayerCode
    sources: tuple[Place, ...]
    sink: Place


@dataclass(frozen=True)
class Program:
    """A model ready to be written as C."""

    name: str
    data_type: str
    scheme: str
    number_bits: int
    accumulator_bits: int
    input_shape: Shape
    output_shape: Shape
    input_format: Format | None
    output_format: Format | None
    steps: tuple[Step, ...]
    number_bytes: int
    arena_elements: int
    arena_lower_bound_bytes: int
    buffers_bytes: int

    @property
    def layers(self) -> tuple[Step, ...]:
        return self.steps

    @property
    def arena_bytes(self) -> int:
        return self.arena_elements * self.number_bytes

    @property
    def input_elements(self) -> int:
        return _product(self.input_shape)

    @property
    def output_elements(self) -> int:
        return _product(self.output_shape)

    @property
    def storage(self) -> str:
        """float32, int8 or int16: the C type behind the data type."""
        return "float32" if self.number_bits == 0 else "int8" if self.number_bits <= 8 else "int16"

    def constant_bytes(self, constant: Constant) -> int:
        size = {"number_t": self.number_bytes, "accumulator_t": self.accumulator_bits // 8, "uint16_t": 2}[
            constant.ctype
        ]
        return size * int(constant.values.size)

    @property
    def weights_bytes(self) -> int:
        return sum(self.constant_bytes(constant) for step in self.steps for constant in step.code.constants)


def lower(graph: Graph) -> Program:
    """Choose kernels and memory. The graph's Input is the caller's array and no step."""
    fmt = graph.input.format
    plan = arena.plan(graph, graph.number_dtype.itemsize)
    functions = c_names([layer.name for layer in graph.layers])
    steps = [
        _step(graph, layer, functions[layer.name], plan)
        for layer in graph.layers[1:]
        if not (layer.VIEW and plan.places[layer.name] == plan.places[layer.inputs[0]])
    ]
    return Program(
        name=graph.name,
        data_type=graph.data_type,
        scheme=graph.scheme,
        number_bits=0 if fmt is None else fmt.bits,
        accumulator_bits=64 if graph.accumulator_peak > ACCUMULATOR_LIMIT else 32,
        input_shape=graph.input_shape,
        output_shape=graph.output_shape,
        input_format=fmt,
        output_format=graph.output.format,
        steps=tuple(steps),
        number_bytes=graph.number_dtype.itemsize,
        arena_elements=plan.elements,
        arena_lower_bound_bytes=plan.lower_bound_elements * graph.number_dtype.itemsize,
        buffers_bytes=plan.buffers_elements * graph.number_dtype.itemsize,
    )


def _step(graph: Graph, layer: Layer, function: str, plan: arena.Plan) -> Step:
    inputs = graph.inputs_of(layer)
    return Step(
        name=layer.name,
        kind=layer.kind,
        function=function,
        macs=layer.macs,
        input_shapes=tuple(entry.shape for entry in inputs),
        shape=layer.shape,
        format=layer.format,
        code=layer.lower(inputs),
        sources=tuple(Place(*plan.places[name]) for name in layer.inputs),
        sink=Place(*plan.places[layer.name]),
    )


def c_names(names: list[str]) -> dict[str, str]:
    """A unique C identifier for each name: `layer_` and what C allows of it, so never a keyword or a library's name."""
    chosen: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        safe = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:LONGEST_NAME] or "unnamed"
        candidate, count = f"layer_{safe}", 1
        while candidate in taken:
            count += 1
            candidate = f"layer_{safe}_{count}"
        taken.add(candidate)
        chosen[name] = candidate
    return chosen


def _product(shape: Shape) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
