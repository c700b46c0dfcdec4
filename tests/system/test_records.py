"""Several arrays in one, and back."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.system.errors import DataError
from mcusim.system.records import fields_of, records_of

AUDIO = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
MOTION = np.arange(3, dtype=np.float32).reshape(3, 1) + 100


def test_a_sample_is_one_thing_and_has_its_parts_in_order() -> None:
    records = records_of({"motion": MOTION, "audio": AUDIO})
    assert records.shape == (3,) and records.dtype.names == ("motion", "audio")
    np.testing.assert_array_equal(records["audio"], AUDIO)
    chosen = records[[2, 0]]
    np.testing.assert_array_equal(chosen["motion"], [[102], [100]])
    flat = np.frombuffer(chosen.tobytes(), np.float32)
    assert flat.tolist() == [102, 8, 9, 10, 11, 100, 0, 1, 2, 3], "one flat record of all inputs, nothing between them"


def test_back_again() -> None:
    fields = fields_of(records_of({"b": AUDIO, "a": MOTION}))
    assert list(fields) == ["b", "a"]
    np.testing.assert_array_equal(fields["b"], AUDIO)
    np.testing.assert_array_equal(fields["a"], MOTION)


def test_an_only_array_stays_what_it_is() -> None:
    assert records_of({"audio": AUDIO}) is AUDIO
    [(name, values)] = fields_of(AUDIO).items()
    assert name == "" and values is AUDIO


def test_labels_of_several_outputs() -> None:
    labels = records_of({"who": np.array([0, 1]), "what": np.array([5, 6])})
    assert labels["what"].tolist() == [5, 6] and labels["what"].shape == (2,)


@pytest.mark.parametrize("other", [1, 2], ids=["one, which NumPy would repeat", "two"])
def test_every_sample_has_all_of_its_parts(other: int) -> None:
    with pytest.raises(DataError, match=f"there are {other} samples of 'motion' and 3 of 'audio'"):
        records_of({"audio": AUDIO, "motion": MOTION[:other]})


def test_a_sample_that_numpy_cannot_describe() -> None:
    huge = np.broadcast_to(np.float32(0), (1, 2**28))  # claims a gigabyte, takes four bytes
    with pytest.raises(DataError, match="one sample has 2,147,483,648 bytes"):
        records_of({"a": huge, "b": huge})
