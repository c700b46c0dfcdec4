"""What a data set is made of. Normalization: learned over all but the last axis, kept as plain numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mcusim.datasets.dataset import Dataset, Normalization, fit_each
from mcusim.system.errors import DataError
from mcusim.system.records import records_of


def test_z_score_of_each_channel() -> None:
    x = np.random.default_rng(0).normal([1, -5, 100], [2, 0.1, 30], (200, 7, 3)).astype(np.float32)
    normalization = Normalization.fit(x)
    z = normalization.apply(x)
    assert z.dtype == np.float32 and z.shape == x.shape
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 4), (5, 6, 4), (5, 3, 2, 4)])
def test_every_rank_has_its_channels_last(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    assert len(Normalization.fit(x).mean) == 4
    assert Normalization.fit(x).apply(x).shape == shape


def test_a_constant_channel_becomes_zero_and_not_nan() -> None:
    x = np.full((4, 2), 3, np.float32)
    assert not Normalization.fit(x).apply(x).any()


def test_the_test_set_gets_the_statistics_of_the_training_set() -> None:
    normalization = Normalization.fit(np.array([[0.0], [2.0]], np.float32))
    np.testing.assert_array_equal(normalization.apply(np.array([[5.0]], np.float32)), [[4.0]])


def test_dictionary_and_back_is_exact_through_json() -> None:
    normalization = Normalization.fit(np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32))
    assert Normalization.from_dict(json.loads(json.dumps(normalization.to_dict()))) == normalization


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"mean": [0.0]},
        {"mean": [0.0], "std": [1.0, 1.0]},
        {"mean": [], "std": []},
        {"mean": [0.0], "std": [0.0]},
        {"mean": [0.0], "std": [-1.0]},
        {"mean": [float("nan")], "std": [1.0]},
        {"mean": [0.0], "std": [float("inf")]},
        {"mean": 3, "std": 4},
        {"mean": ["a"], "std": ["b"]},
        {"mean": [10**400], "std": [1]},
    ],
)
def test_impossible_statistics_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(DataError):
        Normalization.from_dict(values)


def test_other_number_of_channels_is_refused() -> None:
    with pytest.raises(DataError, match="normalized for 2 channels, the samples have 3"):
        Normalization((0.0, 0.0), (1.0, 1.0)).apply(np.zeros((1, 3), np.float32))


def test_one_input_and_one_output_have_no_names() -> None:
    x, y = np.zeros((2, 8, 9), np.float32), np.zeros(2, np.int64)
    dataset = Dataset("d", x, y, x, y, ("a", "b"))
    assert dataset.shape == (8, 9) and dataset.inputs == {"": (8, 9)} and dataset.outputs == ("",)
    assert dataset.classes_of() == dataset.classes_of("") == ("a", "b")
    assert dataset.classes_of("who") == () and Dataset("d", x, y, x, y).classes_of() == ()


def test_test_samples_alone_are_a_data_set() -> None:
    dataset = Dataset("d", None, None, np.zeros((2, 8, 9), np.float32), None)
    assert dataset.inputs == {"": (8, 9)} and dataset.outputs == () and dataset.classes_of() == ()


def several() -> Dataset:
    """Two inputs, of very different size, and two outputs."""
    random = np.random.default_rng(3)
    sound, motion = random.normal(50, 2, (6, 8, 1)), random.normal(-1, 0.1, (6, 3))
    x = records_of({"sound": sound.astype(np.float32), "motion": motion.astype(np.float32)})
    y = records_of({"who": np.arange(6) % 3, "what": np.arange(6) % 2})
    return Dataset("both", x, y, x[:2], y[:2], {"who": ("a", "b", "c"), "what": ("sits", "stands")})


def test_several_inputs_and_outputs_are_told_by_name() -> None:
    dataset = several()
    assert dataset.inputs == {"sound": (8, 1), "motion": (3,)} and list(dataset.inputs) == ["sound", "motion"]
    assert dataset.outputs == ("who", "what") and dataset.classes_of("what") == ("sits", "stands")
    with pytest.raises(DataError, match="'both' has 2 inputs: sound, motion"):
        _ = dataset.shape


def test_each_input_has_its_own_statistics() -> None:
    x = several().x_train
    assert x is not None
    statistics = fit_each(x)
    assert statistics == {name: Normalization.fit(x[name]) for name in ("sound", "motion")}


def test_an_only_input_is_normalized_in_the_same_way() -> None:
    both = several().x_train
    assert both is not None
    x = both["sound"]
    statistics = fit_each(x)
    assert statistics == {"": Normalization.fit(x)}
