"""Model -> Model whose samples come first: recurrent layers want (steps, batch, features), and files may begin so.

Taken for (batch, steps, features) such an input would be many samples of one step each, and nothing would tell.
"""

from dataclasses import replace

from mcusim.models.onnx.model import Declared, Model, Node
from mcusim.models.onnx.operators import PASSING, first_that
from mcusim.models.onnx.recurrent import KINDS

KEEPING_STEPS = (*PASSING, "DequantizeLinear", "MatMul")


def samples_first(model: Model) -> Model:
    """Such an input has its first two axes swapped, and a node behind it that swaps them back."""
    turned = {one.name: f"{one.name} by steps" for one in model.inputs if _begins_with_steps(model, one)}
    nodes = [replace(node, inputs=tuple(turned.get(one, one) for one in node.inputs)) for node in model.nodes]
    nodes += [Node("Transpose", (name,), (inner,), {"perm": (1, 0, 2)}) for name, inner in turned.items()]
    inputs = tuple(_swapped(one) if one.name in turned else one for one in model.inputs)
    return replace(model, nodes=tuple(nodes), inputs=inputs, turned=frozenset(turned)) if turned else model


def _begins_with_steps(model: Model, declared: Declared) -> bool:
    node = first_that(model, declared.name, KEEPING_STEPS)
    return (
        len(declared.shape or ()) == 3 and node is not None and node.kind in KINDS and not node.attributes.get("layout")
    )


def _swapped(declared: Declared) -> Declared:
    steps, batch, features = declared.shape or ()
    return replace(declared, shape=(batch, steps, features))
