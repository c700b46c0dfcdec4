"""Convolution in float32 by tiles: the bits of plain C for any shape, on the host and in QEMU, and what it costs."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.kernels import tiles
from mcusim.kernels.kernel import DEFAULT, Variant
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.measured import forced

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


def kernel_of(graph: Graph, variant: Variant = DEFAULT) -> list[str]:
    return [step.kernel for step in program_of(graph, forced(graph, tiles, variant)).steps]


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
