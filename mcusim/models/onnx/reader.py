"""ONNX file -> Source: opset 1 to 25, without the package `onnx`.

A file is hostile until proved otherwise. It is read by `wire.py`, nothing in it is executed, and its layers are built
by the converters of this package alone.
"""

from pathlib import Path

from mcusim.models.onnx import reference, support
from mcusim.models.onnx.convert import converted
from mcusim.models.onnx.messages import model_in
from mcusim.models.source import NO_SHAPES, Shapes, Source

NAME = "onnx"
SUFFIXES = (".onnx",)
REFERENCE = reference
listings = support.listings


def read(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    """See `ModelFormat`."""
    return converted(model_in(path), name, shapes).source
