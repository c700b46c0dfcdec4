"""Decisions + labels -> recall, precision and F1 of each class, and their means, as scikit-learn defines them."""

from collections.abc import Sequence

import numpy as np

from mcusim.system.arrays import Array
from mcusim.tasks.task import ClassScores


def confusion_of(decided: Array, labels: Array, classes: int) -> Array:
    """(classes, classes): rows the label, columns what was decided."""
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, decided), 1)
    return matrix


def scores_of_classes(decided: Array, labels: Array, names: Sequence[str]) -> tuple[ClassScores, ...]:
    """Recall is None for a class without samples, precision for one that was never decided, F1 for one with neither."""
    counts = (np.bincount(chosen, minlength=len(names)) for chosen in (labels[labels == decided], labels, decided))
    return tuple(
        ClassScores(name, int(n), _share(hits, n), _share(hits, chosen), _share(2 * hits, n + chosen))
        for name, hits, n, chosen in zip(names, *counts, strict=True)
    )


def overall(classes: Sequence[ClassScores]) -> dict[str, float | None]:
    """Of the classes that there are samples of: mean and smallest recall; of those that occur at all: mean F1."""
    recalls = [entry.recall for entry in classes if entry.recall is not None]
    f1 = [entry.f1 for entry in classes if entry.f1 is not None]
    return {
        "balanced_accuracy": float(np.mean(recalls)) if recalls else None,
        "f1_macro": float(np.mean(f1)) if f1 else None,
        "recall_worst": min(recalls, default=None),
    }


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
