"""Model with operators of ai.onnx.ml, as scikit-learn's estimators are exported -> the same in those of ONNX itself.

Linear models and scalers are sums. Labels beside probabilities fall away with a note: mcusim finds the largest itself.
Trees, neighbours and kernels of vectors have no layers here, and are told as what they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mcusim.models.onnx.decisions import behind
from mcusim.models.onnx.model import Declared, Model, Node
from mcusim.models.problems import ODD
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.names import printable, shortened

DOMAIN = "ai.onnx.ml"
# post_transform -> what stands behind the sums.
TRANSFORMS: Mapping[str, str | None] = {"NONE": None, "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}


@dataclass
class Rewritten:
    """`constants` that nodes need. `summing`: names of outputs that are positive and sum up to 1."""

    constants: dict[str, Array] = field(default_factory=dict)
    summing: set[str] = field(default_factory=set)

    def of(self, node: Node) -> list[Node]:
        """What it is in ONNX itself; the node as it is where there is nothing."""
        write = WRITERS.get(node.kind) if node.domain == DOMAIN else None
        try:
            return [node] if write is None or not node.outputs else write(self, node)
        except ODD as error:
            name = shortened(printable(node.name or node.kind), 200)
            what = f"layer {name!r} ({node.kind}) has settings that cannot be understood ({type(error).__name__})"
            raise ModelError(what, hint="export the model again") from None

    def constant(self, node: Node, role: str, values: object) -> str:
        name = f"{role} of {node.outputs[-1]}"
        self.constants[name] = np.asarray(values, np.float32)
        return name


def rewritten(model: Model) -> tuple[Model, tuple[str, ...]]:
    """And notes of what is left out."""
    if not any(node.domain == DOMAIN for node in model.nodes):
        return model, ()
    outputs, notes = _without_labels(model)
    made = Rewritten()
    nodes = tuple(one for node in model.nodes for one in made.of(node))
    return replace(model, nodes=nodes, outputs=outputs, constants={**model.constants, **made.constants}), notes


def _scaler(made: Rewritten, node: Node) -> list[Node]:
    offset = made.constant(node, "offset", node.attributes.get("offset", (0.0,)))
    scale = made.constant(node, "scale", node.attributes.get("scale", (1.0,)))
    moved = f"{node.outputs[0]} moved"
    return [
        Node("Sub", (node.inputs[0], offset), (moved,), name=node.name),
        Node("Mul", (moved, scale), node.outputs, name=node.name),
    ]


def _linear(made: Rewritten, node: Node, output: str) -> list[Node] | None:
    """None for settings that are no plain sums."""
    weights, bias = (np.asarray(node.attributes.get(key, ())) for key in ("coefficients", "intercepts"))
    transform = str(node.attributes.get("post_transform", "NONE"))
    rows = bias.size or int(node.attributes.get("targets", 1))
    if transform not in TRANSFORMS or rows < 1 or weights.size % rows or not weights.size:
        return None
    kernel = made.constant(node, "weights", weights.reshape(rows, -1))
    added = made.constant(node, "bias", bias if bias.size else np.zeros(rows))
    behind = TRANSFORMS[transform]
    sums = output if behind is None else f"{output} sums"
    nodes = [Node("Gemm", (node.inputs[0], kernel, added), (sums,), {"transB": 1}, node.name)]
    if behind is not None:
        nodes.append(Node(behind, (sums,), (output,), {"axis": -1} if behind == "Softmax" else {}, node.name))
    if behind == "Softmax":
        made.summing.add(output)
    return nodes


def _classifier(made: Rewritten, node: Node) -> list[Node]:
    """Its second output: a score for each label, also where there are two of them."""
    labels = node.attributes.get("classlabels_ints") or node.attributes.get("classlabels_strings") or ()
    bias = node.attributes.get("intercepts", ())
    if len(node.outputs) < 2 or len(labels) != len(bias):
        return [node]
    return _linear(made, node, node.outputs[1]) or [node]


def _normalizer(made: Rewritten, node: Node) -> list[Node]:
    """Of what sums up to 1 already."""
    if node.attributes.get("norm") != "L1" or node.inputs[0] not in made.summing:
        return [node]
    return [Node("Identity", node.inputs, node.outputs, name=node.name)]


WRITERS: Mapping[str, Callable[[Rewritten, Node], list[Node]]] = {
    "LinearClassifier": _classifier,
    "LinearRegressor": lambda made, node: _linear(made, node, node.outputs[0]) or [node],
    "Normalizer": _normalizer,
    "Scaler": _scaler,
    "ZipMap": lambda made, node: [Node("Identity", node.inputs, node.outputs, name=node.name)],
}


# -- labels ------------------------------------------------------------------------------------------------------------


def _without_labels(model: Model) -> tuple[tuple[Declared, ...], tuple[str, ...]]:
    """Outputs that are numbers, of maps what is in them; all of them where there are labels alone."""
    makers = {output: node for node in model.nodes for output in node.outputs if output}
    kept = [one for one in model.outputs if not _is_label(one.name, makers)]
    if not kept:
        return model.outputs, ()
    left = [shortened(printable(one.name), 60) for one in model.outputs if one not in kept]
    notes = (f"left out the labels {', '.join(map(repr, left))}: the largest output tells which",) if left else ()
    return tuple(_inside(one, makers) for one in kept), notes


def _inside(output: Declared, makers: Mapping[str, Node]) -> Declared:
    maker = makers.get(output.name)
    if maker is None or (maker.domain, maker.kind) != (DOMAIN, "ZipMap") or not maker.inputs:
        return output
    return replace(output, name=maker.inputs[0], shape=None)


def _is_label(name: str, makers: Mapping[str, Node]) -> bool:
    name = behind(name, makers)
    node = makers.get(name)
    if node is None or node.domain != DOMAIN:
        return False
    return node.kind == "ArrayFeatureExtractor" or (node.kind.endswith("Classifier") and node.outputs[0] == name)


def listed() -> Sequence[str]:
    return [f"{DOMAIN}.{kind}" for kind in WRITERS]
