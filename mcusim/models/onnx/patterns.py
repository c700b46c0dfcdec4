"""Model -> Model: chains of nodes that spell one function are that function.

Exporters write GELU, Swish and their kin in pieces, of which some have no kernel. A pattern is a tree: a kind and its
arguments, a number, or a name that stands for any tensor, always the same one; a list holds several of which one has to
fit. The arguments of sums and products may be the other way round. What nobody reads any more falls away by itself.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcusim.models.onnx.model import Model, Node
from mcusim.system.arrays import Array

Tree = Any  # str, float, tuple (kind, *trees), list of trees
COMMUTATIVE = ("Add", "Mul")
CONSTANT = Node("Constant", (), ())  # what an array of the file is like
MOST_AXES = 3  # the last ones, of a mean that keeps them: such a node is of the kind MEAN
MEAN = "ReduceMean over the last {}"
CLOSE = 1e-3  # numbers of a pattern are written with three digits and more


@dataclass(frozen=True)
class Pattern:
    """A node of that kind. `inputs`: names of the tree, of which all but X have to be constants; `numbers`: attributes
    that are constants of the tree.
    """

    kind: str
    tree: Tree
    attributes: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ("X",)
    numbers: Mapping[str, str] = field(default_factory=dict)


CDF = ("Add", ("Erf", [("Div", "X", math.sqrt(2)), ("Mul", "X", math.sqrt(0.5))]), 1.0)
CUBE = [("Pow", "X", 3.0), ("Mul", ("Mul", "X", "X"), "X")]
TANH = ("Add", ("Tanh", ("Mul", ("Add", "X", ("Mul", CUBE, 0.044715)), math.sqrt(2 / math.pi))), 1.0)
HARD = ("Clip", ("Add", "X", 3.0), 0.0, 6.0)
SIXTH = 1 / 6


def _standardized(axes: int) -> list[Tree]:
    mean = MEAN.format(axes)
    centered = ("Sub", "X", (mean, "X"))
    variance = (mean, [("Pow", centered, 2.0), ("Mul", centered, centered)])
    deviation = ("Sqrt", ("Add", variance, "EPSILON"))
    return [("Div", centered, deviation), ("Mul", centered, ("Reciprocal", deviation))]


def _half_of_x_times(factor: Tree) -> list[Tree]:
    return [("Mul", ("Mul", "X", factor), 0.5), ("Mul", ("Mul", "X", 0.5), factor), ("Mul", "X", ("Mul", factor, 0.5))]


PATTERNS: Sequence[Pattern] = (
    Pattern("Gelu", _half_of_x_times(CDF)),
    Pattern("Gelu", _half_of_x_times(TANH), {"approximate": "tanh"}),
    Pattern("Swish", ("Mul", "X", ("Sigmoid", "X"))),
    Pattern("Mish", ("Mul", "X", ("Tanh", ("Softplus", "X")))),
    Pattern("HardSwish", [("Div", ("Mul", "X", HARD), 6.0), ("Mul", ("Mul", "X", HARD), SIXTH)]),
    Pattern("HardSwish", ("Mul", "X", [("Div", HARD, 6.0), ("Mul", HARD, SIXTH)])),
    *(
        Pattern(
            *("LayerNormalization", ("Add", ("Mul", _standardized(axes), "SCALE"), "BIAS"), {"axis": -axes}),
            *(("X", "SCALE", "BIAS"), {"epsilon": "EPSILON"}),
        )
        for axes in range(1, MOST_AXES + 1)
    ),
    Pattern("HardSigmoid", [("Div", HARD, 6.0), ("Mul", HARD, SIXTH)], {"alpha": SIXTH, "beta": 0.5}),
)


def simplified(model: Model) -> Model:
    """Each node that ends a pattern becomes the node that it spells, of the same name and outputs."""
    makers = {output: node for node in model.nodes for output in node.outputs[:1] if output}
    numbers = _numbers(model)
    return replace(model, nodes=tuple(_replaced(node, makers, numbers) for node in model.nodes))


def _numbers(model: Model) -> dict[str, float]:
    """Constants that are one number."""
    arrays: dict[str, Array] = dict(model.constants)
    for node in model.nodes:
        value = node.attributes.get("value", node.attributes.get("value_float"))
        if node.kind == "Constant" and node.outputs and value is not None:
            arrays[node.outputs[0]] = np.asarray(value)
    single = {name: array for name, array in arrays.items() if array.size == 1 and array.dtype.kind in "fiu"}
    return {name: float(array.reshape(())) for name, array in single.items()}


def _replaced(node: Node, makers: Mapping[str, Node], numbers: Mapping[str, float]) -> Node:
    if node.domain or not node.outputs:
        return node
    for pattern in PATTERNS:
        bound = next(_fits(pattern.tree, node.outputs[0], {}, makers, numbers), None)
        if bound is None or any(makers.get(bound[name], CONSTANT).kind != "Constant" for name in pattern.inputs[1:]):
            continue
        if all(bound[name] in numbers for name in pattern.numbers.values()):
            own = {key: numbers[bound[name]] for key, name in pattern.numbers.items()}
            inputs = tuple(bound[name] for name in pattern.inputs)
            return replace(node, kind=pattern.kind, inputs=inputs, attributes={**pattern.attributes, **own})
    return node


def _fits(
    tree: Tree, name: str, bound: Mapping[str, str], makers: Mapping[str, Node], numbers: Mapping[str, float]
) -> Iterator[Mapping[str, str]]:
    """What names stand for, in each way in which the tensor `name` fits."""
    if isinstance(tree, list):
        for one in tree:
            yield from _fits(one, name, bound, makers, numbers)
    elif isinstance(tree, str):
        if bound.get(tree, name) == name:
            yield {**bound, tree: name}
    elif isinstance(tree, float):
        if name in numbers and abs(numbers[name] - tree) <= CLOSE * abs(tree):
            yield bound
    else:
        node = makers.get(name)
        if node is not None and _kind(node) == tree[0] and not node.domain:
            for inputs in _inputs(node, len(tree) - 1):
                yield from _all_fit(tree[1:], inputs, bound, makers, numbers)


def _kind(node: Node) -> str:
    axes, told = node.attributes.get("axes"), {"keepdims": 1, **node.attributes}
    if node.kind != "ReduceMean" or not isinstance(axes, tuple):
        return node.kind
    last = axes == tuple(range(-len(axes), 0)) and told == {"axes": axes, "keepdims": 1}
    return MEAN.format(len(axes)) if last else node.kind


def _inputs(node: Node, count: int) -> Iterator[tuple[str, ...]]:
    if len(node.inputs) == count and (not node.attributes or node.kind in ("Clip", "ReduceMean")):
        yield node.inputs
        if node.kind in COMMUTATIVE:
            yield tuple(reversed(node.inputs))


def _all_fit(
    trees: Sequence[Tree],
    inputs: Sequence[str],
    bound: Mapping[str, str],
    makers: Mapping[str, Node],
    numbers: Mapping[str, float],
) -> Iterator[Mapping[str, str]]:
    if not trees:
        yield bound
        return
    for one in _fits(trees[0], inputs[0], bound, makers, numbers):
        yield from _all_fit(trees[1:], inputs[1:], one, makers, numbers)
