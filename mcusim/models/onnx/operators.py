"""The table of what can be read: operator of ONNX -> its converter."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mcusim.models.onnx import (
    activations,
    merges,
    normalizations,
    places,
    recurrent,
    reductions,
    reshaping,
    resizing,
    sums,
    transposed,
    windows,
)
from mcusim.models.onnx.model import Model, Node
from mcusim.models.onnx.node import OnnxNode

Converter = Callable[[OnnxNode], Any]  # -> a Tensor, or one for each output

# By what they are, for people.
GROUPS: Mapping[str, Mapping[str, Converter]] = {
    "function": activations.CONVERTERS,
    "of two": merges.CONVERTERS,
    "normalization": normalizations.CONVERTERS,
    "sequence": recurrent.CONVERTERS,
    "along axes": reductions.CONVERTERS,
    "moving": {**reshaping.CONVERTERS, **places.CONVERTERS, **resizing.CONVERTERS},
    "sum": {**sums.CONVERTERS, **transposed.CONVERTERS},
    "window": windows.CONVERTERS,
}
OWN = ("mcusim.", "pytorch.")  # domains that are in no file
CONVERTERS: Mapping[str, Converter] = {name: convert for group in GROUPS.values() for name, convert in group.items()}
# Operators whose second axis is the channels: an input that they read has its channels last.
OF_PLANES = (
    *("Conv", "ConvTranspose"),
    *windows.CONVERTERS,
    *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "PRelu", "Resize", "Upsample"),
)
# What keeps the order of its input, whatever it is.
PASSING = (*activations.CONVERTERS, *merges.CONVERTERS, "Cast", "Dropout", "Identity", "Pad", "QuantizeLinear")

NO_BATCH = "export it for a batch of 1, or with an open batch: dynamic_axes={'input': {0: 'batch'}}"
STATES = "give all inputs the same batch; a state is no input here: recurrent layers start from zeros"
INSIDE = "it has a graph inside: export a model without conditions and loops"
HINTS: Mapping[str, str] = {
    **dict.fromkeys(("If", "Loop", "Scan", "SequenceMap"), INSIDE),
    "ArgMax": "leave it out: at the end of a model mcusim finds the largest output by itself",
    "LogSoftmax": "use Softmax: only at the end of a model it may be left out",
    "com.microsoft.DynamicQuantizeLSTM": "leave it out: quantize_dynamic(.., op_types_to_quantize=['Conv', 'MatMul'])",
    "Einsum": "write it as a product of matrices",
}


def reads_planes(model: Model, name: str) -> bool:
    """Is the first that cares for the order of this tensor an operator on planes?"""
    first = first_that(model, name, PASSING)
    return first is not None and first.kind in OF_PLANES


def first_that(model: Model, name: str, passing: Sequence[str]) -> Node | None:
    """The first node behind a tensor that is not one of the kinds `passing`."""
    readers: dict[str, list[int]] = {}
    for index, node in enumerate(model.nodes):
        for one in node.inputs:
            readers.setdefault(one, []).append(index)
    waiting, seen = list(readers.get(name, ())), set[int]()
    while waiting:
        index = min(waiting)
        waiting.remove(index)
        node = model.nodes[index]
        if index in seen:
            continue
        seen.add(index)
        if node.kind not in passing:
            return node
        waiting.extend(one for output in node.outputs for one in readers.get(output, ()))
    return None
