"""Path of an `.onnx` file -> Model."""

from __future__ import annotations

from pathlib import Path

from mcusim.models.onnx.messages import model_of
from mcusim.models.onnx.model import Model
from mcusim.models.onnx.tensors import LARGEST_FILE_BYTES, TensorReader
from mcusim.system.errors import ModelError
from mcusim.system.files import read_file


def model_in(path: Path) -> Model:
    """Raises ModelError whatever is wrong with the file."""
    data = read_file(path, LARGEST_FILE_BYTES, hint="export the model again", kind=ModelError)
    if data.startswith(b"version https://git-lfs"):
        raise ModelError("this is a pointer of Git LFS, the model itself was not fetched", hint="git lfs pull")
    try:
        return model_of(memoryview(data), TensorReader(path.parent))
    except MemoryError:
        raise ModelError("the model does not fit into memory", hint="use a smaller model") from None
