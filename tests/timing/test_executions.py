"""Instructions of all edges in one line: sums in that order, and what is moved stands behind its edge."""

from __future__ import annotations

import numpy as np

from mcusim.timing.executions import Executions, summed, with_moved


def test_what_is_moved_stands_behind_its_edge() -> None:
    """However many there are of an edge: nothing else changes its place."""
    edges = np.repeat([3, 4, 7], 50)
    items = Executions(np.arange(150), np.zeros(150), edges)
    addresses, values = with_moved(items, np.arange(150.0), [(4, 900, -1.0), (3, 901, -2.0), (4, 902, -3.0)])
    assert addresses.tolist() == [*range(50), 901, *range(50, 100), 900, 902, *range(100, 150)]
    assert values.tolist() == [*range(50), -2, *range(50, 100), -1, -3, *range(100, 150)]


def test_sums_stand_in_the_order_in_which_they_first_come() -> None:
    found = summed(np.array([8, 2, 8, 4]), np.array([1e16, 1.0, -1e16, 3.0]))
    assert list(found.items()) == [(8, 0.0), (2, 1.0), (4, 3.0)]
