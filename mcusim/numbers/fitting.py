"""Weights rounded so that the layer's sums suffer least, and not each weight for itself.

Of the products that a sum is made of, calibration knows means and covariances. A weight that is rounded makes an error
in every sum; the weights that are still to be rounded, and the bias, are changed so as to take it back (Frantar et al.,
GPTQ, 2022). What inputs have lost before, weights make up for as far as the others tell of it (Li et al., GPTAQ, 2025).
It needs no labels, takes seconds, and costs nothing on the board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcusim.numbers.formats import Format
from mcusim.numbers.products import BLOCK, Products
from mcusim.system.arrays import Array


@dataclass(frozen=True, eq=False)
class Grid:
    """Integers from `minimum` to `maximum`, times `scale`: of all weights, or (outputs,) one for each output."""

    scale: Array
    minimum: int
    maximum: int

    @staticmethod
    def of(fmt: Format) -> Grid:
        return Grid(np.array(2.0**-fmt.fraction), fmt.minimum, fmt.maximum)

    def encoded(self, x: Array) -> Array:
        """`x` (..., taps), the scale (..., 1)."""
        return np.asarray(np.clip(np.floor(x / self.scale + 0.5), self.minimum, self.maximum))

    def by_group(self, groups: int) -> Grid:
        scale = self.scale.reshape(groups, -1, 1) if self.scale.ndim else self.scale
        return replace(self, scale=scale)


def best_format(kernel: Array, products: Products, formats: Sequence[Format]) -> Format:
    """The one of `formats` in which the sums are best, when weights are rounded one by one."""
    errors = [sum_errors(kernel, products, Grid.of(fmt)).sum() for fmt in formats]
    return formats[int(np.argmin(errors))]


def sum_errors(kernel: Array, products: Products, grid: Grid) -> Array:
    """(outputs,): variance of what is added to each sum when weights are rounded one by one."""
    rows, own = _by_group(kernel, products), grid.by_group(len(products.stored))
    return _errors(own.encoded(rows) * own.scale - rows, products).reshape(-1)


def fitted(kernel: Array, products: Products, grid: Grid) -> Array:
    """`kernel` (outputs, ...) -> stored weights of its shape, float64."""
    rows, own = _by_group(kernel, products), grid.by_group(len(products.stored))
    blocks = [
        _fitted_block(rows[..., start : start + BLOCK], covariance, own)
        for start, covariance in zip(range(0, rows.shape[2], BLOCK), products.covariances, strict=True)
    ]
    return np.concatenate(blocks, axis=2).reshape(kernel.shape)


def compensated(kernel: Array, products: Products) -> Array:
    """`kernel` (outputs, ...), real, so that its sums suffer least from what quantization has done to their inputs."""
    rows = _by_group(kernel, products)
    blocks = [
        rows[..., start : start + BLOCK] @ (np.eye(change.shape[-1]) + change)
        for start, change in zip(range(0, rows.shape[2], BLOCK), products.compensations, strict=True)
    ]
    return np.concatenate(blocks, axis=2).reshape(kernel.shape)


def corrected(bias: Array, kernel: Array, weights: Array, products: Products) -> Array:
    """`bias` (outputs,), so that the mean of each sum is that of the real `kernel`, with `weights` in its place."""
    wanted = (_by_group(kernel, products) * products.real[:, None]).sum(axis=2)
    have = (_by_group(weights, products) * products.stored[:, None]).sum(axis=2)
    return np.asarray(bias + (wanted - have).reshape(-1))


def _fitted_block(rows: Array, covariance: Array, grid: Grid) -> Array:
    """Rows (groups, outputs, taps), one tap after the other: those with the largest variance first."""
    order = np.argsort(-np.diagonal(covariance, axis1=1, axis2=2), axis=1, kind="stable")
    ordered = np.take_along_axis(np.take_along_axis(covariance, order[:, :, None], 1), order[:, None, :], 2)
    factor = np.linalg.cholesky(np.linalg.inv(ordered)).transpose(0, 2, 1)  # upper
    left = np.take_along_axis(rows, order[:, None, :], 2)
    stored = np.zeros_like(left)
    for tap in range(left.shape[2]):
        stored[..., tap : tap + 1] = grid.encoded(left[..., tap : tap + 1])
        error = (left[..., tap : tap + 1] - stored[..., tap : tap + 1] * grid.scale) / factor[:, None, None, tap, tap]
        left[..., tap:] -= error * factor[:, None, tap, tap:]
    return np.take_along_axis(stored, np.argsort(order, axis=1)[:, None, :], 2)


def _errors(errors: Array, products: Products) -> Array:
    """(groups, outputs): variance of what errors of weights (groups, outputs, taps) do to sums."""
    starts = range(0, errors.shape[2], BLOCK)
    parts = [errors[..., start : start + BLOCK] for start in starts]
    each = [((part @ c) * part).sum(axis=2) for part, c in zip(parts, products.covariances, strict=True)]
    return np.asarray(sum(each))


def _by_group(kernel: Array, products: Products) -> Array:
    """(outputs, ...) -> (groups, outputs of the group, taps), float64."""
    groups, taps = products.stored.shape
    return np.asarray(kernel, np.float64).reshape(groups, -1, taps)
