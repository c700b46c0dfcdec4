"""A few samples stand for all: by chance, by class, and the same ones everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.datasets.sampling import choose


@given(
    labels=st.lists(st.integers(0, 7), max_size=120),
    count=st.integers(0, 140),
    seed=st.integers(0, 2**31),
)
def test_each_class_has_its_share(labels: list[int], count: int, seed: int) -> None:
    y = np.array(labels, np.int64)
    chosen = choose(len(y), count, y, seed)
    assert len(chosen) == min(count, len(y)) == len(set(chosen.tolist()))
    assert (np.diff(chosen) > 0).all() and ((chosen >= 0) & (chosen < len(y))).all()
    classes = np.unique(y)
    if len(classes) <= count:
        for label in classes:
            have, share = np.sum(y[chosen] == label), np.sum(y == label) * len(chosen) / len(y)
            assert have >= 1
            # One more or less, and what was given up for classes that would have had none.
            assert share - len(classes) < have < share + 1


def test_shares_are_exact_where_they_can_be() -> None:
    y = np.repeat([0, 1, 2], [60, 30, 10])
    assert np.bincount(y[choose(100, 20, y)]).tolist() == [12, 6, 2]
    assert np.bincount(y[choose(100, 3, y)]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("period", [2, 5, 10])
def test_classes_that_take_turns_are_not_fallen_in_step_with(period: int) -> None:
    y = np.arange(1000) % period
    assert set(np.bincount(y[choose(1000, 100, y)])) == {100 // period}
    without_labels = np.bincount(y[choose(1000, 100)], minlength=period)
    assert without_labels.min() > 0


def test_a_seed_makes_the_same_choice_for_ever() -> None:
    y = np.arange(50) % 5
    assert choose(50, 7, y, seed=3).tolist() == choose(50, 7, y, seed=3).tolist() == PROMISED
    assert choose(50, 7, y, seed=4).tolist() != PROMISED


PROMISED = [7, 8, 10, 16, 23, 27, 39]


@pytest.mark.parametrize(
    ("total", "count", "expected"), [(5, "all", 5), (3, 10, 3), (0, "all", 0), (0, 3, 0), (9, 0, 0)]
)
def test_all_of_them_or_none(total: int, count: int | str, expected: int) -> None:
    positions = choose(total, count, np.zeros(total, np.int64))
    assert positions.tolist() == list(range(expected))


@pytest.mark.parametrize(
    "labels",
    [None, np.linspace(0, 1, 100), np.zeros((100, 2), np.int64), np.arange(100)],
    ids=["none", "real numbers", "several numbers each", "more classes than samples"],
)
def test_without_classes_it_is_chance(labels: np.ndarray | None) -> None:  # type: ignore[type-arg]
    assert choose(100, 10, labels, seed=1).tolist() == choose(100, 10, None, seed=1).tolist()


def test_many_whole_numbers_are_amounts_and_no_classes() -> None:
    """Of 50,000 that are there once each would be given its sample by itself: minutes."""
    y = np.concatenate([np.arange(1, 50_001), np.zeros(150_000, np.int64)])
    assert choose(len(y), 60_000, y, seed=1).tolist() == choose(len(y), 60_000, None, seed=1).tolist()


def test_several_outputs_are_balanced_together() -> None:
    y = np.zeros(80, np.dtype([("a", np.int64), ("b", np.int64), ("real", np.float32)]))
    y["a"], y["b"], y["real"] = np.arange(80) % 2, np.arange(80) // 40, np.linspace(0, 1, 80)
    chosen = y[choose(80, 8, y)]
    assert np.bincount(chosen["a"] * 2 + chosen["b"]).tolist() == [2, 2, 2, 2]
