"""The validation set: a share of every class, or whole groups."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from mcusim.training.lesson import hold_out

LABELS = np.repeat([0, 1, 2], [100, 50, 10])


def test_nothing_is_held_out_by_default() -> None:
    learned, validated = hold_out(LABELS, None, 0.0, np.random.default_rng(0))
    assert learned.tolist() == list(range(160)) and not len(validated)


def test_the_share_of_every_class() -> None:
    learned, validated = hold_out(LABELS, None, 0.2, np.random.default_rng(0))
    assert np.bincount(LABELS[validated]).tolist() == [20, 10, 2]
    assert sorted([*learned, *validated]) == list(range(160))


def test_whole_groups_near_the_share() -> None:
    groups = np.repeat(np.arange(16), 10)
    learned, validated = hold_out(LABELS, groups, 0.25, np.random.default_rng(0))
    assert not set(groups[learned]) & set(groups[validated])
    assert len(validated) == 40


@pytest.mark.parametrize(
    ("labels", "groups", "told", "hint"),
    [
        (np.array([0, 1]), None, "of 2 training samples leaves 2", "another share"),
        (LABELS, np.zeros(160), "of 160 training samples of 1 group, each held out whole, leaves 160", "leave groups_"),
        (LABELS, np.arange(160) < 80, "of 2 groups, each held out whole, leaves 160", "another share"),
    ],
)
def test_too_little_to_divide(labels: Array, groups: Array | None, told: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"validation = 0\.1 .*{told}") as caught:
        hold_out(labels, groups, 0.1, np.random.default_rng(0))
    assert caught.value.hint and hint in caught.value.hint
