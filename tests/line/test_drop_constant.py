"""Dead filters: what they make is the same for all inputs, so that nothing behind them needs it, and no bit changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph, Layer, Output, Shape
from mcusim.kernels.choice import Destination
from mcusim.kernels.memory import USUAL
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.input import Input
from mcusim.layers.planes import NO_PADDING
from mcusim.layers.pooling import AveragePooling, MaxPooling
from mcusim.layers.reshape import Reshape
from mcusim.line.drop_constant import drop_constant
from mcusim.line.lower import lower
from mcusim.line.store_unsigned import store_unsigned
from mcusim.numbers import affine
from mcusim.numbers.affine import Affine, Scaled
from mcusim.numbers.factors import twice
from mcusim.numbers.numbers import LINEAR, RELU
from mcusim.system.arrays import Array
from tests.compiled import run_compiled

NUMBERS = Affine(8, 0.1, -128)
SIZE = 6
MEAN = affine.averaging(NUMBERS, SIZE * SIZE // 4)


class Network:
    """Layers one after the other. Filters in `dead` have no weights; `bias`: of those, 0 for what stands for 0."""

    def __init__(self, seed: int, channels: int = 5, *, per_channel: bool = True) -> None:
        self.random = np.random.default_rng(seed)
        self.per_channel = per_channel
        self.layers: list[Layer] = [Input(name="x", inputs=(), shape=(SIZE, SIZE, channels), numbers=NUMBERS)]

    @property
    def last(self) -> Layer:
        return self.layers[-1]

    def _weights(self, shape: Shape, dead: list[int], bias: int, **own: object) -> dict[str, object]:
        count = shape[0]
        kernel = self.random.integers(-127, 128, shape).astype(np.int8)
        kernel[dead] = 0
        start = self.random.integers(-2000, 2000, count)
        start[dead] = bias
        ratios = self.random.uniform(0.001, 0.02, count if self.per_channel else 1).tolist()
        made = affine.weighted_sum(
            kernel, start, Scaled(8, (1.0,) * len(ratios)), NUMBERS, NUMBERS, twice(ratios), fold=True
        )
        return {**vars(made), "zero": NUMBERS.zero, **own}

    def conv(self, name: str, filters: int, size: int, dead: list[int], bias: int = 0, source: str = "") -> None:
        entry = next((one for one in self.layers if one.name == source), self.last)
        padding = ((size // 2,) * 2,) * 2 if size > 1 else NO_PADDING
        weights = self._weights((filters, size, size, entry.shape[-1]), dead, bias, activation=RELU, padding=padding)
        shape = (SIZE, SIZE, filters)
        self.layers.append(
            Convolution(name=name, inputs=(entry.name,), shape=shape, input_shape=entry.shape, **weights)
        )  # type: ignore[arg-type]

    def depthwise(self, name: str, dead: list[int], bias: int = 0) -> None:
        entry, count = self.last, self.last.shape[-1]
        weights = self._weights((count, 3, 3, 1), dead, bias, activation=RELU, padding=((1, 1), (1, 1)))
        shapes = {"shape": entry.shape, "input_shape": entry.shape, "groups": count}
        self.layers.append(Convolution(name=name, inputs=(entry.name,), **shapes, **weights))  # type: ignore[arg-type]

    def pools(self) -> None:
        shape, count = self.last.shape, self.last.shape[-1]
        halves = {"size": (2, 2), "strides": (2, 2), "padding": NO_PADDING, "numbers": NUMBERS}
        half = (SIZE // 2, SIZE // 2, count)
        self.layers.append(MaxPooling(name="max", inputs=(self.last.name,), shape=half, input_shape=shape, **halves))  # type: ignore[arg-type]
        whole = {"size": half[:2], "strides": half[:2], "padding": NO_PADDING, "numbers": NUMBERS}
        self.layers.append(
            AveragePooling(name="mean", inputs=("max",), shape=(1, 1, count), input_shape=half, averaging=MEAN, **whole)  # type: ignore[arg-type]
        )
        self.layers.append(Reshape(name="flat", inputs=("mean",), shape=(count,), numbers=NUMBERS))

    def dense(self, units: int) -> None:
        weights = self._weights((units, self.last.shape[-1]), [], 0, activation=LINEAR)
        self.layers.append(Dense(name="dense", inputs=(self.last.name,), shape=(units,), **weights))  # type: ignore[arg-type]

    def graph(self, *outputs: str) -> Graph:
        return Graph(tuple(self.layers), "dead", "int8", "affine", outputs=tuple(Output(one, one) for one in outputs))

    def samples(self, count: int = 12) -> Array:
        q = self.random.integers(-128, 128, (count, *self.layers[0].shape))
        q[0], q[1] = -128, 127
        return NUMBERS.decode(q)


def usual(seed: int = 0, *, per_channel: bool = True, bias: int = 0) -> Network:
    made = Network(seed, per_channel=per_channel)
    made.conv("a", 16, 3, [0, 1, 4, 5, 6, 9, 12], bias)
    made.depthwise("b", [2], bias)
    made.conv("c", 12, 1, [0, 3, 7, 8, 11], 0)
    made.conv("d", 12, 3, [1, 2, 3, 4, 5])
    made.pools()
    made.dense(4)
    return made


@pytest.mark.parametrize("per_channel", [True, False])
def test_what_is_dead_is_gone_all_the_way(per_channel: bool) -> None:
    made = usual(per_channel=per_channel)
    whole, x = made.graph(), made.samples()
    graph = drop_constant(whole)
    # of 16 filters 7 are dead, and of one more the depthwise one behind it; 8 are left
    assert [graph[name].shape[-1] for name in "abcd"] == [8, 8, 8, 8]
    assert [graph[name].shape for name in ("max", "mean", "flat", "dense")] == [(3, 3, 8), (1, 1, 8), (8,), (4,)]
    assert graph.notes[-1].startswith("24 filters give")
    np.testing.assert_array_equal(graph.run(x), whole.run(x))


@pytest.mark.parametrize("stored", [False, True])
def test_generated_code_says_the_same(stored: bool) -> None:
    made = usual(1)
    whole, x = made.graph(), made.samples()
    graph = store_unsigned(drop_constant(whole)) if stored else drop_constant(whole)
    assert graph.macs < 0.6 * whole.macs
    compiled = run_compiled(graph, x, program=lower(graph, Destination("cortex-m4", USUAL)))
    np.testing.assert_array_equal(compiled, whole.run(x))


def test_edges_see_zeros_in_place_of_other_constants() -> None:
    """A constant that does not stand for 0 goes into a bias where no padding is seen, and stays where it is."""
    made = usual(2, bias=30000)
    whole, x = made.graph(), made.samples()
    assert (whole.run(x) != drop_constant(usual(2).graph()).run(x)).any()  # 30000 matters
    graph = drop_constant(whole)
    assert graph["a"].shape[-1] == 16  # the window of "b" sees what lies around
    assert graph["c"].shape[-1] == 8
    np.testing.assert_array_equal(graph.run(x), whole.run(x))


def test_what_others_read_stays() -> None:
    made = Network(3)
    made.conv("a", 8, 1, [0, 1, 2, 3, 4])
    made.conv("b", 8, 1, [])
    made.conv("c", 8, 1, [0, 1, 2, 3, 4, 5, 6, 7])
    x = made.samples()
    for outputs in (("a", "c"), ("c",)):
        whole = made.graph(*outputs)
        graph = drop_constant(whole)
        assert graph["c"].shape[-1] == 8
        assert graph["a"].shape[-1] == (8 if "a" in outputs else 4)
        for one, other in zip(np.atleast_1d(graph.run(x)), np.atleast_1d(whole.run(x)), strict=True):
            assert (one == other).all()


def test_channels_that_nobody_reads_go_as_well() -> None:
    made = Network(4)
    made.conv("a", 8, 1, [])
    made.conv("b", 4, 3, [])
    whole = made.graph()
    unread = whole["b"]
    assert isinstance(unread, Convolution)
    kernel = unread.kernel.copy()
    kernel[..., [1, 2, 5]] = 0
    layers = (*whole.layers[:-1], replace(unread, kernel=kernel))
    whole = replace(whole, layers=layers)
    graph = drop_constant(whole)
    assert graph["a"].shape[-1] == 8  # five are left, which are taken by fours
    kernel[..., 6] = 0
    whole = replace(whole, layers=(*layers[:-1], replace(unread, kernel=kernel)))
    graph, x = drop_constant(whole), made.samples()
    assert graph["a"].shape[-1] == 4
    np.testing.assert_array_equal(graph.run(x), whole.run(x))


def test_a_graph_without_any_is_the_same_object() -> None:
    made = Network(5)
    made.conv("a", 8, 3, [])
    made.depthwise("b", [])
    whole = made.graph()
    assert drop_constant(whole) is whole


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 9999),
    bias=st.sampled_from([0, 0, 700, 30000, -5]),
    dead=st.lists(st.sets(st.integers(0, 7)), min_size=4, max_size=4),
    sizes=st.lists(st.sampled_from([1, 3]), min_size=2, max_size=2),
)
def test_any_dead_filters(seed: int, bias: int, dead: list[set[int]], sizes: list[int]) -> None:
    made = Network(seed, channels=3, per_channel=bool(seed % 2))
    a, b, c, d = (sorted(one) for one in dead)
    made.conv("a", 8, sizes[0], a, bias)
    made.depthwise("b", b, bias)
    made.conv("c", 8, sizes[1], c, bias)
    made.depthwise("d", d, bias)
    made.pools()
    made.dense(3)
    whole, x = made.graph(), made.samples(6)
    np.testing.assert_array_equal(drop_constant(whole).run(x), whole.run(x))
