"""Values -> a digest of all that they hold, the same in every process."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction

import numpy as np

PLAIN = (type(None), bool, int, float, complex, str, bytes, Fraction, np.generic)  # repr tells all of them


def digest_of(value: object) -> str:
    """Of plain values, arrays, and what is made of those. Raises TypeError for whatever else there is."""
    sha = hashlib.sha256()
    for part in _parts(value):
        sha.update(part)
    return sha.hexdigest()


def _parts(value: object) -> Iterator[bytes | memoryview]:
    """None is the beginning of another: each tells how much belongs to it."""
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield f"array {value.dtype.str} {value.shape};".encode()
        yield np.ascontiguousarray(value).reshape(-1).view(np.uint8).data  # not copied: samples may be half a gigabyte
    elif isinstance(value, Mapping):
        yield from _many("mapping", [part for item in value.items() for part in item])
    elif isinstance(value, (tuple, list)):
        yield from _many(type(value).__name__, value)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _many(type(value).__qualname__, [getattr(value, field.name) for field in fields(value)])
    elif isinstance(value, PLAIN):
        told = f"{type(value).__name__} {value!r}"
        yield f"{len(told)} {told};".encode()
    else:
        raise TypeError(f"a {type(value).__name__} has no digest")


def _many(kind: str, values: list[object] | tuple[object, ...]) -> Iterator[bytes | memoryview]:
    yield f"{kind} {len(values)};".encode()
    for value in values:
        yield from _parts(value)
