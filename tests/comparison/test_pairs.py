"""Which runs are the same: by model, repeat, data type, board and engine."""

from __future__ import annotations

import pytest

from mcusim.comparison.pairs import Pair, pairs
from tests.comparison.comparing import report, run, side


def ids(found: list[Pair]) -> list[tuple[str | None, str | None]]:
    return [(pair.base and pair.base.id, pair.head and pair.head.id) for pair in found]


@pytest.mark.parametrize(
    "changes",
    [{"model": "x"}, {"repeat": 1}, {"quantization": "int8 max"}, {"data_type": "i"}, {"board": "b"}, {"engine": "e"}],
)
def test_what_tells_runs_apart(changes: dict[str, object]) -> None:
    found = pairs(side(report(run())), side(report(run(**changes))))
    assert [(pair.base is None, pair.head is None) for pair in found] == [(True, False), (False, True)]


def test_ids_and_order_tell_nothing() -> None:
    base = report(*(run(id=name, model=name) for name in "abc"))
    head = report(*(run(id=name.upper(), model=name) for name in "cab"))
    found = pairs(side(base), side(head))
    assert ids(found) == [("c", "C"), ("a", "A"), ("b", "B")]


def test_runs_that_nothing_tells_apart_keep_their_order() -> None:
    base = report(run(id="1"), run(id="2"))
    head = report(run(id="3"), run(id="4"), run(id="5"))
    found = pairs(side(base), side(head))
    assert ids(found) == [("1", "3"), ("2", "4"), (None, "5")]


def test_an_experiment_may_be_called_otherwise_where_it_is_the_only_one() -> None:
    one, other = report(run(), experiment="old"), report(run(), experiment="new")
    assert [pair.experiment for pair in pairs(side(one), side(other))] == ["new"]
    assert len(pairs(side(one, other), side(one))) == 2, "of several, each is its own"


def test_reports_of_several_folders() -> None:
    a, b = report(run(), experiment="a"), report(run(), experiment="b")
    found = pairs(side(a, b), side(b, a))
    assert [pair.experiment for pair in found] == ["b", "a"] and all(pair.base and pair.head for pair in found)
    assert found[0].one and str(found[0].one.folder) == "base/1"
