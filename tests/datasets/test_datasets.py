"""Names and files; every published data set keeps the promises of `Dataset`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mcusim.datasets import DATASETS, load_dataset
from mcusim.system.errors import ConfigurationError, DataError, MissingToolError


def test_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'digits'"):
        load_dataset("digit")


def test_a_file_is_found_beside_the_experiment(tmp_path: Path) -> None:
    x, y = np.zeros((2, 3), np.float32), np.array([0, 1])
    np.savez(tmp_path / "mine.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    assert load_dataset("mine.npz", tmp_path).name == "mine"
    assert load_dataset(str(tmp_path / "mine.npz")).shape == (3,)
    with pytest.raises(DataError, match=r"no data file 'other\.npz'"):
        load_dataset("other.npz", tmp_path)


def test_every_data_set_says_what_it_is() -> None:
    assert all("classes" in publisher.SUMMARY for publisher in DATASETS.values())


def test_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match="pip install"):
        load_dataset("digits")


def test_digits_are_complete_and_split_by_class() -> None:
    digits = load_dataset("digits")
    assert digits.x_train.shape == (1437, 8, 8, 1) and digits.x_test.shape == (360, 8, 8, 1)
    assert digits.x_train.dtype == np.float32 and digits.y_train.dtype == np.int64
    assert digits.x_train.min() == 0 and digits.x_train.max() == 16
    assert digits.classes == tuple("0123456789")
    counts = np.bincount(digits.y_test)
    assert counts.min() >= 34 and counts.max() <= 37


def test_digits_are_the_same_ones_everywhere() -> None:
    """Another split would make accuracies of two machines or versions incomparable."""
    digits = load_dataset("digits")
    content = digits.x_test.astype(np.uint8).tobytes() + digits.y_test.astype(np.uint8).tobytes()
    assert hashlib.sha256(content).hexdigest() == "ccdee3bee5376e856aacd6f4aef27696cde72e98071af4d067d681376f414b42"
