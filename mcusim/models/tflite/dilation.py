"""SPACE_TO_BATCH_ND + convolution + BATCH_TO_SPACE_ND -> one convolution with gaps, as Keras' dilation is converted.

The pieces of an image that lie `block` apart become a batch there, which nothing else here could compute. Around the
convolution of a series stand EXPAND_DIMS and SQUEEZE.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mcusim.layers.planes import Padding, Pair
from mcusim.models.tflite.description import Model, Operation

UNPROVED = "TensorFlow Lite Micro pads integers before SPACE_TO_BATCH_ND with what lies in its memory, not their zero"
CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
VIEWS = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
VALID = 1


@dataclass(frozen=True)
class Spread:
    """Padding of such a convolution: what is padded before, less what is cropped behind."""

    padding: Padding


def with_dilations(model: Model) -> Model:
    """What does not fit the pattern stays, and is told as what it is."""
    makers = {output: operation for operation in model.operations for output in operation.outputs}
    readers = Counter(index for operation in model.operations for index in operation.inputs)
    readers.update(model.outputs)
    merged: dict[int, Operation | None] = {}
    for last in model.operations:
        if last.kind != "BATCH_TO_SPACE_ND" or not last.inputs:
            continue
        inner = _chain(last, makers)
        made = _merged(model, inner, last) if inner else None
        if made is not None and all(readers[part.outputs[0]] == 1 for part in inner):
            merged |= {**{part.index: None for part in inner}, last.index: made}
    found = (merged.get(operation.index, operation) for operation in model.operations)
    return replace(model, operations=tuple(operation for operation in found if operation is not None))


def unproved(model: Model) -> str | None:
    """Why what was merged is no proof: nothing outside of an image is its zero there, unless it is real."""
    padded = (
        operation
        for operation in model.operations
        if isinstance(operation.extra, Spread) and any(map(any, operation.extra.padding))
    )
    return UNPROVED if any(model.tensors[operation.inputs[0]].quantized for operation in padded) else None


def _chain(last: Operation, makers: Mapping[int, Operation]) -> list[Operation]:
    """From SPACE_TO_BATCH_ND up to what `last` reads; empty where there is anything else between them."""
    found: list[Operation] = []
    part = makers.get(last.inputs[0])
    while part is not None and part.inputs and len(part.outputs) == 1 and len(found) < 8:
        found.insert(0, part)
        if part.kind == "SPACE_TO_BATCH_ND":
            return found if sum(one.kind in CONVOLUTIONS for one in found) == 1 else []
        if part.kind not in (*VIEWS, *CONVOLUTIONS):
            return []
        part = makers.get(part.inputs[0])
    return []


def _merged(model: Model, inner: Sequence[Operation], last: Operation) -> Operation | None:
    first, middle = inner[0], next(part for part in inner if part.kind in CONVOLUTIONS)
    parts = [_integers(model, operation, place) for operation in (first, last) for place in (1, 2)]
    if any(part is None for part in parts):
        return None
    block, before, after, crops = (part or [] for part in parts)
    strides = [middle.options[name] for name in ("stride_h", "stride_w", "dilation_h", "dilation_w")]
    if block != after or strides != [1, 1, 1, 1] or middle.options["padding"] != VALID:
        return None
    pads = [padded - cropped for padded, cropped in zip(before, crops, strict=False)]
    shape, inside = model.tensors[first.inputs[0]].shape, model.tensors[middle.inputs[0]].shape
    if not len(before) == len(crops) == 2 * len(block) or len(shape) != len(block) + 2 or len(inside) != 4:
        return None
    if len(block) not in (1, 2) or min([*block, *pads]) < (0 if min(block) > 0 else 1) or shape[0] != 1:
        return None
    along = list(zip(block, pads[::2], pads[1::2], strict=True))
    if len(along) == 1:  # a series is a row of the plane, or a column
        along.insert(0 if inside[1] == 1 else 1, (1, 0, 0))
    (rows, top, bottom), (columns, left, right) = along
    gaps: Pair = (rows, columns)
    return replace(
        middle,
        index=last.index,
        inputs=(first.inputs[0], *middle.inputs[1:]),
        outputs=last.outputs,
        options={**middle.options, "dilation_h": gaps[0], "dilation_w": gaps[1]},
        extra=Spread(((top, bottom), (left, right))),
    )


def _integers(model: Model, operation: Operation, place: int) -> list[int] | None:
    """Of a constant."""
    index = operation.inputs[place] if place < len(operation.inputs) else -1
    data = model.tensors[index].data if index >= 0 else None
    if data is None or data.dtype.kind != "i":
        return None
    return [int(value) for value in data.reshape(-1)]
