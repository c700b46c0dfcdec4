"""Model -> Source: the walk over its nodes, and the graph of what its outputs need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcusim.graph import Graph, Output
from mcusim.models.ending import distinct, output_names, reachable
from mcusim.models.onnx.model import Model
from mcusim.models.onnx.patterns import simplified
from mcusim.models.onnx.tensor import Tensor
from mcusim.models.onnx.walk import Walk
from mcusim.models.source import Origin, Shapes, Source
from mcusim.system.errors import ModelError
from mcusim.system.names import printable, shortened


@dataclass(frozen=True)
class Converted:
    """`inputs`, `outputs` and what nodes compute, by origin: how they lie in the memory of the graph's layers."""

    source: Source
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    computed: Mapping[Origin, Tensor]


def converted(model: Model, name: str, shapes: Shapes) -> Converted:
    """The graph is called `name`. Raises ModelError for all that cannot be converted.

    `shapes`: see `ModelFormat`.
    """
    walk = Walk(simplified(model), shapes)
    _demand_known(walk, shapes)
    walk.run()
    outputs = tuple(walk.output(one) for one in model.outputs)
    names = output_names([shortened(printable(one.name), 60) or "output" for one in model.outputs])
    ends = distinct([one.layer for one in outputs], walk.made.layers, walk.made.add)
    layers = reachable(walk.made.layers, ends)
    graph = Graph(tuple(layers), name, outputs=tuple(Output(*pair) for pair in zip(names, ends, strict=True)))
    kept = {layer.name for layer in layers}
    origins = {layer: origin for layer, origin in walk.origins.items() if layer in kept}
    inputs = tuple(value for one in model.inputs if isinstance(value := walk.values[one.name], Tensor))
    return Converted(Source(graph, origins=origins), inputs, outputs, walk.computed)


def _demand_known(walk: Walk, shapes: Shapes) -> None:
    """Raises ModelError for a shape of an input that there is not, and a model without outputs."""
    known = walk.input_names
    unknown = set(shapes) - set(known) - ({""} if len(known) == 1 else set())
    if unknown:
        what = f"[[model]] input_shape tells of an input {min(unknown)!r}, and the model has none"
        raise ModelError(what, hint=f"its inputs: {', '.join(map(printable, known))}")
    if not walk.model.outputs or not walk.model.inputs:
        raise ModelError("the model has no inputs, or no outputs", hint="export it again")
