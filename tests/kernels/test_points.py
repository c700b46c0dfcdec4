"""Winograd's F(4,3) in float32: the same bits everywhere, near what is exact, and only where it is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.graph import Graph
from mcusim.kernels import points
from mcusim.kernels.choice import Destination
from mcusim.kernels.kernel import Variant
from mcusim.layers.convolution import Convolution
from mcusim.line.lower import lower, program_of
from mcusim.line.optimize import optimize
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.float32 import far_off, on_one_input, striped
from tests.kernels.measured import forced, measure


@st.composite
def convolutions(draw: st.DrawFn) -> Builder:
    """A layer 3 wide of any shape."""
    side, channels = st.integers(3, 19), draw(st.integers(1, 9))
    shape = (draw(side), channels) if draw(st.booleans()) else (draw(side), draw(side), channels)
    builder = Builder(shape, seed=draw(st.integers(0, 2**32 - 1)), spread=draw(st.sampled_from([1.0, 100.0])))
    padding, activation = draw(st.sampled_from(["same", "valid"])), draw(st.sampled_from(["linear", "relu", "relu6"]))
    builder.conv(draw(st.integers(1, 11)), 3, padding=padding, activation=activation)
    return builder


def exact(graph: Graph, x: Array) -> Array:
    """In float64."""
    (layer,) = [layer for layer in graph if isinstance(layer, Convolution)]
    taps = layer.taps(x.astype(np.float64), 1 << 40)
    assert taps is not None
    sums = taps[0] @ layer.kernel.astype(np.float64).reshape(len(layer.kernel), -1).T + layer.bias
    return layer.activation.apply(sums).reshape(len(x), -1)  # type: ignore[no-any-return]


@settings(max_examples=8)
@given(convolutions(), st.integers(1, 4), st.booleans())
def test_the_twin_is_as_near_as_it_says(builder: Builder, stripes: int, compact: bool) -> None:
    graph = optimize(builder.graph())
    x = builder.samples(3, scale=3.0)
    answers = run_compiled(graph, x, program=program_of(graph, forced(graph, points, Variant(stripes, compact))))
    (layer,) = [layer for layer in graph if isinstance(layer, Convolution)]
    error = np.abs(answers.reshape(len(x), -1) - exact(graph, x)).max()
    assert error <= points.largest_error(layer, float(np.abs(x).max()))


def test_the_bound_is_worth_something() -> None:
    builder = Builder((32, 16))
    builder.conv(16, 3)
    (layer,) = [layer for layer in optimize(builder.graph()) if isinstance(layer, Convolution)]
    assert 0 < points.largest_error(layer, 3.0) < 2e-3


def test_it_runs_only_where_it_is_named() -> None:
    builder = Builder((32, 16))
    builder.conv(16, 3)
    graph = optimize(builder.graph())
    assert [step.kernel for step in lower(graph, Destination("cortex-m4")).steps] == ["tiles"]
    for core in ("cortex-m4", None):
        named = lower(graph, Destination(core), KernelChoice(default=("points",)))
        assert [step.kernel for step in named.steps] == ["points"], "on the host, too: its bits are the board's"


GRID: list[tuple[tuple[int, ...], int, dict[str, object]]] = [
    ((128, 9), 16, {"padding": "same", "activation": "relu"}),
    ((72, 16), 16, {"padding": "same"}),
    ((36, 32), 12, {}),
    ((64, 18), 10, {"activation": "relu6"}),
    ((24, 48), 32, {"padding": "same"}),
    ((16, 24, 3), 8, {"padding": "same", "activation": "relu"}),
    ((12, 12, 8), 8, {"padding": "same"}),
    ((8, 9, 16), 17, {"activation": "relu"}),
    ((6, 6, 32), 16, {"padding": "same"}),
    ((24, 48, 1), 4, {}),
]


@pytest.mark.arm
@pytest.mark.parametrize(("board", "several"), [("nucleo_l452re_p", (1, 2, 3)), ("sparkfun_edge", (4, 1, 2))])
def test_bits_and_cost_on_boards(board: str, several: tuple[int, ...], tmp_path: Path) -> None:
    """The host's twin is what the bits have to be."""
    graph, x = on_one_input((shape, filters, 3, config) for shape, filters, config in GRID)
    chosen = striped(graph, points, several)
    measured = measure(graph, x, tmp_path, chosen, board)
    assert measured.answers.tobytes() == run_compiled(graph, x, program=measured.program).tobytes()
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"points"}
    wrong = far_off(graph, chosen, measured) if board == "nucleo_l452re_p" else []
    assert not wrong
