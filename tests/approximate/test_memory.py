"""Points of an exploration share steps: what is remembered is what would be made again, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.approximate import approximated
from mcusim.approximate.approximation import MOST_BYTES, Degree, Memory
from mcusim.system.remembered import Remembered
from tests.approximate.networks import network, wanted

POINTS: list[dict[str, dict[str, Degree]]] = [
    {},
    {"channels": {"conv2d_4": 2}},
    {"channels": {"conv2d_4": 2, "dense_8": 4}},
    {"channels": {"conv2d_4": 2, "dense_8": 4}, "rows": {"conv2d_4": 4}},
    {"channels": {"conv2d_4": 4, "dense_8": 4}, "rows": {"conv2d_4": 4}},
    {"channels": {"conv2d_4": 2, "dense_8": 4}, "rows": {"conv2d_4": 4}},
    {"channels": {"dense_8": 4}, "rows": {"conv2d_1": 4}},
    {"channels": {"dense_8": 2}, "rows": {"conv2d_1": 4}},  # the same up to what is behind the readers
    {"dead_channels": {"conv2d_1": True}, "channels": {"conv2d_4": 2}},
]
WAYS = ({}, {"significance": "random", "seed": 1}, {"significance": "random", "seed": 2}, {"compensation": "bias"})


@pytest.mark.parametrize("most_bytes", [MOST_BYTES, 20_000])
def test_a_memory_changes_no_bit(most_bytes: int) -> None:
    graph, x = network()
    x = x[:20]
    memory = Memory(Remembered(most_bytes), Remembered(most_bytes))
    for told in WAYS:
        for layers in POINTS:
            own = approximated(graph, x, wanted(layers, **told))
            shared = approximated(graph, x, wanted(layers, **told), memory, "one")
            assert shared.notes == own.notes and shared.skipped == own.skipped
            np.testing.assert_array_equal(shared.run(x), own.run(x))


def test_of_another_origin_nothing_is_known() -> None:
    graph, x = network()
    x = x[:20]
    memory, layers = Memory(), wanted({"channels": {"conv2d_4": 4}})
    approximated(graph, x, layers, memory, "one")
    other = approximated(graph, x[:10] * 2, layers, memory, "two")
    np.testing.assert_array_equal(other.run(x), approximated(graph, x[:10] * 2, layers).run(x))
