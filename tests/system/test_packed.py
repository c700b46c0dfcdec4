"""What was packed comes back as it was; whatever was not is refused with a word, and none of its types is believed."""

from __future__ import annotations

import hashlib
import json
import zlib

import numpy as np
import pytest

from mcusim.system import packed
from mcusim.system.packed import digest_of, pack, unpack

ARRAYS = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b": np.array(0.5), "c": np.zeros(0, np.uint8)}


def test_it_comes_back() -> None:
    told, arrays = unpack(pack("told", ARRAYS))
    assert told == "told" and arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype and arrays[name].shape == array.shape
        np.testing.assert_array_equal(arrays[name], array)


def signed(body: bytes) -> bytes:
    """With the digest that it should have: somebody meant it."""
    return b"".join((packed._MAGIC, hashlib.sha256(body).hexdigest().encode(), b"\n", body))


def whole(shapes: object) -> bytes:
    head = json.dumps(shapes).encode()
    return signed(zlib.compress(len(head).to_bytes(8, "little") + bytes(8) + head + bytes(64)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "another version, or no such file"),
        (b"mcusim 2 " + pack("", {})[9:], "another version"),
        (pack("x", ARRAYS)[:-1], "cut off or damaged"),
        (signed(b"no zlib"), "it is damaged: Error -3"),
        (signed(zlib.compress(bytes(20))), "Expecting value"),
        (whole([1, 2]), "it is damaged: 'list' object"),
        (whole({"a": ["O", [1]]}), "numbers of type 'O'"),
        (whole({"a": ["<i4", [-1]]}), "an array without a shape"),
        (whole({"a": ["<i4", [True]]}), "an array without a shape"),
        (whole({"a": ["<i4", [1 << 40]]}), "buffer"),
        (whole({"a": ["<i3", [1]]}), "numbers of type '<i3'"),
    ],
)
def test_what_was_not_packed_by_us_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        unpack(data)


def test_what_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "LARGEST_BYTES", 1000)
    with pytest.raises(ValueError, match="larger than 1,000 bytes"):
        unpack(pack("", {"a": np.zeros(1000, np.int8)}))


def test_the_digest_is_of_what_was_packed() -> None:
    assert digest_of(pack("x", {})) != digest_of(pack("y", {})) and len(digest_of(pack("x", {}))) == 64
