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
from typing import IO, Any

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LARGEST_WEIGHTS_ELEMENTS = 2**26  # of a whole model: 256 MiB
LARGEST_TEXT_BYTES = 16 * 2**20
MOST_TEXTS = 2**16
LARGEST_CHUNK_BYTES = 2**20 + 2**12  # as stored: HDF5 unpacks one as a whole, whatever it says that it holds
# What zipfile, json and h5py raise for damaged files.
DAMAGE = (
    *(OSError, ValueError, LookupError, TypeError, RuntimeError, EOFError, AttributeError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
MOST_EXPANSION = 1100  # deflate cannot do more


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
    """Whatever zipfile, json and h5py raise for a damaged file is a ModelError."""
    try:
        with bounded():
            yield
    except DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise broken(reason[:200]) from None


class Hdf5:
    """An open file. A path is the names of groups from the root on. All methods raise ModelError for a damaged file."""

    def __init__(self, file: IO[bytes]) -> None:
        import h5py

        self._h5py = h5py
        self._elements = 0
        with reading():
            self._file = h5py.File(file, "r")

    def close(self) -> None:
        with reading():
            self._file.close()

    def has(self, *path: str) -> bool:
        return self._item(path) is not None

    def names(self, *path: str) -> tuple[str, ...]:
        """What lies in a group; nothing in one that is not there."""
        group = self._item(path)
        with reading():
            return tuple(map(str, group)) if isinstance(group, self._h5py.Group) else ()

    def text(self, attribute: str, *path: str) -> str | None:
        """An attribute of a group that holds text, as Keras keeps descriptions."""
        with reading():
            value = self._attribute(attribute, path)
            if isinstance(value, np.ndarray):
                value = value.item()
            return value.decode("utf-8") if isinstance(value, bytes) else None if value is None else str(value)

    def texts(self, attribute: str, *path: str) -> tuple[str, ...] | None:
        """A list of names. Keras cuts a long one into `<attribute>0`, `<attribute>1`.."""
        with reading():
            parts = [self._attribute(attribute, path)]
            if parts[0] is None:
                count = 0
                parts = []
                while (part := self._attribute(f"{attribute}{count}", path)) is not None:
                    parts.append(part)
                    count += 1
                if not parts:
                    return None
            values = [value for part in parts for value in np.asarray(part).reshape(-1).tolist()]
            return tuple(value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in values)

    def array(self, *path: str) -> Array:
        """Numbers, as they are stored."""
        dataset, name = self._item(path), "/".join(path)
        with reading():
            if not isinstance(dataset, self._h5py.Dataset):
                raise broken(f"it has no array {name!r}")
            self._check(dataset, name)
            values = np.asarray(dataset[()])
            if dataset.attrs.get("dtype") == "bfloat16":  # HDF5 has no such type: the upper half of a float32
                values = (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
            if values.dtype.kind not in "fiu":
                raise broken(f"array {name!r} holds {values.dtype}, not numbers")
            return values

    def _check(self, dataset: Any, name: str) -> None:
        """Nothing that lies elsewhere, and no more than is stored."""
        if dataset.is_virtual or dataset.external:
            raise broken(f"array {name!r} lies in another file")
        if dataset.dtype.kind not in "fiuV" or dataset.shape is None:
            raise broken(f"array {name!r} holds {dataset.dtype}, not numbers")
        elements = math.prod(dataset.shape)
        self._elements += elements
        if self._elements > LARGEST_WEIGHTS_ELEMENTS:
            raise broken(f"array {name!r} has {elements} elements, too many for a microcontroller")
        promised, stored = elements * dataset.dtype.itemsize, dataset.id.get_storage_size()
        if promised > MOST_EXPANSION * stored + 2**12:
            raise broken(f"array {name!r} promises {promised} bytes and stores {stored}")
        if dataset.chunks is not None:
            self._check_chunks(dataset, name)

    def _check_chunks(self, dataset: Any, name: str) -> None:
        size = math.prod(dataset.chunks) * dataset.dtype.itemsize
        if size > 16 * LARGEST_CHUNK_BYTES and size > 2 * dataset.nbytes:
            raise broken(f"array {name!r} is cut into pieces of {size} bytes")
        packed = dataset.id.get_create_plist().get_nfilters()
        count = dataset.id.get_num_chunks() if packed else 0
        if any(dataset.id.get_chunk_info(i).size > LARGEST_CHUNK_BYTES for i in range(count)):
            raise broken(f"array {name!r} is compressed in pieces of more than 1 MiB")

    def _attribute(self, name: str, path: tuple[str, ...]) -> Any:
        item = self._item(path)
        if item is None or name not in item.attrs:
            return None
        about = item.attrs.get_id(name)
        count = math.prod(about.shape)
        if count and (about.get_storage_size() > LARGEST_TEXT_BYTES or count > MOST_TEXTS):
            raise broken(f"its {name!r} is too large")
        if count and about.dtype.kind not in "SOU":
            raise broken(f"its {name!r} is no text")
        return item.attrs[name] if count else np.zeros(0)

    def _item(self, path: tuple[str, ...]) -> Any:
        """The group or array there, or None."""
        with reading():
            item = self._file["/"]
            for part in "/".join(path).split("/") if path else ():
                if not isinstance(item, self._h5py.Group) or part in ("", ".") or part not in item:
                    return None
                if not isinstance(item.get(part, getlink=True), self._h5py.HardLink):
                    raise broken(f"{part!r} is a link to somewhere else")
                item = item[part]
            return item
