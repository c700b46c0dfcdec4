"""Convolution in float32 whose windows are gathered: the bits of plain C on host and boards, and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.kernels import gather
from mcusim.kernels.kernel import Variant
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.float32 import Convolved, extreme_samples, far_off, on_one_input, same, striped
from tests.kernels.measured import forced, measure


@st.composite
def convolutions(draw: st.DrawFn) -> Builder:
    """A layer of any shape, dilation and number of groups."""
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    side = st.integers(1, 12)
    shape = (draw(side), groups * draw(st.integers(4 if groups > 1 else 1, 6)))
    shape = shape if draw(st.booleans()) else (draw(side), *shape)  # type: ignore[assignment]
    builder = Builder(shape, seed=draw(st.integers(0, 2**32 - 1)), spread=draw(st.sampled_from([1.0, 1e20])))
    padding = draw(st.sampled_from(["same", "valid"]))
    size = draw(st.integers(1, 4 if padding == "same" else min(4, *shape[:-1])))
    most = 3 if padding == "same" else max(1, (min(shape[:-1]) - 1) // max(1, size - 1))
    config = {"padding": padding, "activation": draw(st.sampled_from(["linear", "relu", "relu6"]))}
    if draw(st.booleans()):
        config["dilation_rate"] = draw(st.integers(1, min(3, most)))
    else:
        config["strides"] = draw(st.integers(1, 3))
    builder.conv(groups * draw(st.integers(1, 7)), size, groups=groups, **config)
    return builder


@settings(max_examples=10)
@given(convolutions(), st.integers(1, 4))
def test_the_twin_has_the_bits_of_plain_c(builder: Builder, stripes: int) -> None:
    graph = optimize(builder.graph())
    x = extreme_samples(builder)
    program = program_of(graph, forced(graph, gather, Variant(stripes)))
    assert [step.kernel for step in program.steps] == ["gather"]
    assert same(run_compiled(graph, x, program=program), run_compiled(graph, x))


GRID: list[Convolved] = [
    ((72, 16), 16, 3, {"padding": "same", "dilation_rate": 2}),
    ((72, 16), 16, 3, {"padding": "same", "groups": 2, "activation": "relu"}),
    ((128, 9), 6, 5, {"dilation_rate": 4}),
    ((64, 18), 9, 5, {"padding": "same", "groups": 3}),
    ((12, 12, 8), 12, 3, {"padding": "same", "dilation_rate": 3}),
    ((12, 12, 8), 8, 3, {"padding": "same", "groups": 2}),
    ((3, 4, 96), 12, 3, {"padding": "same", "groups": 3}),
    ((12, 12, 8), 8, 3, {"padding": "same"}),
    ((24, 48, 1), 5, 3, {"strides": 2, "activation": "relu6"}),
    ((2, 2, 288), 7, 2, {"padding": "same"}),
]


@pytest.mark.arm
@pytest.mark.parametrize(("board", "most"), [("nucleo_l452re_p", 1), ("nucleo_l452re_p", 3), ("sparkfun_edge", 2)])
def test_bits_and_cost_on_boards(board: str, most: int, tmp_path: Path) -> None:
    graph, x = on_one_input(GRID)
    chosen = striped(graph, gather, most)
    measured = measure(graph, x, tmp_path, chosen, board)
    assert measured.answers.tobytes() == run_compiled(graph, x).tobytes()
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"gather"}
    wrong = far_off(graph, chosen, measured) if board == "nucleo_l452re_p" else []
    assert not wrong
