"""Bytes of a protobuf message -> its fields by number. Which number means what, `messages.py` knows.

A message is read when it is asked for, one level at a time, so that no file nests deeper than we look, and its parts
are views of the file. The format: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

MOST_FIELDS = 400_000  # of all messages of a file that are looked at; tensors are one field each
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10


def broken(reason: object) -> ModelError:
    return ModelError(f"this is no readable ONNX model: {reason}", hint="export it again")


@dataclass
class Budget:
    """How many fields may still be looked at: a message of two bytes takes a hundred in memory."""

    left: int = MOST_FIELDS

    def take(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise broken(f"it has more than {MOST_FIELDS} parts")


@dataclass(frozen=True)
class Message:
    """`data` is looked through at once: what is no message is a ModelError."""

    data: memoryview
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        found: dict[int, list[tuple[int, int | memoryview]]] = {}
        for number, kind, value in self._fields():
            found.setdefault(number, []).append((kind, value))
        object.__setattr__(self, "_found", found)

    _found: dict[int, list[tuple[int, int | memoryview]]] = field(init=False, repr=False)

    def __contains__(self, number: int) -> bool:
        return number in self._found

    def _fields(self) -> Iterator[tuple[int, int, int | memoryview]]:
        """(number, wire type, value)"""
        place = 0
        while place < len(self.data):
            self.budget.take()
            key, place = _varint(self.data, place)
            number, kind = key >> 3, key & 7
            if kind == VARINT:
                value, place = _varint(self.data, place)
                yield number, kind, value
                continue
            if kind == BYTES:
                length, place = _varint(self.data, place)
            elif kind in (FIXED32, FIXED64):
                length = 4 if kind == FIXED32 else 8
            else:
                raise broken(f"a field of the unknown type {kind}")
            if number == 0 or length > len(self.data) - place:
                raise broken("it ends too early")
            yield number, kind, self.data[place : place + length]
            place += length

    def parts(self, number: int) -> list[memoryview]:
        """Of a repeated field: bytes, texts and messages."""
        values = [value for kind, value in self._found.get(number, ()) if kind == BYTES]
        return [value for value in values if isinstance(value, memoryview)]

    def messages(self, number: int) -> list[Message]:
        return [Message(part, self.budget) for part in self.parts(number)]

    def message(self, number: int) -> Message | None:
        """Of several the last one, as protobuf has it."""
        parts = self.parts(number)
        return Message(parts[-1], self.budget) if parts else None

    def texts(self, number: int) -> list[str]:
        return [bytes(part).decode("utf-8", "replace") for part in self.parts(number)]

    def text(self, number: int) -> str:
        return (self.texts(number) or [""])[-1]

    def wholes(self, number: int) -> Array:
        """Int64 of a repeated field, packed or not."""
        found = [_varints(v) if isinstance(v, memoryview) else np.array([v]) for _, v in self._found.get(number, ())]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def whole(self, number: int, default: int = 0) -> int:
        found = [value for kind, value in self._found.get(number, ()) if kind == VARINT]
        return int(found[-1]) if found else default

    def reals(self, number: int, dtype: str = "<f4") -> Array:
        """Floats or doubles of a repeated field, packed or not."""
        parts = [value for _, value in self._found.get(number, ()) if isinstance(value, memoryview)]
        size = np.dtype(dtype).itemsize
        if any(len(part) % size for part in parts):
            raise broken("numbers of broken length")
        return np.concatenate([np.frombuffer(part, dtype) for part in parts]) if parts else np.zeros(0, dtype)

    def real(self, number: int) -> float:
        found = [value for kind, value in self._found.get(number, ()) if kind == FIXED32]
        return float(struct.unpack("<f", found[-1])[0]) if found else 0.0  # type: ignore[arg-type]


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """A signed number of 64 bits, and where it ends."""
    value = 0
    for count, byte in enumerate(data[place : place + LONGEST_VARINT]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            value &= 2**64 - 1
            return (value - 2**64 if value >= 2**63 else value), place + count + 1
    raise broken("a number without end")


def _varints(data: memoryview) -> Array:
    """All of packed ones at once: there may be millions."""
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw < 0x80)
    if len(raw) and (not len(ends) or ends[-1] != len(raw) - 1):
        raise broken("a number without end")
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts + 1
    if lengths.max(initial=0) > LONGEST_VARINT:
        raise broken("a number without end")
    values = np.zeros(len(ends), np.uint64)
    for place in range(int(lengths.max(initial=0))):
        has = lengths > place
        values[has] |= (raw[starts[has] + place] & 0x7F).astype(np.uint64) << np.uint64(7 * place)
    return values.view(np.int64)


def encoded(number: int, part: bytes) -> bytes:
    """A field of bytes. What stands behind the end of a file is merged into it, as protobuf has it."""
    return _bytes_of(number << 3 | BYTES) + _bytes_of(len(part)) + part


def _bytes_of(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
