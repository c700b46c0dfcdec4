"""How samples are normalized is what the file keeps, or what the experiment says; never a guess."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.datasets.dataset import Normalization
from mcusim.line.normalize import normalize
from mcusim.models.source import Source
from mcusim.system.errors import DataError
from tests.lines import graph

X = np.array([[1, 1, 1, 1], [3, 5, 7, 9]], np.float32)
FITTED = Normalization((2.0, 3.0, 4.0, 5.0), (1.0, 2.0, 3.0, 4.0))
STORED = Normalization((0.0,) * 4, (2.0,) * 4)
BARE, KEPT = Source(graph()), Source(graph(), {"": STORED})


@pytest.mark.parametrize(
    ("source", "chosen", "applied", "told"),
    [
        (BARE, None, None, "none"),
        (BARE, "none", None, "none"),
        (BARE, "z-score", FITTED, "z-score (training set)"),
        (KEPT, None, STORED, "z-score (stored)"),
        (KEPT, "z-score", STORED, "z-score (stored)"),
        (KEPT, "none", None, "none"),
    ],
)
def test_every_choice(source: Source, chosen: str | None, applied: Normalization | None, told: str) -> None:
    made = normalize(source, chosen, X)
    assert made.normalization == told and made.normalizations == ({"": applied} if applied else {})
    assert np.array_equal(made.normalized(X), applied.apply(X) if applied else X)


def test_statistics_need_samples() -> None:
    with pytest.raises(DataError, match="no training samples to learn mean"):
        normalize(BARE, "z-score", X[:0])
    assert normalize(BARE, None, X[:0]) is BARE
