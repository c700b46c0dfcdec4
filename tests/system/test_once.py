"""Done once, whether it works or not."""

from __future__ import annotations

import pytest

from mcusim.system.errors import ModelError
from mcusim.system.once import Once


def test_a_value_is_made_once_for_each_key() -> None:
    once, made = Once(), []

    def make() -> int:
        made.append(None)
        return len(made)

    assert [once.do("a", make), once.do("a", make), once.do("b", make)] == [1, 1, 2]


def test_none_is_a_value() -> None:
    once, made = Once(), []
    once.do("a", lambda: made.append(1))
    once.do("a", lambda: made.append(2))
    assert made == [1]


def test_an_error_is_remembered() -> None:
    once, tried = Once(), []

    def make() -> None:
        tried.append(None)
        raise ModelError("broken")

    for _ in range(2):
        with pytest.raises(ModelError, match="broken"):
            once.do("a", make)
    assert len(tried) == 1


def test_an_interruption_is_not() -> None:
    once = Once()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once.do("a", interrupted)
    assert once.do("a", lambda: 3) == 3
