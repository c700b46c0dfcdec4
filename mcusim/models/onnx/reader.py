"""ONNX file -> Source: opset 1 to 25, without the package `onnx`.

A file is hostile until proved otherwise. It is read by `wire.py`, nothing in it is executed, and its layers are built
by the converters of this package alone.
"""

from pathlib import Path

from mcusim.models.listing import Listing
from mcusim.models.onnx import reference
from mcusim.models.onnx.constants import FOLDED, OF_SHAPES
from mcusim.models.onnx.convert import converted
from mcusim.models.onnx.decisions import DECIDING
from mcusim.models.onnx.dynamic import KINDS as KINDS_AT_RUN_TIME
from mcusim.models.onnx.estimators import listed
from mcusim.models.onnx.messages import model_in
from mcusim.models.onnx.operators import GROUPS, OWN
from mcusim.models.onnx.qonnx import KINDS
from mcusim.models.onnx.quantization import QUANTIZED
from mcusim.models.source import NO_SHAPES, Shapes, Source

NAME = "onnx"
SUFFIXES = (".onnx",)
REFERENCE = reference
AT_THE_END, INTEGERS, CONSTANTS, AT_RUN_TIME = "at the end", "integers", "constants", "on reals"
WORDS = {
    AT_THE_END: "of a model, where it is left out: the scores it gets are outputs",
    INTEGERS: "of 8 bits: as TensorFlow Lite Micro computes them, or on reals",
    AT_RUN_TIME: "though onnxruntime makes integers of inputs as it runs",
    CONSTANTS: "folded: of weights, and of shapes that a file computes",
}


def read(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    """See `ModelFormat`."""
    return converted(model_in(path), name, shapes).source


def listings() -> tuple[Listing, ...]:
    return (Listing("operator", ("what it is",), {name: (kind,) for name, kind in sorted(kinds().items())}, WORDS),)


def kinds() -> dict[str, str]:
    """Of each operator, as files spell it: a name with dots has a domain of its own."""
    found = dict.fromkeys((*FOLDED, *OF_SHAPES), CONSTANTS) | dict.fromkeys(DECIDING, AT_THE_END)
    found |= dict.fromkeys(KINDS_AT_RUN_TIME, AT_RUN_TIME)
    found |= dict.fromkeys((*QUANTIZED, *(f"qonnx.{kind}" for kind in KINDS)), INTEGERS)
    found |= dict.fromkeys(listed(), "estimator")
    own = {name: kind for kind, group in GROUPS.items() for name in group if not name.startswith(OWN)}
    return found | own | dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), INTEGERS)
