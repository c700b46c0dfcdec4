"""Points of an exploration share steps: what is remembered is what would be made again, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.approximate import approximated, moments, rows
from mcusim.approximate.approximation import MOST_BYTES, Degree, Memory
from mcusim.system.kept_files import KeptArrays, KeptFiles
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


def test_what_another_process_has_learned_is_not_learned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers are others in each process, and points come in another order: what they hold is the same."""
    (graph, x), (again, _) = network(), network()
    x = x[:20]

    def process(given: str = "a model") -> Memory:
        return Memory(numbers=KeptArrays(KeptFiles(tmp_path, ".learned", 2**20), given))

    first, points = process(), [(layers, told) for told in WAYS for layers in POINTS]
    alone = [approximated(graph, x, wanted(layers, **told), first, "one") for layers, told in points]
    with monkeypatch.context() as patched:
        patched.delattr(moments.Pairs, "moments")
        patched.delattr(rows, "_seen")
        second = process()
        for (layers, told), own in reversed(list(zip(points, alone, strict=True))):
            made = approximated(again, x, wanted(layers, **told), second, "one")
            assert made.notes == own.notes and made.skipped == own.skipped
            np.testing.assert_array_equal(made.run(x), own.run(x))
        for memory, origin in ((process(), "two"), (process("another model"), "one")):
            with pytest.raises(AttributeError, match="moments"):
                approximated(again, x, wanted(POINTS[1]), memory, origin)
