"""First bytes of a file that cannot be read -> what it is: a download gone wrong, or a model under another's name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from mcusim.system.errors import ModelError

HEAD_BYTES = 64
KERAS = (".keras", ".h5", ".hdf5", ".json")  # whose reader takes any of its kinds under any of its names
FETCH = "fetch it again: the file itself, not what a page or a server says of it"
UNPACK = "unpack it, and give the model that is in it"


class Kind(NamedTuple):
    """`suffixes` of models that are such files. The file's name goes into the hint."""

    what: str
    begins: re.Pattern[bytes]
    suffixes: tuple[str, ...]
    hint: str


def _kind(what: str, begins: bytes, hint: str, *suffixes: str) -> Kind:
    return Kind(what, re.compile(begins, re.DOTALL | re.IGNORECASE), suffixes, hint)


KINDS = (
    _kind("empty", rb"\Z", FETCH),
    _kind("a pointer of Git LFS, the model itself was not fetched", b"version https://git-lfs", "git lfs pull"),
    _kind("a web page", rb"\s*<(!doctype|!--|html|head|\?xml)", FETCH),
    _kind("a text of JSON", rb"\s*[{\[]", FETCH, *KERAS),
    _kind("a zip archive", rb"PK\x03\x04", UNPACK, *KERAS, ".pt2"),
    _kind("a gzip archive", rb"\x1f\x8b", UNPACK),
    _kind("a TFLite model", rb"....TFL3", "call it {}.tflite", ".tflite", ".lite"),
    _kind("an HDF5 file", rb"\x89HDF\r\n\x1a\n", "call it {}.h5, if it is a model of Keras", *KERAS),
)


def demand_contents(path: Path, where: str) -> None:
    """Raises ModelError when a file is plainly something else than its name says."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return
    for kind in KINDS:
        if kind.begins.match(head) and path.suffix.lower() not in kind.suffixes:
            raise ModelError(f"{path.name!r} is {kind.what}", where=where, hint=kind.hint.format(path.stem))
