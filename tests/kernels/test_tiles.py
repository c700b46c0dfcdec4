"""Convolution in float32 by tiles: the bits of plain C for any shape, on the host and in QEMU, and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.kernels import tiles
from mcusim.kernels.kernel import Variant
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.float32 import Convolved, extreme_samples, far_off, on_one_input, same, striped
from tests.kernels.measured import forced, measure


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


GRID: list[Convolved] = [
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
    ((36, 32), 76, 1, {"activation": "relu"}),
    ((72, 1, 16), 6, 1, {"strides": 3}),
    ((24, 48, 1), 4, 5, {"strides": 2, "activation": "relu"}),
]


@pytest.mark.arm
@pytest.mark.parametrize(("board", "most"), [("nucleo_l452re_p", 1), ("nucleo_l452re_p", 3), ("sparkfun_edge", 2)])
def test_bits_and_cost_on_boards(board: str, most: int, tmp_path: Path) -> None:
    graph, x = on_one_input(GRID)
    chosen = striped(graph, tiles, most)
    measured = measure(graph, x, tmp_path, chosen, board)
    assert measured.answers.tobytes() == run_compiled(graph, x).tobytes()
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"tiles"}
    wrong = far_off(graph, chosen, measured) if board == "nucleo_l452re_p" else []
    assert not wrong
