"""Real weights -> the scale that their integers have: where all fit in, or where their errors are least."""

import numpy as np

from mcusim.numbers.fitting import Grid, sum_errors
from mcusim.numbers.numbers import Range
from mcusim.system.arrays import Array

TRIED = np.linspace(1.0, 0.55, 16)  # of the scale in which all fit: the largest weights saturate in finer ones


def weight_scales(rows: Array, bits: int, values: Range, *, shared: bool) -> Array:
    """`rows` (outputs, taps) -> (outputs,), or (1,) where all have the same. `values`: of the layer's outputs."""
    largest = (1 << bits - 1) - 1
    peaks = np.abs(rows).max(axis=1, initial=0.0).astype(np.float64)
    widest = np.array([peaks.max(initial=0.0)]) / largest if shared else peaks / largest
    if values.octaves is None or not widest.any():
        return widest
    errors = np.array([_errors(rows, widest * share, largest, values) for share in TRIED])
    if shared:
        return np.asarray(widest * TRIED[int(errors.sum(axis=1).argmin())])
    return np.asarray(widest * TRIED[errors.argmin(axis=0)])


def _errors(rows: Array, scale: Array, largest: int, values: Range) -> Array:
    """(outputs,): of the sums that rows are in, where calibration tells of these, else of the rows."""
    each = np.where(scale > 0, scale, 1.0)
    each = np.broadcast_to(each, len(rows))
    if values.products is not None:
        return sum_errors(rows, values.products, Grid(each, -largest, largest))
    q = np.clip(np.rint(rows / each[:, None]), -largest, largest)
    return np.asarray(((q * each[:, None] - rows) ** 2).sum(axis=1))
