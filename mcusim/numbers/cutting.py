"""What range of a tensor's values its numbers should cover.

mse         the range whose numbers are off least, on the whole
percentile  all but one of ten thousand values
kl          the range whose numbers keep most of the distribution (TensorRT's calibration)
max         all of it
answers     chosen before (`line/answer_ranges.py`); where it was not, as mse
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mcusim.numbers.numbers import Range, Ranges
from mcusim.system.arrays import Array

STEPS = 49  # of the ends of a range that are tried, from all of it down to SMALLEST of it
SMALLEST = 1 / 16
ROUNDS = 2  # of either end, with the other one as it was found
CUT_OFF = 1e-4  # share of the values that lie outside of a percentile's range, of both ends together
EVEN_BINS = 2048  # of the distribution that numbers are to keep
TOGETHER = 8192  # bins that are looked at in one go, of several ranges: what a processor has at hand
LITTLE = 1e-9  # in the place of 0 where a distribution is divided by


def cut(values: Range, ranges: Ranges, levels: int) -> Range:
    """The range that numbers of so many levels should cover. It holds 0, and is no wider than `values`."""
    if values.spread is None or ranges == "max" or not np.isfinite([values.low, values.high]).all():
        return values
    middles, widths, count = values.spread.values
    if not len(middles) or values.low == values.high:
        return values
    if ranges == "percentile":
        return _between(values, *_percentile(middles, count))
    if ranges == "kl":
        edges, even = _even(middles, widths, count, values.low, values.high)
        return _least(values, np.vectorize(lambda low, high: _divergence(edges, even, low, high, levels)))
    return _least(values, lambda low, high: _errors(middles, widths, count, low, high, levels))


def _least(values: Range, measure: Callable[[Array, Array], Array]) -> Range:
    """One end after the other. All of it comes first: it is taken where nothing is better.

    `measure`: low ends and high ones, of which either are all that are tried, (STEPS,) -> what each range loses.
    """
    shares, low, high = np.geomspace(1.0, SMALLEST, STEPS), values.low, values.high
    for _ in range(ROUNDS):
        high = float(values.high * shares[np.argmin(measure(np.full(STEPS, low), values.high * shares))])
        low = float(values.low * shares[np.argmin(measure(values.low * shares, np.full(STEPS, high)))])
    return _between(values, low, high)


def _between(values: Range, low: float, high: float) -> Range:
    return replace(values, low=max(values.low, min(low, 0.0)), high=min(values.high, max(high, 0.0)))


def _percentile(middles: Array, count: Array) -> tuple[float, float]:
    below = np.cumsum(count) / count.sum()
    low = middles[int(np.searchsorted(below, CUT_OFF / 2))]
    high = middles[min(int(np.searchsorted(below, 1 - CUT_OFF / 2)), len(middles) - 1)]
    return float(low), float(high)


def _errors(middles: Array, widths: Array, count: Array, low: Array, high: Array, levels: int) -> Array:
    """Sums of squares, of each range. Bins that are narrower than a step are rounded as one, in wider ones all rests
    are as likely.
    """

    def errors(low: Array, high: Array) -> Array:
        steps = (high - low) / (levels - 1)
        step = np.where(steps > 0, steps, 1.0)
        inside = np.clip(middles, low, high)
        beyond = (middles - inside) ** 2
        rest = (inside - step * np.rint(inside / step)) ** 2
        sums = (count * (beyond + np.where(widths < step, rest, step * step / 12))).sum(axis=1, keepdims=True)
        return np.where(steps > 0, sums, np.inf)

    parts = -(-len(low) * len(middles) // TOGETHER)
    ends = (np.array_split(end[:, None], parts) for end in (low, high))
    return np.concatenate([errors(*part) for part in zip(*ends, strict=True)])


def _even(middles: Array, widths: Array, count: Array, low: float, high: float) -> tuple[Array, Array]:
    """Edges (EVEN_BINS + 1,) of bins of one width, and how many values are in them. What is 0 has its number anyway."""
    other = middles != 0
    below = np.concatenate([[0.0], np.cumsum(count[other])])
    ends = np.concatenate([(middles - widths / 2)[other][:1], (middles + widths / 2)[other]])
    edges = np.linspace(low, high, EVEN_BINS + 1)
    return edges, np.diff(np.interp(edges, ends, below))


def _divergence(edges: Array, count: Array, low: float, high: float, levels: int) -> float:
    """Of the distribution, cut off at both ends, from that of its numbers, each spread over the bins it stands for."""
    middles, step = (edges[1:] + edges[:-1]) / 2, (high - low) / (levels - 1)
    inside = (middles >= low) & (middles <= high)
    if step <= 0 or not count[inside].any():
        return float("inf")
    real, kept = count[inside], count[inside].copy()
    first, last = np.flatnonzero(inside)[[0, -1]]
    real[0] += count[:first].sum()
    real[-1] += count[last + 1 :].sum()
    numbers = np.rint(middles[inside] / step).astype(np.int64)
    numbers -= numbers.min()
    mass, bins = np.bincount(numbers, kept), np.bincount(numbers, kept > 0)
    spread = np.where(kept > 0, mass[numbers] / np.maximum(bins[numbers], 1), 0)
    p, q = real / real.sum(), np.maximum(spread / spread.sum(), LITTLE)
    return float((p * np.log(np.maximum(p, LITTLE) / q)).sum())
