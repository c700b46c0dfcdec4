"""Searches: each asks for the base first, for no point twice, for no more than it may, and the same again."""

from __future__ import annotations

import pytest

from mcusim.explore.front import Limits, front_of
from mcusim.explore.searches import SEARCHES, evolution, search_named
from mcusim.explore.searches.search import Wanted
from mcusim.system.errors import ConfigurationError
from tests.explore.exploring import line_of_space, searched, toy

SPACE = line_of_space(3, 4, 3)  # 36 points
pytest.importorskip("optuna")


@pytest.mark.parametrize("name", SEARCHES)
def test_what_every_search_does(name: str) -> None:
    asked = searched(SEARCHES[name], SPACE)
    assert asked[0] == SPACE.base
    assert len(set(asked)) == len(asked) <= SPACE.size
    assert all(0 <= gene < len(axis.values) for genes in asked for gene, axis in zip(genes, SPACE.axes, strict=True))
    assert searched(SEARCHES[name], SPACE) == asked, "an interrupted one could not go on"


@pytest.mark.parametrize("name", ["greedy", "evolution"])
@pytest.mark.parametrize("evaluations", [1, 2, 7])
def test_no_more_than_there_may_be(name: str, evaluations: int) -> None:
    asked = searched(SEARCHES[name], SPACE, evaluations)
    assert len(asked) <= evaluations and asked[0] == SPACE.base


@pytest.mark.parametrize(("evaluations", "most"), [(3, 3), (1000, SPACE.size)])
def test_a_generation_is_no_larger_than_what_there_can_be(
    evaluations: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, real = [], evolution._asked
    monkeypatch.setattr(evolution, "_asked", lambda *given: asked.append(given) or real(*given))
    next(evolution.ask(Wanted(SPACE, ("accuracy", "latency_ms"), Limits({}), 5000, 0, evaluations)))
    assert len(asked) == most


def test_the_seed_decides_where_evolution_goes() -> None:
    large = line_of_space(9, 9, 9)
    assert searched(SEARCHES["evolution"], large, 30, seed=1) != searched(SEARCHES["evolution"], large, 30, seed=2)


@pytest.mark.parametrize("name", ["greedy", "evolution"])
def test_a_part_of_the_space_is_enough_for_most_of_the_front(name: str) -> None:
    every = [toy(genes) for genes in searched(SEARCHES["grid"], SPACE)]
    whole = {point.genes for point in front_of(every, ("accuracy", "latency_ms"))}
    found = front_of([toy(genes) for genes in searched(SEARCHES[name], SPACE, 25)], ("accuracy", "latency_ms"))
    assert len(whole & {point.genes for point in found}) >= 0.6 * len(whole)


def test_a_grid_is_all_or_nothing() -> None:
    assert len(searched(SEARCHES["grid"], SPACE, 36)) == 36
    with pytest.raises(ConfigurationError, match="36 points, and there may be 35"):
        searched(SEARCHES["grid"], SPACE, 35)
    assert search_named("auto", SPACE, 36).NAME == "grid"
    assert search_named("auto", SPACE, 35).NAME == "evolution"
