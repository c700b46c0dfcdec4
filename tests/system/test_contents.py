"""A digest tells what values hold, and nothing of where they lie."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest

from mcusim.system.contents import digest_of


@dataclass(frozen=True, eq=False)
class Held:
    kernel: object
    name: str = "a"


OTHERS = [
    None,
    0,
    0.0,
    -0.0,
    False,
    "0",
    b"0",
    Fraction(1, 2),
    np.float32(0),
    (),
    ((), ()),
    ((1,), 2),
    (1, (2,)),
    ("1;", "2"),
    ("1", ";2"),
    [1, (2,)],
    {"a": 1},
    {"a": 1, "b": 2},
    ("a", 1),
    np.zeros(4, np.float32),
    np.zeros((2, 2), np.float32),
    np.zeros(4, np.int32),
    np.arange(5000.0),
    np.where(np.arange(5000.0) == 2500, 0, np.arange(5000.0)),  # which repr leaves out
    Held(np.zeros(4)),
    Held(np.ones(4)),
    Held(np.ones(4), "b"),
]


def test_what_differs_has_another_digest() -> None:
    assert len(set(map(digest_of, OTHERS))) == len(OTHERS)


def test_what_is_equal_has_the_same() -> None:
    array = np.arange(6.0).reshape(2, 3)
    transposed = np.ascontiguousarray(array.T).T  # the same numbers, otherwise in memory
    assert digest_of(Held({"a": (array, 1)})) == digest_of(Held({"a": (transposed, 1)}))


@pytest.mark.parametrize("value", [object(), print, Held, np.array([None]), {1, 2}])
def test_what_a_digest_cannot_tell_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no digest"):
        digest_of((1, value))
