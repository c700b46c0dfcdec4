"""A user's `.npz` file -> Dataset. It is hostile until proved otherwise: nothing in it is unpickled or believed.

- x_train, x_test: (N, *sample), any real type; a sample is (features), (length, channels) or (height, width, channels)
- y_train, y_test: (N,) integers from 0
- classes, optional: names, one for each label
- groups_train, optional: (N,) who or what each training sample comes from
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.system.arrays import Array, Floats, Labels
from mcusim.system.errors import DataError, suggestion

REQUIRED = ("x_train", "y_train", "x_test", "y_test")
OPTIONAL = ("classes", "groups_train")
LARGEST_FILE_BYTES = 8 * 2**30
LARGEST_SAMPLE_RANK = 3
MOST_CLASSES = 1000
LONGEST_REASON = 200


def load(path: Path) -> Dataset:
    """DataError says what is wrong with which array, and one thing to do."""
    try:
        return _dataset(path.stem, read_arrays(path, REQUIRED, OPTIONAL))
    except DataError as error:
        raise DataError(error.what, where=error.where or str(path), hint=error.hint) from None


def read_arrays(path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Array]:
    """The named arrays of an `.npz`, as they are. DataError when one is missing, pickled, damaged or absurdly large."""
    if not path.is_file():
        near = suggestion(path.name, [file.name for file in path.parent.glob("*.npz")] or ["none in this folder"])
        raise DataError(f"there is no data file {path.name!r}", where=str(path.parent), hint=near)
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path.name!r} is no .npz file", hint="write it with numpy.savez_compressed()")
    try:
        with zipfile.ZipFile(path) as archive:
            present = {name.removesuffix(".npy"): name for name in archive.namelist()}
            _demand_keys(present, required)
            wanted = [name for name in (*required, *optional) if name in present]
            return {name: _read_array(archive, present[name], name) for name in wanted}
    except MemoryError:
        raise DataError("the arrays do not fit into memory", hint="store fewer samples, or a smaller type") from None
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        hint = "write it again with numpy.savez_compressed()"
        raise DataError(f"{path.name!r} is damaged: {reason}", hint=hint) from None


def _demand_keys(present: Mapping[str, str], required: tuple[str, ...]) -> None:
    for name in required:
        if name not in present:
            hint = suggestion(name, present) if present else "it is empty"
            raise DataError(f"the file has no array {name!r}", hint=f"needed: {', '.join(required)}; {hint}")


def _read_array(archive: zipfile.ZipFile, entry: str, name: str) -> Array:
    """One array, after its header was compared with what is stored: a lie would allocate any amount of memory."""
    stored = archive.getinfo(entry).file_size
    with archive.open(entry) as file:
        shape, dtype = _header(file)
    if dtype.hasobject:
        raise DataError(
            f"array {name!r} holds Python objects (pickle)", hint="store plain numbers: x.astype('float32')"
        )
    claimed = math.prod(shape) * dtype.itemsize
    if stored > LARGEST_FILE_BYTES or claimed > stored:
        raise DataError(f"array {name!r} claims {claimed:,} bytes, {stored:,} are stored", hint="write the file again")
    with archive.open(entry) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype


def _dataset(name: str, arrays: Mapping[str, Array]) -> Dataset:
    x_train, x_test = samples(arrays["x_train"], "x_train"), samples(arrays["x_test"], "x_test")
    if x_train.shape[1:] != x_test.shape[1:]:
        raise DataError(
            f"samples of 'x_train' have shape {x_train.shape[1:]}, those of 'x_test' {x_test.shape[1:]}",
            hint="prepare both in the same way",
        )
    y_train = labels(arrays["y_train"], len(x_train), "y_train")
    y_test = labels(arrays["y_test"], len(x_test), "y_test")
    classes = _classes(arrays.get("classes"), y_train)
    for key, y in (("y_train", y_train), ("y_test", y_test)):
        if y.max() >= len(classes):
            raise DataError(
                f"{key!r} holds label {y.max()}, there are {len(classes)} classes (labels 0 to {len(classes) - 1})",
                hint="number the labels from 0, and name all classes in an array 'classes'",
            )
    groups = arrays.get("groups_train")
    if groups is not None and groups.shape != y_train.shape:
        raise DataError(
            f"'groups_train' has shape {groups.shape}, not {y_train.shape}", hint="give one for each sample"
        )
    return Dataset(name, x_train, y_train, x_test, y_test, classes, groups)


def samples(x: Array, name: str) -> Floats:
    """Finite float32 samples of rank 1 to 3. DataError otherwise."""
    if x.dtype.kind not in "buif":
        raise DataError(f"array {name!r} has type {x.dtype}", hint="store real numbers: x.astype('float32')")
    rank = x.ndim - 1
    if not 1 <= rank <= LARGEST_SAMPLE_RANK or x.size == 0:
        raise DataError(
            f"array {name!r} has shape {x.shape}",
            hint="give (N, features), (N, length, channels) or (N, height, width, channels), none empty",
        )
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(x, dtype=np.float32)
    finite = np.isfinite(converted.reshape(len(x), -1)).all(axis=1)
    if not finite.all():
        raise DataError(
            f"array {name!r} holds NaN, infinity or numbers beyond float32, first in sample {int(np.argmin(finite))}",
            hint="drop or repair these samples",
        )
    return converted


def labels(y: Array, count: int, name: str) -> Labels:
    """Labels (count,) int64, none negative. A column (count, 1) is taken too. DataError otherwise."""
    y = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim == 2:
        raise DataError(f"array {name!r} has shape {y.shape}", hint="one-hot labels: store y.argmax(axis=1)")
    if y.dtype.kind not in "bui":
        raise DataError(f"array {name!r} has type {y.dtype}", hint="store labels as integers: y.astype('int64')")
    if y.shape != (count,):
        raise DataError(
            f"array {name!r} has shape {y.shape} for {count} samples", hint="give one label for each sample"
        )
    lowest, highest = int(y.min()), int(y.max())
    if lowest < 0 or highest >= MOST_CLASSES:
        wrong = lowest if lowest < 0 else highest
        raise DataError(
            f"array {name!r} holds label {wrong}", hint=f"number the classes 0, 1, 2, .. (at most {MOST_CLASSES})"
        )
    return y.astype(np.int64)


def _classes(names: Array | None, y_train: Labels) -> tuple[str, ...]:
    """Given names, or the labels themselves up to the largest of the training set."""
    if names is None:
        found = tuple(str(label) for label in range(int(y_train.max()) + 1))
    elif names.ndim == 1 and names.dtype.kind == "U":
        found = tuple(str(name) for name in names)
    else:
        raise DataError(
            f"array 'classes' has type {names.dtype} and shape {names.shape}", hint="give a list of strings"
        )
    if not 2 <= len(found) <= MOST_CLASSES or len(set(found)) < len(found) or not all(map(_is_printable, found)):
        raise DataError(
            f"{len(found)} classes: {', '.join(map(repr, found[:5]))}", hint="give 2 or more, all different"
        )
    return found


def _is_printable(name: str) -> bool:
    return bool(name) and name.isprintable()
