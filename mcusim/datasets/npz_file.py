"""A user's `.npz` file -> Dataset. It is hostile until proved otherwise: nothing in it is unpickled or believed.

- x_train, x_test: (N, *sample), any real type; a sample is (features), (length, channels) or (height, width, channels)
- y_train, y_test: (N,) integers from 0
- classes, optional: names, one for each label
- groups_train, optional: (N,) who or what each training sample comes from

Several inputs are x_train_<name> and x_test_<name>; several outputs y_train_<name>, y_test_<name> and, optional,
classes_<name>. They are sorted by name: the order of the arrays in a file is an accident.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.system.arrays import Array, Floats, Labels
from mcusim.system.errors import DataError, suggestion
from mcusim.system.records import records_of

REQUIRED = ("x_train", "y_train", "x_test", "y_test")
LARGEST_FILE_BYTES = 8 * 2**30
LARGEST_SAMPLE_RANK = 3
MOST_CLASSES = 1000
LONGEST_REASON = 200


def load(path: Path) -> Dataset:
    """DataError says what is wrong with which array, and one thing to do."""
    with _opened(path) as archive:
        present = sorted(_entries(archive))
        inputs, outputs = _names(present, "x", "input"), _names(present, "y", "output")
        required = [_key(array, name) for array in REQUIRED for name in (inputs if array[0] == "x" else outputs)]
        classes = [_key("classes", name) for name in outputs]
        _demand_known_classes(present, classes)
        return _dataset(path.stem, _read(archive, required, [*classes, "groups_train"]), inputs, outputs)


def training_samples(path: Path) -> Array:
    """The samples of all inputs alone: `x_train`, or `x_train_<name>` for each of several, or an array `x`."""
    with _opened(path) as archive:
        present = sorted(_entries(archive))
        known = [key for key in present if key == "x_train" or key.startswith("x_train_")]
        array = "x" if not known and "x" in present else "x_train"
        inputs = _names(known, "x", "input")
        arrays = _read(archive, [_key(array, name) for name in inputs])
        return _together(_samples_of(arrays, array, inputs), array)


def read_arrays(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Array]:
    """The named arrays of an `.npz`, as they are. DataError when one is missing, pickled, damaged or absurdly large."""
    with _opened(path) as archive:
        return _read(archive, required, optional)


def _read(archive: zipfile.ZipFile, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Array]:
    present = _entries(archive)
    for name in required:
        if name not in present:
            hint = suggestion(name, present) if present else "it is empty"
            raise DataError(f"the file has no array {name!r}", hint=f"needed: {', '.join(required)}; {hint}")
    return {name: _read_array(archive, present[name], name) for name in (*required, *optional) if name in present}


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """DataError for a file that is none, and for all that reading it may bring to light: then it says which file."""
    if not path.is_file():
        near = suggestion(path.name, [file.name for file in path.parent.glob("*.npz")] or ["none in this folder"])
        raise DataError(f"there is no data file {path.name!r}", where=str(path.parent), hint=near)
    if not zipfile.is_zipfile(path):
        hint = "write it with numpy.savez_compressed()"
        raise DataError(f"{path.name!r} is no .npz file", where=str(path), hint=hint)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError as error:
        raise DataError(error.what, where=str(path), hint=error.hint) from None
    except MemoryError:
        hint = "store fewer samples, or a smaller type"
        raise DataError("the arrays do not fit into memory", where=str(path), hint=hint) from None
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        hint = "write it again with numpy.savez_compressed()"
        raise DataError(f"{path.name!r} is damaged: {reason}", where=str(path), hint=hint) from None


def _entries(archive: zipfile.ZipFile) -> dict[str, str]:
    """Name of each array, and that of its file in the archive."""
    return {name.removesuffix(".npy"): name for name in archive.namelist()}


def _key(array: str, name: str) -> str:
    return f"{array}_{name}" if name else array


def _names(present: Iterable[str], letter: str, what: str) -> tuple[str, ...]:
    """What the inputs (`x`) or outputs (`y`) are called, sorted; "" for an only one without a name."""
    plain = [key for key in present if key in (f"{letter}_train", f"{letter}_test")]
    named = [key for key in present if key.startswith((f"{letter}_train_", f"{letter}_test_"))]
    if plain and named:
        hint = f"name every {what}, as in {letter}_train_<name>, or store an only one without a name"
        raise DataError(f"the file has {plain[0]!r} and {named[0]!r}", hint=hint)
    names = {key.split("_", 2)[2]: key for key in named}
    for name, key in names.items():
        if not _is_printable(name):
            raise DataError(f"array {key!r} has no name that can be printed", hint=f"give the {what} a plain name")
    return tuple(sorted(names)) or ("",)


def _demand_known_classes(present: Iterable[str], known: Sequence[str]) -> None:
    """Names of classes that are silently those of no output would be missed in every report."""
    for key in present:
        if known != ["classes"] and key not in known and (key == "classes" or key.startswith("classes_")):
            raise DataError(f"array {key!r} is for no output of this file", hint=suggestion(key, known))


def _read_array(archive: zipfile.ZipFile, entry: str, name: str) -> Array:
    """One array, after its header was compared with what is stored: a lie would allocate any amount of memory."""
    stored = archive.getinfo(entry).file_size
    with archive.open(entry) as file:
        is_old = np.lib.format.read_magic(file) == (1, 0)
        header = np.lib.format.read_array_header_1_0 if is_old else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(file)
    if dtype.hasobject:
        hint = "store plain numbers: x.astype('float32')"
        raise DataError(f"array {name!r} holds Python objects (pickle)", hint=hint)
    claimed = math.prod(shape) * dtype.itemsize
    if stored > LARGEST_FILE_BYTES or claimed > stored:
        raise DataError(f"array {name!r} claims {claimed:,} bytes, {stored:,} are stored", hint="write the file again")
    with archive.open(entry) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _dataset(name: str, arrays: Mapping[str, Array], inputs: Sequence[str], outputs: Sequence[str]) -> Dataset:
    of_train, of_test = _samples_of(arrays, "x_train", inputs), _samples_of(arrays, "x_test", inputs)
    for each in inputs:
        train, test = of_train[each].shape[1:], of_test[each].shape[1:]
        if train != test:
            what = f"samples of {_key('x_train', each)!r} have shape {train}, those of {_key('x_test', each)!r} {test}"
            raise DataError(what, hint="prepare both in the same way")
    x_train, x_test = _together(of_train, "x_train"), _together(of_test, "x_test")
    y_train = _labels_of(arrays, "y_train", outputs, len(x_train))
    y_test = _labels_of(arrays, "y_test", outputs, len(x_test))
    classes = {each: _classes_of(arrays, each, y_train[each], y_test[each]) for each in outputs}
    groups = arrays.get("groups_train")
    if groups is not None and groups.shape != (len(x_train),):
        hint = "give one for each sample"
        raise DataError(f"'groups_train' has shape {groups.shape}, not {(len(x_train),)}", hint=hint)
    told = classes if len(outputs) > 1 else classes[outputs[0]]
    return Dataset(name, x_train, records_of(y_train), x_test, records_of(y_test), told, groups)


def _samples_of(arrays: Mapping[str, Array], array: str, inputs: Sequence[str]) -> dict[str, Floats]:
    return {each: samples(arrays[_key(array, each)], _key(array, each)) for each in inputs}


def _together(fields: Mapping[str, Floats], array: str) -> Array:
    try:
        return records_of(fields)
    except DataError as error:
        raise DataError(f"arrays '{array}_..': {error.what}", hint=error.hint) from None


def _labels_of(arrays: Mapping[str, Array], array: str, outputs: Sequence[str], count: int) -> dict[str, Labels]:
    return {each: labels(arrays[_key(array, each)], count, _key(array, each)) for each in outputs}


def _classes_of(arrays: Mapping[str, Array], output: str, y_train: Labels, y_test: Labels) -> tuple[str, ...]:
    key = _key("classes", output)
    classes = _classes(arrays.get(key), y_train, key)
    for array, y in (("y_train", y_train), ("y_test", y_test)):
        if y.max() >= len(classes):
            raise DataError(
                f"{_key(array, output)!r} holds label {y.max()}, there are {len(classes)} classes "
                f"(labels 0 to {len(classes) - 1})",
                hint=f"number the labels from 0, and name all classes in an array {key!r}",
            )
    return classes


def samples(x: Array, name: str) -> Floats:
    """Finite float32 samples of rank 1 to 3. DataError otherwise."""
    if x.dtype.kind not in "buif":
        raise DataError(f"array {name!r} has type {x.dtype}", hint="store real numbers: x.astype('float32')")
    rank = x.ndim - 1
    if not 1 <= rank <= LARGEST_SAMPLE_RANK or x.size == 0:
        hint = "give (N, features), (N, length, channels) or (N, height, width, channels), none empty"
        raise DataError(f"array {name!r} has shape {x.shape}", hint=hint)
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(x, dtype=np.float32)
    finite = np.isfinite(converted.reshape(len(x), -1)).all(axis=1)
    if not finite.all():
        what = f"array {name!r} holds NaN, infinity or numbers beyond float32, first in sample {int(np.argmin(finite))}"
        raise DataError(what, hint="drop or repair these samples")
    return converted


def labels(y: Array, count: int, name: str) -> Labels:
    """Labels (count,) int64, none negative. A column (count, 1) is taken too. DataError otherwise."""
    y = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim == 2:
        raise DataError(f"array {name!r} has shape {y.shape}", hint="one-hot labels: store y.argmax(axis=1)")
    if y.dtype.kind not in "bui":
        raise DataError(f"array {name!r} has type {y.dtype}", hint="store labels as integers: y.astype('int64')")
    if y.shape != (count,):
        hint = "give one label for each sample"
        raise DataError(f"array {name!r} has shape {y.shape} for {count} samples", hint=hint)
    lowest, highest = int(y.min()), int(y.max())
    if lowest < 0 or highest >= MOST_CLASSES:
        wrong = lowest if lowest < 0 else highest
        hint = f"number the classes 0, 1, 2, .. (at most {MOST_CLASSES})"
        raise DataError(f"array {name!r} holds label {wrong}", hint=hint)
    return y.astype(np.int64)


def _classes(names: Array | None, y_train: Labels, key: str) -> tuple[str, ...]:
    """Given names, or the labels themselves up to the largest of the training set."""
    if names is None:
        found = tuple(str(label) for label in range(int(y_train.max()) + 1))
    elif names.ndim == 1 and names.dtype.kind == "U":
        found = tuple(str(name) for name in names)
    else:
        raise DataError(f"array {key!r} has type {names.dtype} and shape {names.shape}", hint="give a list of strings")
    if not 2 <= len(found) <= MOST_CLASSES or len(set(found)) < len(found) or not all(map(_is_printable, found)):
        hint = "give 2 or more, all different"
        raise DataError(f"{len(found)} classes: {', '.join(map(repr, found[:5]))}", hint=hint)
    return found


def _is_printable(name: str) -> bool:
    return bool(name) and name.isprintable()
