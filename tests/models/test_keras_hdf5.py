"""Our reader of HDF5 against h5py, and on damaged files in bounded time."""

from __future__ import annotations

import io
import random
import resource
import struct
import zlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pytest

from mcusim.models.keras import hdf5_objects
from mcusim.models.keras.hdf5 import Hdf5
from mcusim.system.errors import ModelError

TYPES = ("f2", "f4", "f8", ">f4", "i1", "u1", "i2", ">u2", "i4", "i8", "u8")
NEWER = ("v108", "v110", "latest")
MOST_CPU_S = 20.0


def written(fill: Callable[[Any], None], version: str | None = None) -> bytes:
    stored = io.BytesIO()
    with h5py.File(stored, "w", libver=version and (version, version)) as file:
        fill(file.create_group("in"))
    return stored.getvalue()


def demand_same(content: bytes) -> int:
    """How many things were compared."""
    ours, count = Hdf5(io.BytesIO(content)), 0
    with h5py.File(io.BytesIO(content), "r") as theirs:
        groups = [((), theirs["/"])]
        for path, group in groups:
            assert ours.names(*path) == tuple(group)
            for name, value in group.attrs.items():
                texts = [text if isinstance(text, str) else text.decode() for text in np.ravel(value).tolist()]
                assert ours.texts(name, *path) == tuple(texts)
                count += 1
            for name, item in group.items():
                if isinstance(item, h5py.Group):
                    groups.append(((*path, name), item))
                    continue
                values = ours.array(*path, name)
                assert values.dtype == item.dtype and values.shape == item.shape
                assert values.tobytes() == item[()].tobytes()
                count += 1
    return count


def test_arrays_of_all_types() -> None:
    random = np.random.default_rng(0)

    def fill(group: Any) -> None:
        for kind in TYPES:
            group[kind] = random.normal(size=(10, 11), scale=50).astype(kind)

    assert demand_same(written(fill)) == len(TYPES)


def test_arrays_of_all_shapes() -> None:
    def fill(group: Any) -> None:
        for number, shape in enumerate(((), (1,), (0,), (3, 0, 2), (2, 3, 4, 5, 1))):
            group[str(number)] = np.ones(shape, np.float32)
        small = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        small.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((3,))
        made = h5py.h5d.create(group.id, b"compact", h5py.h5t.IEEE_F32LE, space, dcpl=small)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(3, dtype=np.float32))

    assert demand_same(written(fill)) == 6


@pytest.mark.parametrize("count", [0, 1, 9, 1500])
def test_groups(count: int) -> None:
    def fill(group: Any) -> None:
        for number in range(count):
            group.create_group(f"a name that is longer than most, because those are {number}")
        group["one"] = np.float32(1)

    assert demand_same(written(fill)) == 1


@pytest.mark.parametrize("count", [1, 9, 60])
def test_attributes(count: int) -> None:
    def fill(group: Any) -> None:
        for number in range(count):
            group.attrs[f"text{number}"] = "é" * number
            group.attrs[f"bytes{number}"] = np.bytes_(b"abc" * (number + 1))
            group.attrs[f"list{number}"] = [b"abc", b"", b"abcdef" * number]
            group.attrs[f"words{number}"] = np.array(["a", "bcd"] * number, dtype=h5py.string_dtype())
        group.attrs["nothing"] = []

    assert demand_same(written(fill)) == 4 * count + 1


def test_what_was_removed_leaves_a_hole() -> None:
    def fill(group: Any) -> None:
        for number in range(40):
            group.attrs[f"long{number}"] = "x" * 500
            group[f"a{number}"] = np.arange(number)
        for number in range(0, 40, 3):
            del group.attrs[f"long{number}"], group[f"a{number}"]

    assert demand_same(written(fill)) == 2 * 26


@pytest.mark.parametrize("version", NEWER)
def test_newer_formats_are_refused(version: str) -> None:
    """Their indexes are others. Keras asks for none of them, and h5py writes them to who asks only."""
    with pytest.raises(ModelError, match="parts of HDF5 that Keras does not write") as caught:
        Hdf5(io.BytesIO(written(model, version)))
    assert "model.save" in str(caught.value.hint)


PIECES: tuple[dict[str, Any], ...] = (
    {"chunks": (2, 3)},
    {"chunks": (5, 4), "compression": "gzip"},
    {"compression": "gzip", "compression_opts": 9, "shuffle": True},
    {"chunks": (7, 11), "compression": "gzip", "shuffle": True, "fletcher32": True},
    {"chunks": (1, 1), "fletcher32": True},
    {"maxshape": (None, 11)},
)


@pytest.mark.parametrize("how", PIECES)
def test_arrays_in_pieces(how: dict[str, Any]) -> None:
    random = np.random.default_rng(0)

    def fill(group: Any) -> None:
        for kind in TYPES:
            group.create_dataset(kind, data=random.normal(size=(10, 11), scale=50).astype(kind), **how)

    assert demand_same(written(fill)) == len(TYPES)


def test_many_pieces() -> None:
    """Their index has more than one level."""

    def fill(group: Any) -> None:
        group.create_dataset("a", data=np.arange(3000.0).reshape(10, 20, 15), chunks=(1, 2, 3))
        group.create_dataset("none", shape=(0, 3), maxshape=(None, 3))

    assert demand_same(written(fill)) == 2


@pytest.mark.parametrize(
    "how, why", [({"scaleoffset": 3}, "not by gzip"), ({"chunks": (2, 3)}, "pieces of an array are missing")]
)
def test_pieces_that_are_refused(how: dict[str, Any], why: str) -> None:
    def fill(group: Any) -> None:
        made = group.create_dataset("a", shape=(4, 3), dtype="i4", **how)
        made[:2] = 1

    with pytest.raises(ModelError, match=why):
        Hdf5(io.BytesIO(written(fill))).array("in", "a")


def test_a_piece_unpacks_to_no_more_than_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(group: Any) -> None:
        made = group.create_dataset("a", shape=(2**10,), dtype="f4", chunks=(2**10,), compression="gzip")
        made.id.write_direct_chunk((0,), zlib.compress(bytes(2**21), 9))

    longest: list[int] = []
    unpacked = hdf5_objects._unpacked
    monkeypatch.setattr(
        hdf5_objects, "_unpacked", lambda *given: (made := unpacked(*given), longest.append(len(made)))[0]
    )
    Hdf5(io.BytesIO(written(fill))).array("in", "a")
    assert longest == [2**12 + 4]


def test_the_rest_of_a_huge_piece_costs_steps() -> None:
    def fill(group: Any) -> None:
        group.create_dataset("a", shape=(2,), maxshape=(None,), chunks=(2**26,), dtype="f4")

    with pytest.raises(ModelError, match="takes too long"):
        Hdf5(io.BytesIO(written(fill))).array("in", "a")


# -- damage ------------------------------------------------------------------------------------------------------------


def model(group: Any) -> None:
    group.attrs["config"] = '{"a": 1}' * 200
    for layer in range(5):
        one = group.create_group(f"layer{layer}")
        one.attrs["weight_names"] = [b"kernel:0", b"bias:0"]
        one["kernel:0"] = np.arange(12, dtype=np.float32).reshape(4, 3)
        one["bias:0"] = np.arange(6, dtype=np.float32)
        one.create_dataset("in pieces", data=np.arange(12.0).reshape(4, 3), chunks=(2, 2), compression="gzip")


def read_all(content: bytes) -> None:
    """Raises ModelError for what is damaged, and nothing else."""
    file = Hdf5(io.BytesIO(content))
    paths: list[tuple[str, ...]] = [()]
    for path in paths:
        file.texts("config", *path), file.texts("weight_names", *path), file.text("config", *path)
        for name in file.names(*path):
            paths.append((*path, name)) if len(path) < 3 else None
            try:
                file.array(*path, name)
            except ModelError:
                continue


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def demand_end(content: bytes) -> None:
    before = cpu_s()
    try:
        read_all(content)
    except ModelError as error:
        assert error.hint and error.exit_code == 3
    assert cpu_s() - before < MOST_CPU_S


WORDS = (
    b"\0" * 8,
    b"\xff" * 8,
    b"\x7f\xff",
    b"\1",
    b"\0\0\xc0\x7f",
    struct.pack("<Q", 2**63 - 16),
    b"\x60" + b"\0" * 7,
)


def test_damage_of_every_word_ends_soon() -> None:
    """Each place of what tells where things lie, with what numbers there could do most harm."""
    content = written(model)
    chance = random.Random(0)
    places = [place for place in range(0, len(content), 4) if any(content[place - 8 : place + 8])]  # something is there
    for place in chance.sample(places, 300):
        word = chance.choice(WORDS)
        demand_end(content[:place] + word + content[place + len(word) :])


def test_shifted_and_cut_files_end_soon() -> None:
    content = written(model)
    chance = random.Random(0)
    for _ in range(150):
        place = chance.randrange(len(content))
        demand_end(
            content[:place] + chance.randbytes(chance.choice((0, 1, 4))) + content[place + chance.choice((0, 1)) :]
        )
        demand_end(content[:place])


def test_a_text_of_no_end() -> None:
    """libhdf5 adds up sizes until they are 0 again, and stays where it is."""
    content = written(lambda group: group.attrs.update({"config": "x" * 100}))
    start = content.index(b"GCOL") + 16
    for size in (2**64 - 16, 2**64 - 8, 2**64 - 1, 2**63, 0):
        demand_end(content[: start + 8] + struct.pack("<Q", size) + content[start + 16 :])


def test_work_is_limited_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_objects, "MOST_STEPS", 100)
    with pytest.raises(ModelError, match="takes too long"):
        read_all(written(model))
