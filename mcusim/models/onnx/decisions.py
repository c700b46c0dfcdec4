"""Model -> Model that ends in scores: what only decides by them, or takes their logarithm, falls away at its outputs.

The largest score is the largest still, and mcusim finds it by itself; a note says that the outputs are others.
"""

from collections.abc import Mapping
from dataclasses import replace

from mcusim.models.onnx.model import Model, Node
from mcusim.system.names import printable, shortened

DECIDING: Mapping[str, str] = {"ArgMax": "argmax", "Log": "log", "LogSoftmax": "log_softmax"}
SEEN_THROUGH = ("Cast", "Identity", "Reshape", "Squeeze")  # between a decision and the output


def with_scores(model: Model) -> tuple[Model, tuple[str, ...]]:
    """And a note for each output that is another one now."""
    makers = {node.outputs[0]: node for node in model.nodes if node.outputs}
    notes, outputs = [], []
    for output in model.outputs:
        decides = _deciding(output.name, makers)
        if decides is None:
            outputs.append(output)
            continue
        name = shortened(printable(decides.name or decides.outputs[0]), 60)
        what = DECIDING[decides.kind]
        notes.append(f"left out the {what} {name!r} at the end: outputs are the numbers that it is given")
        outputs.append(replace(output, name=decides.inputs[0], shape=None, dtype="float32"))
    return replace(model, outputs=tuple(outputs)), tuple(notes)


def _deciding(name: str, makers: Mapping[str, Node]) -> Node | None:
    """It decides by something that is computed."""
    node = makers.get(behind(name, makers))
    if node is None or node.domain or node.kind not in DECIDING or not node.inputs or node.inputs[0] not in makers:
        return None
    source = makers.get(behind(node.inputs[0], makers))
    return node if node.kind != "Log" or (source is not None and source.kind == "Softmax") else None


def behind(name: str, makers: Mapping[str, Node]) -> str:
    """The tensor that this one is another view of, or another type."""
    for _ in range(len(makers)):
        node = makers.get(name)
        if node is None or node.domain or node.kind not in SEEN_THROUGH or not node.inputs:
            break
        name = node.inputs[0]
    return name
