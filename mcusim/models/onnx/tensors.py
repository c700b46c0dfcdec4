"""TensorProto -> array. Its numbers lie in the file, or beside it: in its own folder and nowhere else."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from mcusim.models.onnx.wire import Message, broken
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.files import read_file

LARGEST_WEIGHTS_ELEMENTS = 2**26  # of a whole model: 256 MiB
LARGEST_FILE_BYTES = 2**30
MOST_AXES = 16
STRINGS, MOST_STRINGS = 8, 2**16
# Number of a type -> its name, and how its numbers are stored one by one. The last ones have no type in NumPy.
DTYPES: Mapping[int, tuple[str, str]] = {
    **{1: ("float32", "<f4"), 10: ("float16", "<f2"), 11: ("float64", "<f8"), 16: ("bfloat16", "<u2")},
    **{3: ("int8", "i1"), 5: ("int16", "<i2"), 6: ("int32", "<i4"), 7: ("int64", "<i8")},
    **{2: ("uint8", "u1"), 4: ("uint16", "<u2"), 12: ("uint32", "<u4"), 13: ("uint64", "<u8")},
    **{9: ("bool", "?"), 21: ("uint4", "u1"), 22: ("int4", "u1")},
}
# What is not stored as raw bytes lies in a field for its kind.
WIDENED = ("int8", "int16", "int32", "uint8", "uint16", "bool", "float16", "bfloat16", "uint4", "int4")
HINT = "export it again, with its weights in the same file"


@dataclass
class TensorReader:
    """`folder`: of the model. `left`: elements that its weights may still have, `room`: bytes of files beside it."""

    folder: Path
    left: int = LARGEST_WEIGHTS_ELEMENTS
    room: int = LARGEST_FILE_BYTES
    files: dict[str, bytes] = field(default_factory=dict)

    def array(self, message: Message) -> Array:
        """Raises ModelError when dimensions and numbers do not agree, or the type is none that NumPy has."""
        shape, (name, stored) = tuple(message.wholes(1).tolist()), DTYPES.get(message.whole(2), ("", ""))
        label = message.text(8)[:60]
        if message.whole(2) == STRINGS and min(shape, default=0) >= 0 and math.prod(shape) <= MOST_STRINGS:
            return np.zeros(shape, "S1")  # labels, which nothing is computed of
        if not name:
            raise ModelError(f"tensor {label!r} is of type {message.whole(2)} of ONNX", hint="export it as float32")
        if len(shape) > MOST_AXES or min(shape, default=0) < 0:
            raise broken(f"tensor {label!r} has the shape {str(shape)[:80]}")
        elements = math.prod(shape)
        self.left -= elements
        if self.left < 0:
            raise ModelError("the weights do not fit into memory", hint="use a smaller model")
        numbers = self._numbers(message, name, stored, elements)
        if len(numbers) != elements:
            raise broken(f"tensor {label!r} has {len(numbers)} numbers for the shape {str(shape)[:80]}")
        return numbers.reshape(shape)

    def _numbers(self, message: Message, name: str, stored: str, elements: int) -> Array:
        if message.whole(14) == 1:
            size = -(-elements // 2) if name.endswith("int4") else elements * np.dtype(stored).itemsize
            return _raw(self._external(message, size), name, stored, elements)
        if 9 in message:
            return _raw(message.parts(9)[-1], name, stored, elements)
        if name in WIDENED:
            return _narrowed(message.wholes(5), name, stored, elements)
        if name == "float32":
            return message.reals(4)
        if name == "float64":
            return message.reals(10, "<f8")
        return message.wholes(7 if name == "int64" else 11).astype(stored)

    def _external(self, message: Message, size: int) -> memoryview:
        """Numbers in another file of the folder."""
        told = {one.text(1): one.text(2) for one in message.messages(13)}
        location, data = told.get("location", ""), b""
        try:
            start, length = int(told.get("offset", 0)), int(told.get("length", size))
        except ValueError:
            raise broken(f"weights in {location!r} have no place there") from None
        data = self._file(location)
        if start < 0 or length != size or start + length > len(data):
            raise broken(f"{location!r} is too short for the weights that are said to be in it")
        return memoryview(data)[start : start + length]

    def _file(self, location: str) -> bytes:
        """Raises ModelError for a name that leads out of the folder, by links, too."""
        if location not in self.files:
            name = PurePosixPath(location)
            path = self.folder / name
            inside = not name.is_absolute() and ".." not in name.parts and "\0" not in location and "\\" not in location
            if not location or not inside or not path.resolve().is_relative_to(self.folder.resolve()):
                raise ModelError(f"the weights are said to be in {location!r}, outside of its folder", hint=HINT)
            hint = f"copy {location!r} beside the model, or export it with its weights in the same file"
            self.files[location] = read_file(path, self.room, hint=hint, kind=ModelError)
            self.room -= len(self.files[location])
        return self.files[location]


def _raw(data: memoryview, name: str, stored: str, elements: int) -> Array:
    dtype = np.dtype(stored)
    if len(data) % dtype.itemsize:
        raise broken("numbers of broken length")
    return _unpacked(np.frombuffer(data, dtype), name, elements)


def _narrowed(wide: Array, name: str, stored: str, elements: int) -> Array:
    """From 32 bits each; of float16 and bfloat16 these are their bits."""
    narrow = wide.astype(np.uint16).view(stored) if name.endswith("float16") else wide.astype(stored)
    return _unpacked(narrow, name, elements)


def _unpacked(numbers: Array, name: str, elements: int) -> Array:
    """What NumPy has no type for: bfloat16 becomes float32, two integers of 4 bits become two of 8."""
    if name == "bfloat16":
        return (numbers.astype(np.uint32) << 16).view(np.float32)
    if not name.endswith("int4"):
        return numbers
    if len(numbers) != -(-elements // 2):
        return numbers
    nibbles = np.stack([numbers & 15, numbers >> 4], axis=1).reshape(-1)[:elements]
    return np.where(nibbles > 7, nibbles.astype(np.int8) - 16, nibbles).astype(np.int8) if name == "int4" else nibbles
