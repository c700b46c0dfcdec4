"""A user's `.npz` file -> Dataset.

- x_test: (N, *sample), any real type; a sample is (features), (length, channels) or (height, width, channels)
- y_test, optional: (N,) class numbers or names, one-hot (N, classes), or numbers that the model should answer
- x_train, y_train, optional: likewise; x_train chooses the scales of integers
- classes, optional: names, one for each class
- groups_train, optional: (N,) who or what each training sample comes from

Several inputs are x_train_<name> and x_test_<name>; several outputs y_train_<name>, y_test_<name> and, optional,
classes_<name>. They are sorted by name: the order of the arrays in a file is an accident.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.datasets.npz_arrays import entries, opened, read
from mcusim.datasets.npz_names import Names, key_of, names_in, names_of
from mcusim.datasets.targets import MOST_CLASSES, column
from mcusim.system.arrays import Array, Floats
from mcusim.system.errors import DataError, suggestion
from mcusim.system.records import records_of

LARGEST_SAMPLE_RANK = 3
LONGEST_CLASS = 100  # characters of a name


def load(path: Path) -> Dataset:
    """DataError says what is wrong with which array, and one thing to do."""
    with opened(path) as archive:
        names = names_of(entries(archive))
        arrays = names.renamed(read(archive, names.required, names.optional))
        return _dataset(path.stem, arrays, names)


def training_samples(path: Path) -> tuple[Array, Array | None]:
    """The samples of all inputs alone: `x_train`, or `x_train_<name>` for each of several, or an array `x`; and their
    targets, where there are any: `y_train` or `y_train_<name>`, as in a data set.
    """
    with opened(path) as archive:
        present = entries(archive)
        known = [key for key in present if key == "x_train" or key.startswith("x_train_")]
        array = "x" if not known and "x" in present else "x_train"
        inputs = names_in(known, "x", "input")
        answered = [key for key in present if known and (key == "y_train" or key.startswith("y_train_"))]
        arrays = read(archive, [*(key_of(array, name) for name in inputs), *answered])
        x = _together(_samples_of(arrays, array, inputs), array)
        y = {}
        for key in sorted(answered):
            _, numbers, _ = _numbered(None, {key: targets(arrays[key], len(x), key)}, key)
            y[key.removeprefix("y_train").removeprefix("_")] = numbers[key]
        return x, records_of(y) if y else None


def _dataset(name: str, arrays: Mapping[str, Array], names: Names) -> Dataset:
    x_train, x_test = (_x(arrays, array, names) for array in ("x_train", "x_test"))
    assert x_test is not None  # it is required
    if x_train is not None:
        _demand_same_shapes(arrays, names)
    raw = {array: _y(arrays, array, names, x) for array, x in (("y_train", x_train), ("y_test", x_test))}
    classes, notes = {}, list(names.notes)
    for output in names.outputs:
        key = key_of("classes", output)
        parts = {key_of(array, output): fields[output] for array, fields in raw.items() if fields}
        found, numbered, note = _numbered(arrays.get(key), parts, key)
        classes[output], notes = found, notes + note
        for array, fields in raw.items():
            if fields:
                fields[output] = numbered[key_of(array, output)]
    y_train, y_test = (records_of(raw[array]) if raw[array] else None for array in ("y_train", "y_test"))
    told = classes if len(names.outputs) > 1 else next(iter(classes.values()), ())
    return Dataset(name, x_train, y_train, x_test, y_test, told, _groups(arrays, x_train), tuple(notes))


def _x(arrays: Mapping[str, Array], array: str, names: Names) -> Array | None:
    if not any(key_of(array, each) in arrays for each in names.inputs):
        return None
    return _together(_samples_of(arrays, array, names.inputs), array)


def _samples_of(arrays: Mapping[str, Array], array: str, inputs: Sequence[str]) -> dict[str, Floats]:
    return {each: samples(arrays[key_of(array, each)], key_of(array, each)) for each in inputs}


def _together(fields: Mapping[str, Floats], array: str) -> Array:
    try:
        return records_of(fields)
    except DataError as error:
        raise DataError(f"arrays '{array}_..': {error.what}", hint=error.hint) from None


def _demand_same_shapes(arrays: Mapping[str, Array], names: Names) -> None:
    for each in names.inputs:
        train, test = (arrays[key_of(array, each)].shape[1:] for array in ("x_train", "x_test"))
        if train != test:
            what = (
                f"samples of {key_of('x_train', each)!r} have shape {train}, those of {key_of('x_test', each)!r} {test}"
            )
            raise DataError(what, hint="prepare both in the same way")


def _y(arrays: Mapping[str, Array], array: str, names: Names, x: Array | None) -> dict[str, Array]:
    """Targets by output; none where there are none."""
    keys = {output: key_of(array, output) for output in names.outputs}
    return {
        output: targets(arrays[key], len(x), key) for output, key in keys.items() if key in arrays and x is not None
    }


def _groups(arrays: Mapping[str, Array], x_train: Array | None) -> Array | None:
    groups = arrays.get("groups_train")
    count = 0 if x_train is None else len(x_train)
    if groups is not None and groups.shape != (count,):
        hint = "give one for each sample"
        raise DataError(f"'groups_train' has shape {groups.shape}, not {(count,)}", hint=hint)
    return groups


def samples(x: Array, name: str) -> Floats:
    """Finite float32 samples of rank 1 to 3; numbers alone (N,) are samples (N, 1). DataError otherwise."""
    if x.dtype.kind not in "buif":
        raise DataError(f"array {name!r} has type {x.dtype}", hint="store real numbers: x.astype('float32')")
    x = x[:, np.newaxis] if x.ndim == 1 else x
    rank = x.ndim - 1
    if not 1 <= rank <= LARGEST_SAMPLE_RANK or x.size == 0:
        hint = "give (N, features), (N, length, channels) or (N, height, width, channels), none empty"
        raise DataError(f"array {name!r} has shape {x.shape}", hint=hint)
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(x, dtype=np.float32)
    wrong = _first_not_finite(converted)
    if wrong is not None:
        what = f"array {name!r} holds NaN, infinity or numbers beyond float32, first in sample {wrong}"
        raise DataError(what, hint="drop or repair these samples")
    return converted


def targets(y: Array, count: int, name: str) -> Array:
    """(count, ..) int64, finite float64, or str; a column (count, 1) becomes (count,). DataError otherwise."""
    if y.dtype.kind not in "buifUS":
        hint = "store class numbers or names, or real numbers: y.astype('float32')"
        raise DataError(f"array {name!r} has type {y.dtype}", hint=hint)
    if y.ndim == 0 or len(y) != count or y.size == 0:
        hint = "give one label for each sample"
        raise DataError(f"array {name!r} has shape {y.shape} for {count} samples", hint=hint)
    y = column(y)
    if y.dtype.kind in "US":
        return y if y.dtype.kind == "U" else np.char.decode(y, "utf-8")
    if y.dtype.kind == "f":
        wrong = _first_not_finite(y)
        if wrong is not None:
            what = f"array {name!r} holds NaN or infinity, first for sample {wrong}"
            raise DataError(what, hint="drop or repair these samples")
        return y.astype(np.float64)
    if y.max() > np.iinfo(np.int64).max:
        raise DataError(f"array {name!r} holds label {y.max()}", hint="number the classes 0, 1, 2, ..")
    return y.astype(np.int64)


def _first_not_finite(x: Array) -> int | None:
    finite = np.isfinite(x.reshape(len(x), -1)).all(axis=1)
    return None if finite.all() else int(np.argmin(finite))


def _numbered(
    given: Array | None, parts: Mapping[str, Array], key: str
) -> tuple[tuple[str, ...], dict[str, Array], list[str]]:
    """Class names, given or those that are the labels; the labels as numbers; and how they were numbered."""
    names = None if given is None else _names(given, key)
    are_names = any(y.dtype.kind == "U" for y in parts.values())
    if not are_names:
        return names or (), dict(parts), []
    for array, y in parts.items():
        if y.dtype.kind != "U" or y.ndim != 1:
            hint = "store one class name for each sample, or one number"
            raise DataError(f"array {array!r} has type {y.dtype} and shape {y.shape}", hint=hint)
    found = np.unique(np.concatenate(list(parts.values())))
    if names is None:
        names = _checked(tuple(map(str, found[: MOST_CLASSES + 1])), "classes among the labels")
        told = ", ".join(f"{name!r} = {number}" for number, name in enumerate(names[:4]))
        more = ", .." if len(names) > 4 else ""
        notes = [f"class names are numbered in alphabetical order: {told}{more} (an array {key!r} says otherwise)"]
    else:
        notes = []
    unknown = next((str(name) for name in found if name not in names), None)
    if unknown is not None:
        raise DataError(f"label {unknown!r} is no class of array {key!r}", hint=suggestion(unknown, names))
    numbers = {name: number for number, name in enumerate(names)}
    whole = {array: np.array([numbers[str(name)] for name in y], np.int64) for array, y in parts.items()}
    return names, whole, notes


def _names(names: Array, key: str) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise DataError(f"array {key!r} has type {names.dtype} and shape {names.shape}", hint="give a list of strings")
    decoded = names if names.dtype.kind == "U" else np.char.decode(names, "utf-8")
    return _checked(tuple(map(str, decoded)), "classes")


def _checked(found: tuple[str, ...], what: str) -> tuple[str, ...]:
    are_names = all(0 < len(name) <= LONGEST_CLASS and name.isprintable() for name in found)
    if not 2 <= len(found) <= MOST_CLASSES or len(set(found)) < len(found) or not are_names:
        told = ", ".join(repr(name[:LONGEST_CLASS]) for name in found[:5])
        hint = f"give 2 to {MOST_CLASSES:,}, all different, of at most {LONGEST_CLASS} characters that can be printed"
        raise DataError(f"{len(found)} {what}: {told}", hint=hint)
    return found
