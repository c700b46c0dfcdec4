"""Model -> Source: the walk over its nodes, and the graph of what its outputs need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcusim.graph import Graph, Layer, Output
from mcusim.models.ending import distinct, output_names, reachable
from mcusim.models.onnx.decisions import with_scores
from mcusim.models.onnx.dynamic import AT_RUN_TIME
from mcusim.models.onnx.estimators import rewritten
from mcusim.models.onnx.integers import Integers, Weights
from mcusim.models.onnx.model import Model, Node
from mcusim.models.onnx.node import channels_last
from mcusim.models.onnx.patterns import simplified
from mcusim.models.onnx.quantization import Stored, of_reals
from mcusim.models.onnx.series import samples_first
from mcusim.models.onnx.tensor import Tensor
from mcusim.models.onnx.walk import Computed, Walk
from mcusim.models.source import Order, Origin, Shapes, Source
from mcusim.numbers.affine import Affine
from mcusim.system.errors import ModelError
from mcusim.system.names import printable, shortened

OUTPUT_AXES = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
ROUNDING = (
    "integers of the file are computed with as TensorFlow Lite Micro does it; onnxruntime rounds some by one otherwise"
)


@dataclass(frozen=True)
class Converted:
    """`inputs`, `outputs` and what nodes compute, by origin: how they lie in the memory of the graph's layers.

    `model`: whose nodes the origins name, and whose outputs these are.
    """

    source: Source
    model: Model
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    computed: Mapping[Origin, Computed]


def converted(model: Model, name: str, shapes: Shapes) -> Converted:
    """The graph is called `name`. Raises ModelError for all that cannot be converted.

    `shapes`: see `ModelFormat`.
    """
    model, labels = rewritten(samples_first(model))
    model, notes = with_scores(model)
    notes = (*labels, *notes)
    quantization = of_reals(model)
    stored = quantization.stored
    walk, outputs = _walked(simplified(quantization.model), shapes, quantization.numbers)
    names = output_names([shortened(printable(one.name), 60) or "output" for one in model.outputs])
    ends = distinct([one.layer for one in outputs], walk.made.layers, walk.made.add)
    layers = reachable(walk.made.layers, ends)
    told: dict[str, Any] = {"outputs": tuple(Output(*pair) for pair in zip(names, ends, strict=True))}
    if walk.stored_as:
        layers, own = _on_integers(walk, stored, layers, ends)
        notes = (*notes, *own)
        told |= {"scheme": "affine"}
        told |= {"data_type": "int8"} if {one.bits for one in walk.stored_as.values()} == {8} else {}
    if quantization.at_run_time:
        notes = (*notes, AT_RUN_TIME)
    graph = Graph(tuple(layers), name, **told, notes=notes)
    kept = {layer.name for layer in layers}
    origins = {layer: origin for layer, origin in walk.origins.items() if layer in kept}
    inputs = tuple(value for one in model.inputs if isinstance(value := walk.values[one.name], Tensor))
    source = Source(
        graph,
        origins=origins,
        input_orders=_orders(["" if len(inputs) == 1 else layer.name for layer in graph.inputs], inputs),
        output_orders=_orders(["" if len(names) == 1 else one for one in names], outputs),
        unproved=AT_RUN_TIME if quantization.at_run_time else None,
    )
    return Converted(source, model, inputs, outputs, walk.computed)


def _walked(model: Model, shapes: Shapes, numbers: Mapping[str, Affine]) -> tuple[Walk, tuple[Tensor, ...]]:
    """Where an output may be compared with the input, number by number, both have one order: that of the file, unless
    they are planes both.
    """
    for is_last in (True, False):
        walk = Walk(model, shapes, is_last, numbers)
        _demand_known(walk, shapes)
        walk.run()
        outputs = tuple(walk.output(one) for one in model.outputs)
        inputs = [value for one in model.inputs if isinstance(value := walk.values[one.name], Tensor)]
        if len(inputs) > 1 or all(_agree(inputs[0], output) for output in outputs):
            break
    return walk, outputs


def _on_integers(
    walk: Walk, stored: Mapping[str, Stored], layers: Sequence[Layer], ends: Sequence[str]
) -> tuple[list[Layer], tuple[str, ...]]:
    there = {layer.name for layer in layers}
    weights = {
        name: found
        for name, origin in walk.origins.items()
        if name in there and (found := _weights(walk.model.nodes[origin.calls[0]], stored))
    }
    integers = Integers(dict(walk.stored_as), weights, ends)
    made = reachable(integers.run(layers), ends)
    return made, (ROUNDING, *integers.notes)


def _weights(node: Node, stored: Mapping[str, Stored]) -> Weights | None:
    """Of a node that sums: its outputs are along the axis that has the scales."""
    operand = 0 if node.kind == "MatMul" and node.inputs[0] in stored else 1
    if node.kind not in OUTPUT_AXES or len(node.inputs) < 2 or node.inputs[operand] not in stored:
        return None
    kernel, bias = stored[node.inputs[operand]], stored.get(node.inputs[2]) if len(node.inputs) > 2 else None
    axis = OUTPUT_AXES[node.kind] if operand else 0
    if node.kind == "Gemm" and node.attributes.get("transB"):
        axis = 0
    return Weights(kernel.scales, bias) if kernel.scales.size == 1 or kernel.axis == axis else None


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
