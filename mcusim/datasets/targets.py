"""Targets as people store them -> class numbers. What can mean one thing only is understood, all else refused."""

import numpy as np

from mcusim.system.arrays import Array, Labels
from mcusim.system.errors import DataError

MOST_CLASSES = 1000


def is_one_hot(y: Array) -> bool:
    """(N, K) with one 1 in each row, and zeros."""
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind not in "buif":
        return False
    return bool((((y == 0) | (y == 1)).all(axis=1) & (y.sum(axis=1) == 1)).all())


def are_whole(y: Array) -> bool:
    """Integers, whatever their type."""
    return y.dtype.kind in "bui" or (y.dtype.kind == "f" and bool((np.isfinite(y) & (y == np.floor(y))).all()))


def column(y: Array) -> Array:
    """(N, 1, ..) -> (N,); anything else as it is."""
    return y.reshape(-1) if y.ndim > 1 and y.size == len(y) else y


def class_numbers(y: Array, name: str, classes: int = MOST_CLASSES) -> Labels:
    """(N,), (N, 1) or one-hot (N, K) of any type -> (N,) int64 from 0, below `classes`. DataError for anything else."""
    if is_one_hot(y):
        y = y.argmax(axis=1)
    y = column(y)
    if y.ndim != 1:
        what = f"{name} have shape {y.shape}, and are not one-hot"
        raise DataError(what, hint="store one number for each sample: y.argmax(axis=1), for example")
    if y.dtype.kind not in "buif":
        raise DataError(f"{name} hold text, not numbers", hint="number the classes 0, 1, 2, ..")
    if not are_whole(y):
        hint = 'class numbers are whole; for real targets say [task] kind = "regression"'
        raise DataError(f"{name} hold {_first_fraction(y)}, which is no class", hint=hint)
    lowest, highest = (int(y.min()), int(y.max())) if len(y) else (0, 0)
    if lowest < 0 or highest >= classes:
        wrong = lowest if lowest < 0 else highest
        hint = f"number the classes 0, 1, 2, .. (up to {classes - 1})"
        raise DataError(f"{name} hold label {wrong}", hint=hint)
    return y.astype(np.int64)


def _first_fraction(y: Array) -> str:
    return f"{y[~(np.isfinite(y) & (y == np.floor(y)))][0]:g}" if y.dtype.kind == "f" else str(y.dtype)
