"""First bytes of a file that cannot be read -> what it is: a download gone wrong, or a model under another's name."""

import re
from pathlib import Path

from mcusim.system.errors import ModelError

HEAD_BYTES = 64
KERAS = (".keras", ".h5", ".hdf5", ".json")  # whose reader takes any of its kinds under any of its names
FETCH = "fetch it again: the file itself, not what a page or a server says of it"
UNPACK = "unpack it, and give the model that is in it"
BINARY = (".onnx", ".tflite", ".lite")
KINDS = (  # what it is, how it begins, suffixes of files that may not begin so (None: all), that may, what to do
    ("empty", rb"\Z", None, (), FETCH),
    ("a pointer of Git LFS, the model itself was not fetched", rb"version https://git-lfs", None, (), "git lfs pull"),
    ("a web page", rb"\s*<(!doctype|!--|html|head|\?xml)", None, (), FETCH),
    ("a text of JSON", rb"\s*[{\[]", (*BINARY, ".pt2"), (), FETCH),
    ("a zip archive", rb"PK\x03\x04", (*BINARY, ".zip"), (), UNPACK),
    ("a gzip archive", rb"\x1f\x8b", None, (), UNPACK),
    ("a TFLite model", rb"....TFL3", None, (".tflite", ".lite"), "call it {}.tflite"),
    ("an HDF5 file", rb"\x89HDF\r\n\x1a\n", None, KERAS, "call it {}.h5, if it is a model of Keras"),
)


def demand_contents(path: Path, where: str) -> None:
    """Raises ModelError when a file that can be read is plainly something else than its name says."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return
    suffix = path.suffix.lower()
    for what, begins, never, may, hint in KINDS:
        told = suffix not in may and (never is None or suffix in never)
        if told and re.match(begins, head, re.DOTALL | re.IGNORECASE):
            raise ModelError(f"{path.name!r} is {what}", where=where, hint=hint.format(path.stem))
