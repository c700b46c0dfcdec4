"""Scores + which samples are positive -> area under the ROC curve, whole or up to a rate of false alarms."""

import numpy as np

from mcusim.system.arrays import Array


def auc(scores: Array, positive: Array, max_fpr: float = 1.0) -> float | None:
    """Area under the ROC curve; equal scores make a slope. As `sklearn.metrics.roc_auc_score`.

    `max_fpr` below 1: the part up to there, standardized so that 0.5 is chance and 1 perfect (McClish, "Analyzing a
    portion of the ROC curve", 1989). None without both kinds of samples, or when a score is NaN.
    """
    positive = positive.astype(bool)
    if positive.all() or not positive.any() or np.isnan(scores).any():
        return None
    false_alarms, hits = _curve(scores, positive)
    if max_fpr == 1.0:
        return _area(false_alarms, hits)
    inside = int(np.searchsorted(false_alarms, max_fpr, "right"))
    cut = np.interp(max_fpr, false_alarms[inside - 1 : inside + 1], hits[inside - 1 : inside + 1])
    part = _area(np.append(false_alarms[:inside], max_fpr), np.append(hits[:inside], cut))
    chance, perfect = 0.5 * max_fpr**2, max_fpr
    return float(0.5 * (1 + (part - chance) / (perfect - chance)))


def _curve(scores: Array, positive: Array) -> tuple[Array, Array]:
    """Rates of false alarms and of hits at each threshold, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    ranked, is_hit = scores[order], positive[order]
    last_of_equals = np.append(ranked[1:] != ranked[:-1], True)
    hits, false_alarms = np.cumsum(is_hit)[last_of_equals], np.cumsum(~is_hit)[last_of_equals]
    return np.append(0.0, false_alarms / false_alarms[-1]), np.append(0.0, hits / hits[-1])


def _area(x: Array, y: Array) -> float:
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)
