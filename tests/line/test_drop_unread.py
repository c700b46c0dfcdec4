"""Positions that pools discard: left out of the graph, and no answer changes, whatever kernel runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph, Output, Shape
from mcusim.kernels import KERNELS
from mcusim.kernels.choice import Destination
from mcusim.kernels.kernel import Kernel
from mcusim.kernels.memory import USUAL
from mcusim.layers.input import Input
from mcusim.line.drop_unread import drop_unread
from mcusim.line.lower import options_of, program_of
from mcusim.line.optimize import merge_pairs, merge_relu, optimize
from mcusim.line.quantize import quantize
from mcusim.line.select import select
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.measured import forced, measure

TYPES = ("int8", "int16", "float32")
# input, filters, window, stride, padding, groups, pool's size, its stride
CASES = (
    ((13, 12, 4), 8, 3, 1, "valid", 1, 2, 2),
    ((11, 11, 3), 6, 3, 1, "same", 1, 2, 2),
    ((11, 13, 8), 4, 1, 1, "same", 1, 3, 3),
    ((17, 15, 4), 4, 3, 2, "same", 1, 3, 3),
    ((14, 14, 4), 4, 5, 1, "same", 1, 4, 4),
    ((10, 10, 8), 8, 3, 1, "valid", 8, 3, 3),
    ((10, 9, 6), 6, 3, 1, "same", 2, 5, 2),
    ((43, 4), 6, 3, 1, "same", 1, 4, 4),
    ((37, 8), 8, 5, 2, "valid", 1, 2, 2),
    ((29, 8), 4, 1, 1, "same", 1, 3, 3),
    ((26, 4), 4, 3, 1, "same", 4, 4, 4),
)


def network() -> tuple[Graph, Array]:
    """All cases side by side; max and average pools in turn."""
    builder = Builder(CASES[0][0])
    outputs, inputs = [], [builder.last]
    for index, (shape, filters, window, stride, padding, groups, size, step) in enumerate(CASES):
        if index:
            inputs.append(Input(name=f"input_{index}", inputs=(), shape=shape))
            builder.layers.append(inputs[-1])
        builder.conv(filters, window, groups=groups, strides=stride, padding=padding, activation="relu")
        kind = ("MaxPooling", "AveragePooling")[index % 2]
        outputs.append(Output(f"out{index}", builder.add(f"{kind}{len(shape) - 1}D", pool_size=size, strides=step)))
    graph = Graph(tuple(builder.layers), outputs=tuple(outputs))
    x = records_of({one.name: builder.random.normal(size=(2, *one.shape)).astype(np.float32) for one in inputs})
    return merge_pairs(graph, merge_relu), x


def whole_and_read(data_type: str) -> tuple[Graph, Graph, Array]:
    """The same numbers in both, as scales are chosen before."""
    graph, x = network()
    whole = graph if data_type == "float32" else quantize(graph, x, data_type)
    read = drop_unread(whole)
    assert read.macs < whole.macs
    return whole, read, x


def same(first: Array, second: Array) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first.dtype.names or ())


@pytest.mark.parametrize("data_type", TYPES)
def test_the_answers_stay(data_type: str) -> None:
    whole, read, x = whole_and_read(data_type)
    if data_type != "float32":
        assert same(whole.run(x), read.run(x))
    assert same(run_compiled(whole, x), run_compiled(read, x))


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize("kernel", KERNELS[1:], ids=lambda kernel: kernel.NAME)
def test_the_answers_stay_with_every_kernel(kernel: Kernel, data_type: str) -> None:
    whole, read, x = whole_and_read(data_type)
    chosen = forced(read, kernel)
    if getattr(kernel, "OPT_IN", False) or not any(one is kernel for one, _ in chosen.values()):
        pytest.skip("it runs none of them")
    assert same(run_compiled(whole, x), run_compiled(read, x, program=program_of(read, chosen)))


@pytest.mark.parametrize("data_type", TYPES)
def test_on_the_board(data_type: str, tmp_path: Path) -> None:
    _, read, x = whole_and_read(data_type)
    selected = select(read, options_of(read, Destination("cortex-m4", USUAL)))
    chosen = {name: (option.kernel, option.variant) for name, option in selected.items()}
    answers = measure(read, x, tmp_path, chosen).answers
    assert same(answers, run_compiled(read, x))


def shapes(builder: Builder) -> list[Shape]:
    return [layer.shape for layer in optimize(builder.graph())]


def test_windows_end_where_the_pool_does() -> None:
    builder = Builder((13, 13, 2))
    builder.conv(4)
    builder.add("MaxPooling2D")
    assert shapes(builder) == [(13, 13, 2), (10, 10, 4), (5, 5, 4)]


def test_what_is_left_out_reaches_back() -> None:
    """28 -> 26 -> 13 -> 11 of which a pool reads 10, so that 12 of the first pool's 13 are enough, and 24 of 26."""
    builder = Builder((28, 28, 1))
    builder.conv(4)
    builder.add("MaxPooling2D")
    builder.conv(4)
    builder.add("MaxPooling2D")
    assert shapes(builder) == [(28, 28, 1), (24, 24, 4), (12, 12, 4), (10, 10, 4), (5, 5, 4)]


def test_rows_that_lie_on_padding_stay() -> None:
    """`same`: the last window of the pool hangs over, so that nothing is left out."""
    builder = Builder((11, 11, 2))
    builder.conv(4, padding="same")
    builder.add("MaxPooling2D", padding="same")
    assert shapes(builder)[1:] == [(11, 11, 4), (6, 6, 4)]


def test_what_another_layer_reads_stays() -> None:
    builder = Builder((11, 2))
    start = builder.conv(4, padding="same")
    pooled = builder.add("MaxPooling1D", pool_size=4)
    more = builder.add("MaxPooling1D", start, pool_size=3)
    builder.add("GlobalMaxPooling1D", start)
    assert shapes(builder)[1] == (11, 4)
    graph = Graph(tuple(builder.layers[:-1]), outputs=(Output("a", pooled), Output("b", more)))
    assert drop_unread(graph)[start].shape == (9, 4)  # 8 and 9 are read


def test_an_output_of_the_model_stays_whole() -> None:
    builder = Builder((11, 2))
    start = builder.conv(4, padding="same")
    pooled = builder.add("MaxPooling1D", pool_size=4)
    graph = Graph(tuple(builder.layers), outputs=(Output("a", pooled), Output("b", start)))
    assert drop_unread(graph)[start].shape == (11, 4)


def test_columns_of_single_taps_stay() -> None:
    """Kernels take a map of theirs for one row."""
    builder = Builder((11, 11, 2))
    builder.conv(4, 1)
    builder.add("MaxPooling2D")
    assert shapes(builder)[1] == (10, 11, 4)
