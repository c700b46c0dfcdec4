"""HDF5 -> arrays and attributes, of which nothing is believed: no link is followed, and no size that is not stored.

What HDF5 allows and a model file never needs is refused: links into other files, arrays that lie elsewhere, objects,
and arrays that promise more than the file holds, which fill the memory when they are read.
"""

import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, takewhile
from typing import IO

import numpy as np

from mcusim.models.keras.hdf5_objects import Objects
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.names import words_of

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LARGEST_WEIGHTS_ELEMENTS = 2**26  # of a whole model: 256 MiB
LARGEST_TEXT_BYTES = 16 * 2**20
MOST_TEXTS = 2**16
# What zipfile, json and the reader of HDF5 raise for damaged files.
DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, RuntimeError, EOFError, AttributeError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)


def broken(reason: object) -> ModelError:
    return ModelError(f"this is no readable Keras model: {reason}", hint="save it again with model.save('model.keras')")


@contextmanager
def bounded() -> Iterator[None]:
    """What goes too deep is a ModelError."""
    try:
        yield
    except RecursionError:
        raise broken("it is nested too deeply") from None


@contextmanager
def reading() -> Iterator[None]:
    """Whatever zipfile, json and the reader of HDF5 raise for a damaged file is a ModelError."""
    try:
        with bounded():
            yield
    except DAMAGE as error:
        raise broken(words_of(error)) from None


class Hdf5:
    """An open file. A path is the names of groups from the root on. All methods raise ModelError for a damaged file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._elements = 0
        with reading():
            self._objects = Objects(file)

    def names(self, *path: str) -> tuple[str, ...]:
        """What lies in a group; nothing in one that is not there."""
        group = self._item(path)
        with reading():
            return () if group is None else tuple(self._objects.links(group))

    def text(self, attribute: str, *path: str) -> str | None:
        """An attribute of a group that holds text, as Keras keeps descriptions."""
        with reading():
            texts = self._texts(attribute, self._item(path))
            if texts is not None and len(texts) != 1:
                raise broken(f"its {attribute!r} is no text")
            return None if texts is None else texts[0].decode("utf-8")

    def texts(self, attribute: str, *path: str) -> tuple[str, ...] | None:
        """A list of names. Keras cuts a long one into `<attribute>0`, `<attribute>1`.."""
        with reading():
            item = self._item(path)
            parts = [self._texts(attribute, item)]
            if parts[0] is None:
                parts = list(takewhile(lambda part: part is not None, self._cut(attribute, item)))
            if not parts:
                return None
            return tuple(text.decode("utf-8") for part in parts for text in part or ())

    def _cut(self, attribute: str, item: int | None) -> Iterator[list[bytes] | None]:
        return (self._texts(f"{attribute}{number}", item) for number in count())

    def array(self, *path: str) -> Array:
        """Numbers, as they are stored."""
        item, name = self._item(path), "/".join(path)
        with reading():
            if item is None or not self._objects.is_array(item):
                raise broken(f"it has no array {name!r}")
            value = self._objects.array(item)
            if isinstance(value.dtype, str) or value.dtype.kind not in "fiuV" or value.shape is None:
                raise broken(f"array {name!r} holds {value.dtype}, not numbers")
            elements = math.prod(value.shape)
            self._elements += elements
            if self._elements > LARGEST_WEIGHTS_ELEMENTS:
                raise broken(f"array {name!r} has {elements} elements, too many for a microcontroller")
            values = self._objects.numbers(item, value)
            if value.dtype.itemsize == 2 and self._texts("dtype", item) == [b"bfloat16"]:  # HDF5 has no such type
                values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
            if values.dtype.kind == "V":
                raise broken(f"array {name!r} holds {values.dtype}, not numbers")
            return values

    def _texts(self, name: str, item: int | None) -> list[bytes] | None:
        value = None if item is None else self._objects.attribute(item, name)
        if value is None:
            return None
        elements = math.prod(value.shape or ())
        if not elements:
            return []
        if elements > MOST_TEXTS or len(value.data) > LARGEST_TEXT_BYTES:
            raise broken(f"its {name!r} is too large")
        if isinstance(value.dtype, str) or value.dtype.kind not in "SO":
            raise broken(f"its {name!r} is no text")
        return self._objects.texts(value)

    def _item(self, path: tuple[str, ...]) -> int | None:
        """The address of the group or array there, or None."""
        with reading():
            item = self._objects.root
            for part in "/".join(path).split("/") if path else ():
                links = self._objects.links(item)
                if part not in links:
                    return None
                target = links[part]
                if target is None:
                    raise broken(f"{part!r} is a link to somewhere else")
                item = target
            return item
