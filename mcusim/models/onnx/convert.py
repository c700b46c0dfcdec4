"""Model -> Source: the walk over its nodes, and the graph of what its outputs need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcusim.graph import Graph, Output
from mcusim.models.ending import distinct, output_names, reachable
from mcusim.models.onnx.model import Model
from mcusim.models.onnx.node import channels_last
from mcusim.models.onnx.patterns import simplified
from mcusim.models.onnx.tensor import Tensor
from mcusim.models.onnx.walk import Walk
from mcusim.models.source import Order, Origin, Shapes, Source
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
    walk, outputs = _walked(model, shapes)
    names = output_names([shortened(printable(one.name), 60) or "output" for one in model.outputs])
    ends = distinct([one.layer for one in outputs], walk.made.layers, walk.made.add)
    layers = reachable(walk.made.layers, ends)
    graph = Graph(tuple(layers), name, outputs=tuple(Output(*pair) for pair in zip(names, ends, strict=True)))
    kept = {layer.name for layer in layers}
    origins = {layer: origin for layer, origin in walk.origins.items() if layer in kept}
    inputs = tuple(value for one in model.inputs if isinstance(value := walk.values[one.name], Tensor))
    source = Source(
        graph,
        origins=origins,
        input_orders=_orders(["" if len(inputs) == 1 else layer.name for layer in graph.inputs], inputs),
        output_orders=_orders(["" if len(names) == 1 else one for one in names], outputs),
    )
    return Converted(source, inputs, outputs, walk.computed)


def _walked(model: Model, shapes: Shapes) -> tuple[Walk, tuple[Tensor, ...]]:
    """Where an output may be compared with the input, number by number, both have one order: that of the file, unless
    they are planes both.
    """
    for is_last in (True, False):
        walk = Walk(simplified(model), shapes, is_last)
        _demand_known(walk, shapes)
        walk.run()
        outputs = tuple(walk.output(one) for one in model.outputs)
        inputs = [value for one in model.inputs if isinstance(value := walk.values[one.name], Tensor)]
        if len(inputs) > 1 or all(_agree(inputs[0], output) for output in outputs):
            break
    return walk, outputs


def _agree(x: Tensor, y: Tensor) -> bool:
    """Not as many numbers, or all in one order."""
    return x.elements != y.elements or _axes(x) == _axes(y)


def _axes(x: Tensor) -> tuple[int, ...]:
    """Those behind the batch, in the order of memory; none where that is the order of the file."""
    there = [axis for axis in x.order or () if x.axes[axis]]
    return tuple(there) if there != sorted(there) else ()


def _orders(names: Sequence[str], tensors: Sequence[Tensor]) -> dict[str, Order]:
    """Of those that lie in another order than the file has."""
    return {
        name: Order(x.shape[1:], tuple(axis - 1 for axis in channels_last(len(x.axes))[1:]))
        for name, x in zip(names, tensors, strict=True)
        if _axes(x)
    }


def _demand_known(walk: Walk, shapes: Shapes) -> None:
    """Raises ModelError for a shape of an input that there is not, and a model without outputs."""
    known = walk.input_names
    unknown = set(shapes) - set(known) - ({""} if len(known) == 1 else set())
    if unknown:
        what = f"[[model]] input_shape tells of an input {min(unknown)!r}, and the model has none"
        raise ModelError(what, hint=f"its inputs: {', '.join(map(printable, known))}")
    if not walk.model.outputs or not walk.model.inputs:
        raise ModelError("the model has no inputs, or no outputs", hint="export it again")
