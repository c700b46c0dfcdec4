"""A user's file: what is accepted, and one clear error for everything else."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.datasets import npz_arrays, npz_file
from mcusim.system.errors import DataError

NAMES = ("x_train", "y_train", "x_test", "y_test")


def arrays(**changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    whole = {
        "x_train": random.normal(size=(6, 8, 2)).astype(np.float32),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": random.normal(size=(3, 8, 2)).astype(np.float32),
        "y_test": np.array([2, 1, 0]),
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.npz"


def test_plain_file(file: Path) -> None:
    np.savez_compressed(file, **arrays())
    dataset = npz_file.load(file)
    assert dataset.name == "data" and dataset.classes == () and dataset.groups_train is None
    assert dataset.x_train is not None and dataset.x_train.dtype == np.float32
    assert dataset.y_test is not None and dataset.y_test.dtype == np.int64 and dataset.notes == ()
    np.testing.assert_array_equal(dataset.x_test, arrays()["x_test"])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "float64", ">f4", "bool"])
def test_real_types_become_float32(file: Path, dtype: str) -> None:
    x = (np.arange(6 * 16).reshape(6, 4, 4, 1) % 2).astype(dtype)
    np.savez(file, **arrays(x_train=x, x_test=x[:3]))
    dataset = npz_file.load(file)
    assert dataset.x_train is not None and dataset.x_train.dtype == np.float32 and dataset.x_train.dtype.isnative
    np.testing.assert_array_equal(dataset.x_train, x.astype(float))


def test_names_groups_columns_and_other_arrays(file: Path) -> None:
    y = np.array([[0], [1], [2], [0], [1], [2]], np.uint8)
    np.savez(
        file, **arrays(y_train=y, classes=np.array(["a", "b", "c", "d"]), groups_train=np.arange(6), note=np.ones(1))
    )
    dataset = npz_file.load(file)
    assert dataset.classes == ("a", "b", "c", "d")
    assert dataset.y_train is not None and dataset.y_train.tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.groups_train is not None and dataset.groups_train[5] == 5
    assert dataset.notes == ("arrays of the file not used: 'note'",)


def test_fortran_order_and_one_test_sample(file: Path) -> None:
    x = np.asfortranarray(arrays()["x_train"])
    np.savez(file, **arrays(x_train=x, x_test=x[:1], y_test=np.array([1])))
    dataset = npz_file.load(file)
    assert dataset.x_train is not None and dataset.x_train.flags.c_contiguous and dataset.x_test.shape == (1, 8, 2)


nan, inf = np.full((3, 8, 2), np.nan, np.float32), np.full((3, 8, 2), -np.inf)
REFUSED = {
    "missing array": ({"x_test": None}, "no array 'x_test'"),
    "complex": ({"x_test": np.ones((3, 8, 2), complex)}, "'x_test' has type complex128"),
    "strings": ({"x_train": np.full((6, 8), "a")}, "'x_train' has type <U1"),
    "dates": ({"x_train": np.zeros((6, 8), "datetime64[s]")}, "'x_train' has type datetime64"),
    "names for some": ({"y_test": np.array(["a", "b", "c"])}, "'y_train' has type int64"),
    "names in two columns": (
        {"y_test": np.full((3, 2), "a"), "y_train": None},
        r"'y_test' has type <U1 and shape \(3, 2\)",
    ),
    "one name": ({"y_train": None, "y_test": np.full(3, "a")}, "1 classes among the labels: 'a'"),
    "a name that is no class": (
        {"y_train": None, "y_test": np.array(["up", "up", "dwn"]), "classes": np.array(["up", "down"])},
        "label 'dwn' is no class of array 'classes'",
    ),
    "NaN targets": ({"y_test": np.array([0.5, np.nan, 1])}, "'y_test' holds NaN or infinity, first for sample 1"),
    "complex targets": ({"y_test": np.ones(3, complex)}, "'y_test' has type complex128"),
    "dates as targets": ({"y_test": np.zeros(3, "datetime64[s]")}, "'y_test' has type datetime64"),
    "objects as targets": ({"y_test": np.array(["a", "b", None], object)}, r"'y_test' holds Python objects"),
    "no test samples": ({"x_test": None, "y_test": None}, "no array 'x_test'\n.*\n.*; it has 'x_train', 'y_train'"),
    "no test labels": ({"y_test": None}, "no array 'y_test'"),
    "labels but no samples to train": ({"x_train": None}, "no array 'x_train'"),
    "two that may be meant": (
        {"x_test": None, "X_test": np.ones((3, 2)), "test_images": np.ones((3, 2))},
        "arrays 'X_test' and 'test_images' may both be 'x_test'",
    ),
    "misspelled labels": (
        {"y_train": None, "y_test": None, "y_tests": np.zeros(3, int)},
        "the file has no array 'y_test'",
    ),
    "rank 0": ({"x_train": np.zeros(6)}, r"'x_train' have shape \(\), those of 'x_test' \(8, 2\)"),
    "rank 4": ({"x_train": np.zeros((6, 1, 1, 1, 1))}, r"shape \(6, 1, 1, 1, 1\)"),
    "scalar": ({"x_train": np.float32(1)}, r"'x_train' has shape \(\)"),
    "no samples": ({"x_test": np.zeros((0, 8, 2)), "y_test": np.zeros(0, int)}, r"'x_test' has shape \(0, 8, 2\)"),
    "empty samples": ({"x_test": np.zeros((3, 0, 2))}, r"\(3, 0, 2\)"),
    "other shape": ({"x_test": np.zeros((3, 8, 3))}, r"\(8, 2\), those of 'x_test' \(8, 3\)"),
    "NaN": ({"x_test": nan}, "'x_test' holds NaN, infinity .* first in sample 0"),
    "infinity": ({"x_test": inf}, "'x_test' holds NaN, infinity"),
    "beyond float32": ({"x_test": np.full((3, 8, 2), 1e300)}, "beyond float32"),
    "too few labels": ({"y_train": np.array([0, 1])}, r"'y_train' has shape \(2,\) for 6 samples"),
    "no labels": ({"y_train": np.zeros(0, int)}, r"'y_train' has shape \(0,\)"),
    "huge label": (
        {"y_train": np.array([0, 1, 2, 3, 4, 2**63], np.uint64)},
        "'y_train' holds label 9223372036854775808",
    ),
    "same name twice": ({"classes": np.array(["a", "a", "b"])}, "3 classes: 'a', 'a', 'b'"),
    "a very long name": ({"classes": np.array(["a", "b", "c" * 101])}, "3 classes"),
    "unprintable name": ({"classes": np.array(["a", "b", "\x1b[31m"])}, "3 classes"),
    "classes as numbers": ({"classes": np.arange(3)}, "'classes' has type int64"),
    "groups of another length": ({"groups_train": np.arange(5)}, r"'groups_train' has shape \(5,\)"),
    "pickled objects": (
        {"x_train": np.array([{}, []] * 3, dtype=object)},
        r"'x_train' holds Python objects \(pickle\)",
    ),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_with_a_reason_a_place_and_a_hint(file: Path, changes: dict[str, Any], message: str) -> None:
    np.savez(file, **arrays(**changes))
    with pytest.raises(DataError, match=message) as caught:
        npz_file.load(file)
    assert caught.value.where and "data.npz" in caught.value.where
    assert caught.value.hint


def test_a_misspelled_array_gets_a_suggestion(file: Path) -> None:
    np.savez(file, **arrays(x_train=None, x_trian=np.zeros((6, 2))))
    with pytest.raises(DataError, match="did you mean 'x_trian'"):
        npz_file.load(file)


@pytest.mark.parametrize(
    "names",
    [
        {"x_train": "X_train", "y_train": "Y_train", "x_test": "X_test", "y_test": "Y_test"},
        {"x_train": "train_images", "y_train": "train_labels", "x_test": "test_images", "y_test": "test_labels"},
        {"x_train": "trainX", "y_train": "trainy", "x_test": "testX", "y_test": "testy"},
        {"x_train": "training_data", "y_train": "training-targets", "x_test": "Test Samples", "y_test": "test_target"},
    ],
)
def test_what_others_call_the_arrays_is_understood_and_told(file: Path, names: dict[str, str]) -> None:
    np.savez(file, **{names[name]: array for name, array in arrays().items()})
    dataset = npz_file.load(file)
    np.testing.assert_array_equal(dataset.x_test, arrays()["x_test"])
    assert dataset.x_train is not None and len(dataset.x_train) == 6
    assert dataset.y_test is not None and dataset.y_test.tolist() == [2, 1, 0]
    assert len(dataset.notes) == 4 and f"array {names['x_test']!r} is taken for x_test" in dataset.notes


def test_samples_of_no_part_are_test_samples(file: Path) -> None:
    plain = arrays()
    np.savez(file, x=plain["x_test"], label=plain["y_test"], speaker=np.arange(3))
    dataset = npz_file.load(file)
    assert dataset.x_train is None and dataset.y_train is None and len(dataset.x_test) == 3
    assert dataset.y_test is not None and dataset.y_test.tolist() == [2, 1, 0]
    assert dataset.notes[-1] == "arrays of the file not used: 'speaker'"
    np.savez(file, x_test=plain["x_test"], labels=np.array(["sits", "lies"]))
    dataset = npz_file.load(file)
    assert dataset.y_test is None, "these are hardly labels of samples that are called x_test"
    assert dataset.notes == ("there are no labels (y_test); arrays of the file not used: 'labels'",)


def test_test_samples_alone_and_with_samples_to_calibrate(file: Path) -> None:
    plain = arrays()
    np.savez(file, x_test=plain["x_test"])
    alone = npz_file.load(file)
    assert alone.x_train is None and alone.y_test is None and alone.outputs == () and alone.notes == ()
    np.savez(file, x_test=plain["x_test"], x_train=plain["x_train"], y_test=plain["y_test"])
    more = npz_file.load(file)
    assert more.x_train is not None and more.y_train is None and more.outputs == ("",)


def test_numbers_alone_are_samples_of_one_feature(file: Path) -> None:
    np.savez(file, x_test=np.arange(5.0), y_test=np.sin(np.arange(5.0)))
    dataset = npz_file.load(file)
    assert dataset.x_test.shape == (5, 1) and dataset.y_test is not None and dataset.y_test.dtype == np.float64


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.eye(3, dtype=np.float32), np.eye(3)),
        (np.array([0.5, 1, 2], np.float16), [0.5, 1, 2]),
        (np.array([[0], [1], [2]], np.uint8), [0, 1, 2]),
        (np.array([[[3]], [[1]], [[2]]]), [3, 1, 2]),
        (np.array([True, False, True]), [1, 0, 1]),
        (np.array([-1, 1, 70_000], np.int32), [-1, 1, 70_000]),
        (np.array([0, 1, 2], ">u2"), [0, 1, 2]),
    ],
)
def test_targets_are_kept_as_numbers_for_a_task_to_read(file: Path, y: Any, expected: Any) -> None:
    np.savez(file, **arrays(y_train=None, y_test=y))
    found = npz_file.load(file).y_test
    assert found is not None and found.tolist() == np.asarray(expected).tolist()
    assert found.dtype == (np.float64 if y.dtype.kind == "f" else np.int64)


@pytest.mark.parametrize("kind", ["U", "S"])
def test_class_names_as_labels(file: Path, kind: str) -> None:
    y = np.array(["up", "down", "up"]).astype(kind)
    np.savez(file, **arrays(y_train=None, y_test=y))
    dataset = npz_file.load(file)
    assert dataset.classes == ("down", "up") and dataset.y_test is not None and dataset.y_test.tolist() == [1, 0, 1]
    (note,) = dataset.notes
    assert "alphabetical order: 'down' = 0, 'up' = 1 (an array 'classes' says otherwise)" in note
    np.savez(file, **arrays(y_train=None, y_test=y, classes=np.array(["up", "down", "left"]).astype(kind)))
    dataset = npz_file.load(file)
    assert dataset.classes == ("up", "down", "left") and dataset.notes == ()
    assert dataset.y_test is not None and dataset.y_test.tolist() == [0, 1, 0]


def several(**changes: Any) -> dict[str, Any]:
    """Two inputs and two outputs, in an order that is not that of their names."""
    plain = arrays()
    whole = {
        "x_test_sound": plain["x_test"],
        "x_train_sound": plain["x_train"],
        "x_train_motion": np.arange(18).reshape(6, 3),
        "x_test_motion": np.arange(9).reshape(3, 3),
        "y_train_who": plain["y_train"],
        "y_test_who": plain["y_test"],
        "y_train_act": np.array([0, 1, 0, 1, 0, 1]),
        "y_test_act": np.array([0, 0, 1]),
        "classes_act": np.array(["sits", "stands"]),
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def test_several_inputs_and_outputs_are_sorted_by_name(file: Path) -> None:
    np.savez(file, **several(groups_train=np.arange(6)))
    dataset = npz_file.load(file)
    assert dataset.inputs == {"motion": (3,), "sound": (8, 2)} and list(dataset.inputs) == ["motion", "sound"]
    assert dataset.outputs == ("act", "who")
    assert dataset.classes == {"act": ("sits", "stands"), "who": ()}
    assert dataset.x_train is not None and dataset.y_train is not None and dataset.y_test is not None
    assert len(dataset.x_train) == 6 and len(dataset.x_test) == 3 and dataset.groups_train is not None
    for name, part in (("x_train", dataset.x_train), ("x_test", dataset.x_test)):
        assert part.dtype["motion"].base == np.float32
        for field in ("motion", "sound"):
            np.testing.assert_array_equal(part[field], several()[f"{name}_{field}"])
    assert dataset.y_test["who"].dtype == np.int64 and dataset.y_test["who"].tolist() == [2, 1, 0]
    assert dataset.y_train["act"].tolist() == [0, 1, 0, 1, 0, 1]


def test_several_inputs_of_one_output(file: Path) -> None:
    outputs = {name: None for name in several() if name.startswith(("y_", "classes_"))}
    plain = {name: arrays()[name] for name in ("y_train", "y_test")}
    np.savez(file, **several(**outputs, **plain, classes=np.array(["a", "b", "c"])))
    dataset = npz_file.load(file)
    assert len(dataset.inputs) == 2 and dataset.outputs == ("",) and dataset.classes == ("a", "b", "c")
    np.testing.assert_array_equal(dataset.y_test, plain["y_test"])


def test_an_only_input_needs_no_name_but_may_have_one(file: Path) -> None:
    named = {f"{name}_a_b" if name[1] == "_" else name: values for name, values in arrays().items()}
    np.savez(file, **named, classes_a_b=np.array(["k", "l", "m"]))
    dataset = npz_file.load(file)
    assert dataset.inputs == {"": (8, 2)} and dataset.outputs == ("",) and dataset.classes == ("k", "l", "m")
    np.testing.assert_array_equal(dataset.x_test, arrays()["x_test"])


SEVERAL_REFUSED = {
    "with and without a name": ({"x_test": np.ones((3, 2))}, "the file has 'x_test' and 'x_test_motion'"),
    "labels with and without a name": ({"y_train": np.zeros(6, int)}, "the file has 'y_train' and 'y_test_act'"),
    "input only in train": ({"x_test_sound": None}, "no array 'x_test_sound'"),
    "input only in test": ({"x_train_motion": None}, "no array 'x_train_motion'"),
    "output only in train": ({"y_test_who": None}, "no array 'y_test_who'"),
    "no name": ({"x_train_": np.ones((6, 2))}, "array 'x_train_' has no name that can be printed"),
    "unprintable name": ({"y_test_\x1b[31m": np.zeros(3, int)}, "no name that can be printed"),
    "other shape": (
        {"x_test_motion": np.ones((3, 4))},
        r"'x_train_motion' have shape \(3,\), those of 'x_test_motion'",
    ),
    "fewer samples of one": (
        {"x_train_sound": np.ones((5, 8, 2))},
        r"arrays 'x_train_\.\.': there are 5 samples of 'sound' and 6 of 'motion'",
    ),
    "one sample of one": ({"x_test_sound": np.ones((1, 8, 2))}, "there are 1 samples of 'sound' and 3 of 'motion'"),
    "NaN": ({"x_test_sound": nan}, "'x_test_sound' holds NaN"),
    "fewer labels of one": ({"y_train_act": np.array([0, 1])}, r"'y_train_act' has shape \(2,\) for 6 samples"),
    "classes without a name": ({"classes": np.array(["a", "b", "c"])}, "'classes' is for no output"),
    "classes of no output": ({"classes_whom": np.array(["a", "b", "c"])}, "'classes_whom' is for no output"),
    "classes as numbers": ({"classes_act": np.arange(2)}, "'classes_act' has type int64"),
    "groups of another length": ({"groups_train": np.arange(5)}, r"'groups_train' has shape \(5,\)"),
    "pickled objects": (
        {"x_train_sound": np.array([{}, []] * 3, dtype=object)},
        r"'x_train_sound' holds Python objects \(pickle\)",
    ),
    "records": ({"x_train_sound": np.zeros(6, [("a", "f4")])}, r"'x_train_sound' has type \[\('a', '<f4'\)\]"),
}


@pytest.mark.parametrize(("changes", "message"), SEVERAL_REFUSED.values(), ids=SEVERAL_REFUSED.keys())
def test_several_refused_with_a_reason_a_place_and_a_hint(file: Path, changes: dict[str, Any], message: str) -> None:
    np.savez(file, **several(**changes))
    with pytest.raises(DataError, match=message) as caught:
        npz_file.load(file)
    assert caught.value.where and "data.npz" in caught.value.where
    assert caught.value.hint


def test_classes_of_no_output_get_a_suggestion(file: Path) -> None:
    np.savez(file, **several(classes_whom=np.array(["a", "b", "c"])))
    with pytest.raises(DataError, match="did you mean 'classes_who'"):
        npz_file.load(file)


def test_nothing_is_unpickled(file: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.savez(file, **arrays(x_train=np.array([Bomb()], dtype=object)))
    with pytest.raises(DataError):
        npz_file.load(file)
    assert not (tmp_path / "exploded").exists()


def test_no_file_a_folder_and_no_zip(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "text.npz").write_text("x_train = 1")
    (tmp_path / "empty.npz").touch()
    np.save(tmp_path / "single.npy", np.zeros(3))
    for name in ("folder.npz", "text.npz", "empty.npz", "single.npy", "text2.npz"):
        with pytest.raises(DataError, match=name):
            npz_file.load(tmp_path / name)
    with pytest.raises(DataError, match=r"did you mean 'text\.npz'"):
        npz_file.load(tmp_path / "txt.npz")


def test_a_zip_of_something_else(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name in NAMES:
            archive.writestr(name + ".npy", b"no array")
    with pytest.raises(DataError, match="damaged"):
        npz_file.load(file)


def test_a_header_that_claims_a_terabyte(file: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**38, 4)})
    with zipfile.ZipFile(file, "w") as archive:
        for name in NAMES:
            archive.writestr(name + ".npy", header.getvalue())
    with pytest.raises(DataError, match="claims 4,398,046,511,104 bytes"):
        npz_file.load(file)


def written(shape: str, descr: str = "'<f4'") -> bytes:
    """The head of an array whose header is this text, and a few numbers."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


HEADERS = {
    "negative": written("(-1, 4)"),
    "no end": written("(" * 9000),
    "a power": written("(9**9**9,)"),
    "more than can be counted": written(f"({2**62}, {2**62})"),
    "no samples of very many": written(f"(0, {2**62})"),
    "very many of nothing": written(f"({2**40},)", "'|V0'"),
    "very many empty strings": written(f"({2**40},)", "'<U0'"),
    "a type that is a string": written("(4, 1)", "'f' * 9"),
    "a call": written("(4, 1)", "exec('1')"),
    "records": written("(5,)", f"[('a', '<f4', ({2**28},))]"),
    "of another version": b"\x93NUMPY\x09\x09" + bytes(64),
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_a_hostile_header(file: Path, content: bytes) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x_test.npy", content)
    with pytest.raises(DataError) as caught:
        npz_file.load(file)
    assert caught.value.hint and len(caught.value.what) < 300


def test_more_than_can_be_kept_is_refused_by_its_header_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros compress well: a small file holds gigabytes, and says so truly."""
    plain = arrays()
    size = sum(plain[name].nbytes for name in NAMES) + 4 * (len(plain["y_train"]) + len(plain["y_test"]))
    np.savez_compressed(file, **plain, unused=np.zeros(2000))
    monkeypatch.setattr(npz_arrays, "LARGEST_BYTES", size)
    npz_file.load(file)
    monkeypatch.setattr(npz_arrays, "LARGEST_BYTES", size - 1)
    monkeypatch.setattr(npz_arrays, "_read_array", lambda *_: pytest.fail("read although it is too large"))
    with pytest.raises(DataError, match=f"need {size} bytes, 'x_train' most of all; {size - 1} are allowed") as caught:
        npz_file.load(file)
    assert caught.value.hint == "store fewer samples"


def test_a_file_of_very_many_arrays(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(npz_arrays.MOST_ARRAYS + 1):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(DataError, match="holds 1,001 arrays"):
        npz_file.load(file)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damage_anywhere_is_a_data_error_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    """Never a traceback of NumPy or zipfile, wherever bytes are cut off or changed."""
    whole = io.BytesIO()
    np.savez_compressed(whole, **data.draw(st.sampled_from([arrays(), several()])))
    content = bytearray(whole.getvalue())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / "damaged.npz"
    file.write_bytes(content)
    try:
        npz_file.load(file)
    except DataError as error:
        assert error.hint
