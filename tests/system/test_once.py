"""Done once, whether it works or not."""

from __future__ import annotations

import threading

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


def test_who_asks_for_what_another_thread_makes_waits_for_it() -> None:
    once, begun, go_on = Once(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go_on.wait(60)
        return "theirs"

    other = threading.Thread(target=once.do, args=("a", slow))
    other.start()
    assert begun.wait(60)
    assert once.do("b", lambda: 1) == 1, "something else does not wait"
    threading.Timer(0.05, go_on.set).start()
    assert once.do("a", lambda: "ours") == "theirs"
    other.join()
