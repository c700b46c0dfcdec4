"""Bytes of a flatbuffer -> tables and vectors, every access of which is checked: a wrong offset is a ModelError.

A table knows by slot where its fields lie; a field that is absent has its default. Vectors are views of the file, so
that no length in it takes memory. Nothing here nests by itself, so that a circle of offsets leads nowhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

MOST_TABLES = 2**14  # of one vector
LONGEST_TEXT_BYTES = 4096
IDENTIFIER = slice(4, 8)
SCALARS = {
    name: struct.Struct(f"<{code}") for name, code in zip(("i8", "u8", "u16", "i32", "u32"), "bBHiI", strict=True)
}
SCALARS |= {"u64": struct.Struct("<Q"), "f32": struct.Struct("<f"), "bool": struct.Struct("<?")}


def broken(reason: str) -> ModelError:
    hint = "fetch it again, it may be cut off, or convert it again with TFLiteConverter"
    return ModelError(f"this is no readable TFLite model: {reason}", hint=hint)


@dataclass(frozen=True)
class Table:
    """At `place` of `data`."""

    data: bytes
    place: int

    def scalar(self, slot: int, kind: str, default: float = 0) -> float:
        """`kind`: of SCALARS."""
        place = self._field(slot, SCALARS[kind].size)
        return default if place is None else self._read(place, kind)

    def whole(self, slot: int, kind: str, default: int = 0) -> int:
        return int(self.scalar(slot, kind, default))

    def text(self, slot: int) -> str:
        """Not more than LONGEST_TEXT_BYTES of it; what is no UTF-8 is replaced."""
        vector = self.vector(slot, np.dtype(np.uint8))
        return "" if vector is None else vector[:LONGEST_TEXT_BYTES].tobytes().decode("utf-8", "replace")

    def vector(self, slot: int, dtype: np.dtype[np.generic]) -> Array | None:
        """A view; None where there is no such field."""
        place = self._target(slot)
        if place is None:
            return None
        count = int(self._read(place, "u32"))
        if place + 4 + count * dtype.itemsize > len(self.data):
            raise broken("a vector ends outside of the file")
        return np.frombuffer(self.data, dtype, count, place + 4)

    def table(self, slot: int) -> Table | None:
        place = self._target(slot)
        return None if place is None else Table(self.data, place)

    def tables(self, slot: int) -> Iterator[Table]:
        """Of a vector of them."""
        offsets = self.vector(slot, np.dtype("<u4"))
        start = self._target(slot)
        if offsets is None or start is None:
            return
        if len(offsets) > MOST_TABLES:
            raise broken(f"it has a vector of {len(offsets)} tables")
        for index, offset in enumerate(offsets.tolist()):
            yield Table(self.data, self._inside(start + 4 + 4 * index + offset))

    def _target(self, slot: int) -> int | None:
        """Where the offset in a field leads."""
        place = self._field(slot, 4)
        return None if place is None else self._inside(place + int(self._read(place, "u32")))

    def _field(self, slot: int, size: int) -> int | None:
        head = self.place - int(self._read(self.place, "i32"))
        length, table = int(self._read(head, "u16")), int(self._read(head + 2, "u16"))
        if length < 4 or length % 2:
            raise broken("a table has no head")
        if 4 + 2 * slot + 2 > length:
            return None
        offset = int(self._read(head + 4 + 2 * slot, "u16"))
        if offset == 0:
            return None
        if offset < 4 or offset + size > table:
            raise broken("a field lies outside of its table")
        return self.place + offset

    def _read(self, place: int, kind: str) -> float:
        form = SCALARS[kind]
        if not 0 <= place <= len(self.data) - form.size:
            raise broken("an offset leads outside of the file")
        value: float = form.unpack_from(self.data, place)[0]
        return value

    def _inside(self, place: int) -> int:
        if place > len(self.data) - 4:
            raise broken("an offset leads outside of the file")
        return place


def root(data: bytes, identifier: bytes) -> Table:
    if data[IDENTIFIER] != identifier:
        raise broken(f"it does not begin with {identifier.decode()!r}")
    start = Table(data, 0)
    return Table(data, start._inside(int(start._read(0, "u32"))))
