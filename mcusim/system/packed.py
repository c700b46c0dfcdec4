"""JSON and arrays <-> bytes whose first line has their digest: half of a file, or a damaged one, is never believed."""

import hashlib
import json
import math
import re
import zlib
from collections.abc import Mapping

import numpy as np

from mcusim.system.arrays import Array

_MAGIC = b"mcusim 1 "
_HEAD_BYTES = len(_MAGIC) + 64 + 1
LARGEST_BYTES = 3 * 2**29  # unpacked
_TYPE = re.compile(r"[<|][buif][1248]")
_LENGTH_BYTES = 8


def pack(told: str, arrays: Mapping[str, Array]) -> bytes:
    """`told`: JSON, or any text. Arrays of plain numbers."""
    kept = {name: np.asarray(array.astype(array.dtype.newbyteorder("<")), order="C") for name, array in arrays.items()}
    shapes = {name: [array.dtype.str, array.shape] for name, array in kept.items()}
    head, text = json.dumps(shapes).encode(), told.encode()
    lengths = b"".join(len(part).to_bytes(_LENGTH_BYTES, "little") for part in (head, text))
    body = zlib.compress(b"".join((lengths, head, text, *(array.tobytes() for array in kept.values()))), 1)
    return b"".join((_MAGIC, hashlib.sha256(body).hexdigest().encode(), b"\n", body))


def digest_of(data: bytes) -> str:
    """Of what was packed."""
    return data[len(_MAGIC) : _HEAD_BYTES - 1].decode("ascii", errors="replace")


def unpack(data: bytes) -> tuple[str, dict[str, Array]]:
    """Raises ValueError for whatever `pack` has not written, or not this version of it."""
    head, body = data[:_HEAD_BYTES], data[_HEAD_BYTES:]
    if not head.startswith(_MAGIC):
        raise ValueError("it is of another version, or no such file")
    if hashlib.sha256(body).hexdigest() != digest_of(data):
        raise ValueError("it is cut off or damaged")
    inflating = zlib.decompressobj()
    try:
        whole = inflating.decompress(body, LARGEST_BYTES)
        if not inflating.eof:
            raise ValueError(f"it is larger than {LARGEST_BYTES:,} bytes")
        return _taken_apart(whole)
    except (zlib.error, AttributeError, TypeError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(f"it is damaged: {error}") from None


def _taken_apart(whole: bytes) -> tuple[str, dict[str, Array]]:
    lengths = [int.from_bytes(whole[at : at + _LENGTH_BYTES], "little") for at in (0, _LENGTH_BYTES)]
    at = 2 * _LENGTH_BYTES
    texts = []
    for length in lengths:
        texts.append(whole[at : at + length])
        at += length
    arrays = {}
    for name, (kind, shape) in json.loads(texts[0]).items():
        if not _TYPE.fullmatch(kind):
            raise ValueError(f"it holds numbers of type {kind[:20]!r}")
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError("it holds an array without a shape")
        size = math.prod(shape)
        arrays[name] = np.frombuffer(whole, np.dtype(kind), size, at).reshape(shape)
        at += arrays[name].nbytes
    return texts[1].decode(), arrays
