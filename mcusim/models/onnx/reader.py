"""ONNX file -> Source: opset 1 to 25, without the package `onnx`.

A file is hostile until proved otherwise. It is read by `wire.py`, nothing in it is executed, and its layers are built
by the converters of this package alone.
"""

from __future__ import annotations

from pathlib import Path

from mcusim.models.onnx import reference, support
from mcusim.models.onnx.convert import converted
from mcusim.models.onnx.file import model_in
from mcusim.models.source import NO_SHAPES, Shapes, Source
from mcusim.system.errors import MissingToolError, ModelError

NAME = "onnx"
SUFFIXES = (".onnx",)
REFERENCE = reference
listings = support.listings


def missing() -> MissingToolError | None:
    """Nothing ever is: mcusim reads these files by itself."""
    return None


def read(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    """The graph is called `name`. Raises ModelError whatever is wrong with the file.

    `shapes`: see `ModelFormat`.
    """
    try:
        return converted(model_in(path), name, shapes).source
    except ModelError as error:
        raise ModelError(error.what, where=error.where or str(path), hint=error.hint) from None
