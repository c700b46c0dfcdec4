"""Weights rounded so that the layer's sums suffer least, and not each weight for itself.

Of the products that a sum is made of, calibration knows means and covariances. A weight that is rounded makes an error
in every sum; the weights that are still to be rounded, and the bias, are changed so as to take it back (Frantar et al.,
GPTQ, 2022). It needs no labels, takes seconds, and costs nothing on the board.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcusim.numbers.formats import Format
from mcusim.numbers.products import BLOCK, Products
from mcusim.system.arrays import Array


def best_format(kernel: Array, products: Products, formats: Sequence[Format]) -> Format:
    """The one of `formats` in which the sums are best, when weights are rounded one by one."""
    rows = _by_group(kernel, products)
    errors = [_error(fmt.decode(fmt.encode(rows)) - rows, products) for fmt in formats]
    return formats[int(np.argmin(errors))]


def fitted(kernel: Array, products: Products, fmt: Format) -> Array:
    """`kernel` (outputs, ...) -> stored weights of `fmt`, of its shape."""
    rows = _by_group(kernel, products)
    blocks = [
        _fitted_block(rows[..., start : start + BLOCK], covariance, fmt)
        for start, covariance in zip(range(0, rows.shape[2], BLOCK), products.covariances, strict=True)
    ]
    return np.concatenate(blocks, axis=2).reshape(kernel.shape).astype(fmt.dtype)


def corrected(bias: Array, kernel: Array, weights: Array, products: Products) -> Array:
    """`bias` (outputs,), so that the mean of each sum is that of the real `kernel`, with `weights` in its place."""
    wanted = (_by_group(kernel, products) * products.real[:, None]).sum(axis=2)
    have = (_by_group(weights, products) * products.stored[:, None]).sum(axis=2)
    return np.asarray(bias + (wanted - have).reshape(-1))


def _fitted_block(rows: Array, covariance: Array, fmt: Format) -> Array:
    """Rows (groups, outputs, taps), one tap after the other: those with the largest variance first."""
    order = np.argsort(-np.diagonal(covariance, axis1=1, axis2=2), axis=1, kind="stable")
    ordered = np.take_along_axis(np.take_along_axis(covariance, order[:, :, None], 1), order[:, None, :], 2)
    factor = np.linalg.cholesky(np.linalg.inv(ordered)).transpose(0, 2, 1)  # upper
    left = np.take_along_axis(rows, order[:, None, :], 2)
    stored = np.zeros_like(left)
    for tap in range(left.shape[2]):
        stored[..., tap] = fmt.encode(left[..., tap])
        error = (left[..., tap] - np.ldexp(stored[..., tap], -fmt.fraction)) / factor[:, None, tap, tap]
        left[..., tap:] -= error[..., None] * factor[:, None, tap, tap:]
    return np.take_along_axis(stored, np.argsort(order, axis=1)[:, None, :], 2)


def _error(errors: Array, products: Products) -> float:
    """Variance of what errors of weights (groups, outputs, taps) do to all sums."""
    starts = range(0, errors.shape[2], BLOCK)
    parts = [errors[..., start : start + BLOCK] for start in starts]
    return float(sum(((part @ c) * part).sum() for part, c in zip(parts, products.covariances, strict=True)))


def _by_group(kernel: Array, products: Products) -> Array:
    """(outputs, ...) -> (groups, outputs of the group, taps), float64."""
    groups, taps = products.stored.shape
    return np.asarray(kernel, np.float64).reshape(groups, -1, taps)
