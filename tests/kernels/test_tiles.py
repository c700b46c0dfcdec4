"""Convolution in float32 by tiles: the bits of plain C for any shape, on the host and in QEMU, and what it costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph, Output
from mcusim.kernels import tiles
from mcusim.kernels.kernel import Variant
from mcusim.line.lower import Chosen, program_of
from mcusim.line.optimize import optimize
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.measured import forced, measure

EXTREMES = (0.0, -0.0, 1e-42, 3e38, -3e38)  # sums become infinite, and those of the next layer NaN
WITHIN = 0.05


def same(x: Array, y: Array) -> bool:
    """Bit for bit, but that a NaN is a NaN."""
    bits = x.view(np.uint32) == y.view(np.uint32)
    return bool(np.all(bits | (np.isnan(x) & np.isnan(y))))


def extreme_samples(builder: Builder) -> Array:
    """An ordinary one, one with a few numbers of EXTREMES, and one full of them."""
    x = builder.samples(3)
    shares = np.array([0, 0.02, 0.5]).reshape(-1, *[1] * (x.ndim - 1))
    return np.where(builder.random.random(x.shape) < shares, builder.random.choice(EXTREMES, x.shape), x).astype(
        x.dtype
    )


@st.composite
def convolutions(draw: st.DrawFn) -> Builder:
    """A layer of any shape, and a pointwise one."""
    side = st.integers(1, 14)
    shape = (draw(side), draw(st.integers(1, 11)))
    shape = shape if draw(st.booleans()) else (draw(side), *shape)  # type: ignore[assignment]
    builder = Builder(shape, seed=draw(st.integers(0, 2**32 - 1)), spread=draw(st.sampled_from([1.0, 0.0, 1e20])))
    most = min(shape[:-1])
    size = draw(st.integers(1, min(5, most)))
    padding, activation = draw(st.sampled_from(["same", "valid"])), draw(st.sampled_from(["linear", "relu", "relu6"]))
    if len(shape) == 3 and draw(st.booleans()):
        builder.add("ZeroPadding2D", padding=draw(st.sampled_from([((0, 1), (2, 0)), ((1, 0), (0, 1))])))
    strides = draw(st.integers(1, 3))
    builder.conv(draw(st.integers(1, 17)), size, strides=strides, padding=padding, activation=activation)
    builder.conv(draw(st.integers(1, 6)), 1, activation=draw(st.sampled_from(["linear", "relu", "relu6"])))
    return builder


@settings(max_examples=10)
@given(convolutions(), st.integers(1, 4))
def test_the_twin_has_the_bits_of_plain_c(builder: Builder, stripes: int) -> None:
    graph = optimize(builder.graph())
    x = extreme_samples(builder)
    program = program_of(graph, forced(graph, tiles, Variant(stripes)))
    assert same(run_compiled(graph, x, program=program), run_compiled(graph, x))


ELEMENTS = 1152  # of the only input, which every layer sees in a shape of its own
GRID: list[tuple[tuple[int, ...], int, int, dict[str, object]]] = [
    ((128, 9), 16, 3, {"padding": "same", "activation": "relu"}),
    ((72, 16), 16, 3, {"padding": "same"}),
    ((72, 16), 16, 1, {}),
    ((72, 16), 12, 5, {"padding": "same", "strides": 2, "activation": "relu6"}),
    ((36, 32), 10, 7, {"padding": "same", "activation": "relu"}),
    ((128, 9), 1, 3, {}),
    ((1152, 1), 2, 9, {"strides": 4}),
    ((9, 128), 11, 3, {"padding": "same"}),
    ((4, 288), 8, 3, {"padding": "same"}),
    ((2, 576), 9, 1, {"activation": "relu"}),
    ((16, 24, 3), 8, 3, {"padding": "same", "activation": "relu"}),
    ((12, 12, 8), 8, 3, {"padding": "same"}),
    ((12, 12, 8), 7, 3, {"padding": "same", "strides": 2, "activation": "relu"}),
    ((12, 12, 8), 16, 1, {"strides": 2}),
    ((12, 12, 8), 8, 5, {"padding": "same"}),
    ((8, 9, 16), 17, 3, {"activation": "relu"}),
    ((3, 4, 96), 24, 3, {"padding": "same"}),
    ((2, 2, 288), 6, 2, {"padding": "same"}),
    ((1, 72, 16), 5, 1, {}),
    ((72, 1, 16), 6, 1, {"strides": 3}),
    ((24, 48, 1), 4, 5, {"strides": 2, "activation": "relu"}),
]


def grid(kernel_count: int = len(GRID)) -> tuple[Graph, Array]:
    """All layers of GRID side by side."""
    builder, ends = Builder((ELEMENTS,), seed=5), []
    for shape, filters, size, settings_ in GRID[:kernel_count]:
        builder.add("Reshape", "input", target_shape=shape)
        ends.append(builder.conv(filters, size, **settings_))
    outputs = tuple(Output(f"y{index}", name) for index, name in enumerate(ends))
    return optimize(Graph(tuple(builder.layers), "grid", outputs=outputs)), builder.samples(2)


def variants_of(graph: Graph, most: int) -> dict[str, Chosen]:
    """The variant of as many stripes as there are, but `most`, wherever the kernel fits."""
    chosen = forced(graph, tiles)
    for name, (kernel, _) in chosen.items():
        if kernel is tiles:
            layer = graph[name]
            several = tiles.variants(layer, graph.inputs_of(layer))
            chosen[name] = kernel, several[min(most, len(several)) - 1]
    return chosen


@pytest.mark.arm
@pytest.mark.parametrize(
    ("board", "wait_states", "most"), [("nucleo_l452re_p", 2, 1), ("nucleo_l452re_p", 2, 3), ("sparkfun_edge", 0, 2)]
)
def test_bits_and_cost_on_boards(board: str, wait_states: int, most: int, tmp_path: Path) -> None:
    graph, x = grid()
    chosen = variants_of(graph, most)
    measured = measure(graph, x, tmp_path, chosen, board)
    assert measured.answers.tobytes() == run_compiled(graph, x).tobytes()
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"tiles"}
    if wait_states == 0:
        return  # Apollo3 has wait states of another kind
    wrong = []
    for name, (kernel, variant) in chosen.items():
        layer = graph[name]
        cost = kernel.cost(layer, graph.inputs_of(layer), variant, wait_states)
        ratio = cost / measured.cycles[name]
        print(f"{name} {layer.input_shape} {variant}: {measured.cycles[name]:.0f}, {ratio - 1:+.1%}")
        wrong += [name] if abs(ratio - 1) > WITHIN else []
    assert not wrong
