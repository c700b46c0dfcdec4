"""HDF5 file, as Keras writes it, -> its objects: groups with links, arrays, attributes. All of it is Python.

libhdf5 is C that cannot be interrupted: damaged files keep it busy for ever, or make it write where it must not. Here
each read and each entry costs steps of a budget, and nothing is taken before that many bytes are there. Damage is a
ValueError, and so is what Keras does not write: arrays in pieces, and the formats that a program has to ask for.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

from mcusim.system.arrays import Array

MOST_STEPS, STEP_BYTES = 2**20, 64  # some seconds, less than 100 MB
DATASPACE, DATATYPE, EXTERNAL, LAYOUT, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE = 1, 3, 7, 8, 12, 16, 17
SHARED = 2  # a flag: the message lies elsewhere
INSIDE, ONE_PIECE, _, ELSEWHERE = range(4)  # how an array is stored
CLASSES = ("integers", "floats", "times", "texts", "bits", "bytes", "records", "references", "choices", "lists")
FLOATS = ((2, 5), (4, 8), (8, 11))  # bytes, bits of the exponent
LINK = 2  # a kind of an entry: it names a path, not an object
OTHERS = "it uses parts of HDF5 that Keras does not write"


class Cursor:
    """Takes one field after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._place : self._place + count]
        if len(taken) < count:
            raise ValueError("a part of it is cut off")
        self._place += count
        return taken

    def number(self, size: int = 8) -> int:
        return int.from_bytes(self.take(size), "little")

    @property
    def left(self) -> int:
        return len(self._data) - self._place


@dataclass(frozen=True)
class Value:
    """An array, or an attribute, whose `data` are as they are stored.

    `dtype`: O for texts of any length; a word for what numpy has no name for. `shape` is None for nothing at all.
    """

    dtype: "np.dtype[np.generic] | str"
    shape: tuple[int, ...] | None
    data: bytes = b""


class Objects:
    """Objects are told by their addresses; `root` is the outermost group. Sizes and addresses have 8 bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._size, self._steps = file, file.seek(0, 2), 0
        self._messages: dict[int, list[tuple[int, bytes]]] = {}
        self._links: dict[int, dict[str, int | None]] = {}
        self._attributes: dict[int, dict[str, Value]] = {}
        self._texts: dict[int, dict[int, tuple[int, int]]] = {}
        version, *_, address_bytes, length_bytes = self._at(8, 7)
        if version > 1 or {address_bytes, length_bytes} != {8}:
            raise ValueError(OTHERS)
        self.root = Cursor(self._at(64 + 4 * version, 8)).number()

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MOST_STEPS:
            raise ValueError("its structure takes too long to read")

    def _at(self, address: int, count: int, signature: bytes = b"") -> bytes:
        self._spend(1 + count // STEP_BYTES)
        found = self._bytes(address, count)
        if not found.startswith(signature):
            raise ValueError(f"its {signature.decode()!r} is not where it should be")
        return found

    def _bytes(self, address: int, count: int) -> bytes:
        if address + count > self._size:
            raise ValueError("a part of it is cut off")
        self._file.seek(address)
        return self._file.read(count)

    def _message(self, address: int, kind: int) -> bytes | None:
        return next((body for one, body in self._messages_of(address) if one == kind), None)

    def _messages_of(self, address: int) -> list[tuple[int, bytes]]:
        """Kind and body of each: what an object consists of."""
        if address not in self._messages:
            self._messages[address] = list(self._read_messages(address))
        return self._messages[address]

    def _read_messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        head = self._at(address, 12)
        if head[0] != 1:
            raise ValueError(OTHERS)
        pending, seen = [(address + 16, int.from_bytes(head[8:], "little"))], set[int]()
        for start, size in pending:
            if start in seen:
                raise ValueError("an object goes on in itself")
            seen.add(start)
            block = Cursor(self._at(start, size))
            while block.left >= 8:
                self._spend(1)
                kind, length, flags = block.number(2), block.number(2), block.number(4) & 0xFF
                body = block.take(length)
                if flags & SHARED:
                    raise ValueError(OTHERS)
                if kind == CONTINUATION:
                    pending.append((Cursor(body).number(), Cursor(body[8:]).number()))
                elif kind:
                    yield kind, body

    # -- groups --------------------------------------------------------------------------------------------------------

    def links(self, address: int) -> dict[str, int | None]:
        """By name, where objects of a group lie; None for one that is a link to somewhere else. None of an array."""
        if address not in self._links:
            table = self._message(address, SYMBOL_TABLE)
            self._links[address] = {} if table is None else dict(self._symbols(Cursor(table)))
        return self._links[address]

    def _symbols(self, table: Cursor) -> Iterator[tuple[str, int | None]]:
        tree, heap = table.number(), table.number()
        about = Cursor(self._at(heap, 32, b"HEAP")[8:])
        size, _, place = about.number(), about.number(), about.number()
        names = self._at(place, size)
        for node in self._leaves(tree):
            count = int.from_bytes(self._at(node, 8, b"SNOD")[6:], "little")
            entries = Cursor(self._at(node + 8, 40 * count))
            for _ in range(count):
                start, target, kind, _ = (entries.number(size) for size in (8, 8, 4, 20))
                end = names.index(b"\0", start)
                self._spend(1 + (end - start) // STEP_BYTES)
                yield _text(names[start:end]), None if kind == LINK else target

    def _leaves(self, tree: int) -> Iterator[int]:
        pending, seen = [tree], set[int]()
        while pending:
            address = pending.pop()
            head = self._at(address, 8, b"TREE")
            if address in seen or head[4]:
                raise ValueError("an index of it is damaged")
            seen.add(address)
            count = int.from_bytes(head[6:], "little")
            entries = Cursor(self._at(address + 24, 16 * count))
            children = [entries.number(16) >> 64 for _ in range(count)]  # each after its key
            if head[5]:
                pending += reversed(children)
            else:
                yield from children

    # -- attributes and arrays -----------------------------------------------------------------------------------------

    def attribute(self, address: int, name: str) -> Value | None:
        if address not in self._attributes:
            found = (self._attribute(body) for kind, body in self._messages_of(address) if kind == ATTRIBUTE)
            self._attributes[address] = dict(found)
        return self._attributes[address].get(name)

    def _attribute(self, body: bytes) -> tuple[str, Value]:
        self._spend(4)
        about = Cursor(body)
        version, flags, *sizes = (about.number(size) for size in (1, 1, 2, 2, 2))
        about.take(1 if version == 3 else 0)
        name, kind, space = (about.take(-size % 8 + size if version == 1 else size) for size in sizes)
        if version > 1 and flags:
            raise ValueError(OTHERS)
        return _text(name.partition(b"\0")[0]), Value(_dtype(kind), _shape(space), about.take(about.left))

    def texts(self, value: Value) -> list[bytes]:
        """Of an attribute of S or O."""
        assert isinstance(value.dtype, np.dtype)
        data, count = Cursor(value.data), math.prod(value.shape or ())
        if value.dtype.kind == "S":
            return [data.take(value.dtype.itemsize).rstrip(b"\0") for _ in range(count)]
        return [self._collected(data.number(4), data.number(), data.number(4)) for _ in range(count)]

    def _collected(self, length: int, collection: int, index: int) -> bytes:
        if not length:
            return b""
        if collection not in self._texts:
            self._texts[collection] = dict(self._collection(collection))
        start, size = self._texts[collection].get(index, (0, 0))
        if length > size:
            raise ValueError("a text of it is cut off")
        return self._at(start, length).partition(b"\0")[0]

    def _collection(self, place: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """Number, place and size of each text in it."""
        end = place + int.from_bytes(self._at(place, 16, b"GCOL")[8:], "little")
        place += 16
        while place + 16 <= end:
            entry = Cursor(self._at(place, 16))
            index, size = entry.number() & 0xFFFF, entry.number()
            if not index:  # the rest is free
                break
            yield index, (place + 16, size)
            place += 16 + size + -size % 8

    def is_array(self, address: int) -> bool:
        return self._message(address, LAYOUT) is not None

    def array(self, address: int) -> Value:
        """Without data."""
        kind, space = self._message(address, DATATYPE), self._message(address, DATASPACE)
        return Value(_dtype(kind or b""), _shape(space or b""))

    def numbers(self, address: int, value: Value) -> Array:
        """Of an array, whose size the caller has limited."""
        assert isinstance(value.dtype, np.dtype) and value.shape is not None
        about = Cursor(self._message(address, LAYOUT) or b"")
        version, kind = about.take(2)
        if kind == ELSEWHERE or self._message(address, EXTERNAL) is not None:
            raise ValueError("an array of it lies in another file")
        if version != 3 or kind not in (INSIDE, ONE_PIECE):
            raise ValueError("its arrays are cut into pieces, or compressed, as Keras does not write them")
        count = math.prod(value.shape)
        size = count * value.dtype.itemsize
        data = about.take(about.number(2)) if kind == INSIDE else self._bytes(about.number(), size) if size else b""
        return np.frombuffer(bytearray(data), value.dtype, count).reshape(value.shape)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _shape(body: bytes) -> tuple[int, ...] | None:
    about = Cursor(body)
    version, rank, _, kind = about.take(4)
    about.take(4 if version == 1 else 0)
    return None if version == 2 and kind == 2 else tuple(about.number() for _ in range(rank))


def _dtype(body: bytes) -> "np.dtype[np.generic] | str":
    about = Cursor(body)
    kind, flags, _, size = (about.number(size) for size in (1, 1, 2, 4))
    name = dict(enumerate(CLASSES)).get(kind & 15, "arrays")
    order = ">" if flags & 1 else "<"
    if name == "integers" and size in (1, 2, 4, 8) and about.take(4) == bytes([0, 0, 8 * size, 0]):
        return np.dtype(f"{order}{'i' if flags & 8 else 'u'}{size}")
    if name == "floats" and not flags & 0x40 and (size, about.take(6)[5]) in FLOATS:
        return np.dtype(f"{order}f{size}")
    if name in ("texts", "bytes") and size:
        return np.dtype(f"{'S' if name == 'texts' else 'V'}{size}")
    return np.dtype(object) if name == "lists" and flags & 15 == 1 else name
