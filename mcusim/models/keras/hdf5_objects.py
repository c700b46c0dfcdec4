"""HDF5 file, as Keras writes it, -> its objects: groups with links, arrays, attributes. All of it is Python.

libhdf5 is C that cannot be interrupted: damaged files keep it busy for ever, or make it write where it must not. Here
each read and each entry costs steps of a budget, and nothing is taken before that many bytes are there. Damage is a
ValueError, and so are the formats that a program has to ask for.

pyfive, which is Python, too, is no way out: a header of 4 KB whose parts name each other keeps it busy, a piece unpacks
without a limit, and it needs Python 3.11 and numpy 2.
"""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

from mcusim.system.arrays import Array

MOST_STEPS, STEP_BYTES = 2**20, 64  # some seconds, less than 100 MB
DATASPACE, DATATYPE, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE = 1, 3, 7, 8, 11, 12, 16, 17
SHARED = 2  # a flag: the message lies elsewhere
INSIDE, ONE_PIECE, PIECES, ELSEWHERE = range(4)  # how an array is stored
CLASSES = ("integers", "floats", "times", "texts", "bits", "bytes", "records", "references", "choices", "lists")
FLOATS = ((2, 5), (4, 8), (8, 11))  # bytes, bits of the exponent
DEFLATED, SHUFFLED, SUMMED = 1, 2, 3  # what is done to a piece: packed, bytes of one place together, 4 more
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
        for _, node in self._leaves(tree, 0, 8):
            count = int.from_bytes(self._at(node, 8, b"SNOD")[6:], "little")
            entries = Cursor(self._at(node + 8, 40 * count))
            for _ in range(count):
                start, target, kind, _ = (entries.number(size) for size in (8, 8, 4, 20))
                end = names.index(b"\0", start)
                self._spend(1 + (end - start) // STEP_BYTES)
                yield _text(names[start:end]), None if kind == LINK else target

    def _leaves(self, tree: int, kind: int, key_bytes: int) -> Iterator[tuple[bytes, int]]:
        """Key and address of each."""
        pending, seen = [tree], set[int]()
        while pending:
            address = pending.pop()
            head = self._at(address, 8, b"TREE")
            if address in seen or head[4] != kind:
                raise ValueError("an index of it is damaged")
            seen.add(address)
            count = int.from_bytes(head[6:], "little")
            entries = Cursor(self._at(address + 24, (key_bytes + 8) * count))
            children = [(entries.take(key_bytes), entries.number()) for _ in range(count)]
            if head[5]:
                pending += [child for _, child in reversed(children)]
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
        if version != 3 or kind not in (INSIDE, ONE_PIECE, PIECES):
            raise ValueError(OTHERS)
        count = math.prod(value.shape)
        size = count * value.dtype.itemsize
        if kind == PIECES and size:
            return self._joined(about, value.shape, value.dtype, tuple(self._filters(address)))
        data = about.take(about.number(2)) if kind == INSIDE else self._bytes(about.number(), size) if size else b""
        return np.frombuffer(bytearray(data), value.dtype, count).reshape(value.shape)

    def _joined(
        self, about: Cursor, shape: tuple[int, ...], dtype: "np.dtype[np.generic]", filters: tuple[int, ...]
    ) -> Array:
        """Pieces are all of one size: what they have more than the array costs steps."""
        rank, tree = about.number(1) - 1, about.number()
        piece = tuple(about.number(4) for _ in range(rank))
        if rank != len(shape) or not all(piece):
            raise ValueError("pieces of an array do not fit into it")
        whole = tuple(-(-length // step) * step for length, step in zip(shape, piece, strict=True))
        self._spend((math.prod(whole) - math.prod(shape)) * dtype.itemsize // STEP_BYTES)
        values, size, seen = np.zeros(whole, dtype), math.prod(piece) * dtype.itemsize, set[tuple[int, ...]]()
        for key, place in self._leaves(tree, 1, 16 + 8 * rank):
            entry = Cursor(key)
            stored, skipped = entry.number(4), entry.number(4)
            corner = tuple(entry.number() for _ in range(rank))
            if corner in seen or any(start % step for start, step in zip(corner, piece, strict=True)):
                raise ValueError("pieces of an array overlap")
            if stored > 2 * size + STEP_BYTES or any(start >= end for start, end in zip(corner, whole, strict=True)):
                raise ValueError("pieces of an array do not fit into it")
            seen.add(corner)
            data = _unpacked(self._bytes(place, stored), filters, skipped, size, dtype.itemsize)
            inside = tuple(slice(start, start + step) for start, step in zip(corner, piece, strict=True))
            values[inside] = np.frombuffer(data, dtype, math.prod(piece)).reshape(piece)
        if len(seen) * math.prod(piece) < math.prod(whole):
            raise ValueError("pieces of an array are missing")
        return values[tuple(slice(length) for length in shape)].copy()

    def _filters(self, address: int) -> Iterator[int]:
        """What was done to each piece, in this order."""
        about = Cursor(self._message(address, FILTERS) or bytes(8))
        version, count, seen = about.number(1), about.number(1), set[int]()
        about.take(6)
        for _ in range(count):
            kind, name, _, values = (about.number(2) for _ in range(4))
            if version != 1 or kind not in (DEFLATED, SHUFFLED, SUMMED) or kind in seen:
                raise ValueError("its arrays are compressed, and not by gzip")
            about.take(name + -name % 8 + 4 * (values + values % 2))
            seen.add(kind)
            yield kind


def _unpacked(data: bytes, filters: tuple[int, ...], skipped: int, size: int, width: int) -> bytes:
    """`skipped` has the bits of those that this piece went without."""
    for place, kind in reversed(tuple(enumerate(filters))):
        if skipped >> place & 1:
            continue
        if kind == DEFLATED:
            data = zlib.decompressobj().decompress(data, size + 4)  # it may end in the sum
        elif kind == SUMMED:
            data = data[:-4]
        else:
            end = len(data) // width * width
            data = np.frombuffer(data[:end], np.uint8).reshape(width, -1).T.tobytes() + data[end:]
    return data


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
