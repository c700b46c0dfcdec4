"""Model -> Model that ends in scores: what only decides by them, or takes their logarithm, falls away at its outputs.

The largest score is the largest still, and mcusim finds it by itself; a note says that the outputs are others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcusim.models.onnx.model import Model, Node
from mcusim.system.names import printable, shortened

DECIDING: Mapping[str, str] = {"ArgMax": "argmax", "LogSoftmax": "log_softmax"}
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
    for _ in range(len(makers)):
        node = makers.get(name)
        if node is None or node.domain or not node.inputs or node.inputs[0] not in makers:
            return None
        if node.kind in DECIDING:
            return node
        if node.kind not in SEEN_THROUGH:
            return None
        name = node.inputs[0]
    return None
