"""Ways to search a space."""

from collections.abc import Mapping

from mcusim.explore.axes import Space
from mcusim.explore.searches import evolution, greedy, grid
from mcusim.explore.searches.search import Search

_ALL: tuple[Search, ...] = (grid, greedy, evolution)
SEARCHES: Mapping[str, Search] = {search.NAME: search for search in _ALL}
AUTO = "auto"


def search_named(name: str, space: Space, evaluations: int) -> Search:
    """`auto`: every point where there are few enough."""
    if name == AUTO:
        name = grid.NAME if space.size <= evaluations else evolution.NAME
    return SEARCHES[name]
