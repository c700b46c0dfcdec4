"""Two runs -> Decisions: which samples are decided otherwise, and whether that is more than chance."""

import base64
import binascii
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mcusim.reports.report import Run
from mcusim.system.arrays import Array

_NEGLIGIBLE = 1e-18


@dataclass(frozen=True)
class Decisions:
    """Of the same samples: which are right in one run only, by their order in the runs.

    `p`: McNemar's exact test, two-sided: how often chance alone would make so large a difference. `output`: its name,
    "" of an only one.
    """

    output: str
    samples: int
    worse: tuple[int, ...]
    better: tuple[int, ...]
    p: float


def decisions(base: Run, head: Run) -> tuple[Decisions, ...]:
    """Of each output of which both runs tell the same samples; none where nobody knows, as of interrupted runs."""
    same = base.data_sha256 is not None and base.data_sha256 == head.data_sha256 and base.samples == head.samples
    if not (same and base.complete and head.complete):
        return ()
    return tuple(
        Decisions(name, head.samples, worse, better, mcnemar(len(worse), len(better)))
        for name, before, after in _bits(base, head)
        for worse, better in [(_where(before & ~after), _where(after & ~before))]
    )


def _bits(base: Run, head: Run) -> Iterator[tuple[str, Array, Array]]:
    """Name of an output, and which samples are right (N,) in each run."""
    before, after = ({"": run.right, **{output.name: output.right for output in run.outputs}} for run in (base, head))
    for name in after:
        one, other = (_unpacked(packed, head.samples) for packed in (before.get(name), after[name]))
        if one is not None and other is not None:
            yield name, one, other


def _unpacked(packed: str | None, samples: int) -> Array | None:
    """None for what is not so many bits."""
    try:
        data = np.frombuffer(base64.b64decode(packed or "", validate=True), np.uint8)
    except binascii.Error:
        return None
    fits = packed is not None and samples >= 0 and len(data) == -(-samples // 8)
    return np.unpackbits(data, count=samples).astype(bool) if fits else None


def _where(samples: Array) -> tuple[int, ...]:
    return tuple(np.flatnonzero(samples).tolist())


def mcnemar(worse: int, better: int) -> float:
    """p, two-sided and exact: would a fair coin, thrown for each sample that changed, be so one-sided?"""
    thrown, fewer = worse + better, min(worse, better)
    log = math.lgamma(thrown + 1) - math.lgamma(fewer + 1) - math.lgamma(thrown - fewer + 1) - thrown * math.log(2)
    term = total = math.exp(log)
    while fewer and term > _NEGLIGIBLE * total:
        term *= fewer / (thrown - fewer + 1)
        total += term
        fewer -= 1
    return min(1.0, 2 * total)
