"""Model -> Model that ends in scores: what only decides by them, or takes their logarithm, falls away at its outputs.

The largest score is the largest still, and mcusim finds it by itself; a note says that the outputs are others.
"""

from collections.abc import Mapping
from dataclasses import replace

from mcusim.models.tflite.description import Model, Operation
from mcusim.models.tflite.file import shown

DECIDING: Mapping[str, str] = {"ARG_MAX": "argmax", "LOG_SOFTMAX": "log_softmax"}
SEEN_THROUGH = ("CAST", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "DEQUANTIZE")  # between a decision and the output


def with_scores(model: Model) -> tuple[Model, tuple[str, ...]]:
    """And a note for each output that is another one now."""
    makers = {index: operation for operation in model.operations for index in operation.outputs}
    notes, names, outputs = [], dict(model.names), []
    for index in model.outputs:
        decides = _deciding(index, makers)
        outputs.append(index if decides is None else decides.inputs[0])
        if decides is not None:
            what, name = DECIDING[decides.kind], shown(model.tensors[index].name)
            names[decides.inputs[0]] = model.names.get(index) or model.tensors[index].name
            notes.append(f"left out the {what} before output {name!r}: it is what that is given")
    if not notes:
        return model, ()
    kept = _needed(outputs, makers)
    operations = tuple(operation for operation in model.operations if operation.index in kept)
    return replace(model, operations=operations, outputs=tuple(outputs), names=names), tuple(notes)


def _deciding(index: int, makers: Mapping[int, Operation]) -> Operation | None:
    """It decides by something that is computed."""
    for _ in range(len(makers)):
        operation = makers.get(index)
        if operation is None or not operation.inputs or operation.inputs[0] not in makers:
            return None
        if operation.kind in DECIDING:
            return operation
        if operation.kind not in SEEN_THROUGH:
            return None
        index = operation.inputs[0]
    return None


def _needed(outputs: list[int], makers: Mapping[int, Operation]) -> set[int]:
    """Places of the operations that outputs need."""
    found, waiting = set[int](), list(outputs)
    while waiting:
        operation = makers.get(waiting.pop())
        if operation is not None and operation.index not in found:
            found.add(operation.index)
            waiting.extend(operation.inputs)
    return found
