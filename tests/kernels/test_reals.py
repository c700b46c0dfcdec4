"""Real numbers become affine ones in assembly: bits, halves and what is no number, cost, and against plain C."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph, Layer, Output
from mcusim.kernels import lanes, plain
from mcusim.kernels.memory import USUAL
from mcusim.layers.convert import Convert
from mcusim.layers.input import Input
from mcusim.line.lower import program_of
from mcusim.numbers.affine import Affine, FromReals
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.kernels.measured import forced, measure

SHAPE = (7, 11)
NUMBERS = {
    "int8": [Affine(8, float(np.float32(scale)), zero) for scale, zero in ((0.07, 11), (1 / 255, -128), (1.0, 127))],
    "int16": [Affine(16, float(np.float32(scale)), 0) for scale in (0.003, 2.0**-15)],
}


def network(data_type: str) -> Graph:
    layers: list[Layer] = [Input(name="x", inputs=(), shape=SHAPE)]
    for index, numbers in enumerate(NUMBERS[data_type]):
        made = {"conversion": FromReals(numbers), "numbers": numbers}
        layers.append(Convert(name=f"q{index}", inputs=("x",), shape=SHAPE, **made))  # type: ignore[arg-type]
    outputs = tuple(Output(layer.name, layer.name) for layer in layers[1:])
    return Graph(tuple(layers), data_type=data_type, scheme="affine", outputs=outputs)


def samples(data_type: str) -> Array:
    """Halves of each scale and what is next to them, far beyond both ends, and any."""
    scales = [np.float32(numbers.scale) for numbers in NUMBERS[data_type]]
    halves = [scale * np.float32(whole + 0.5) for scale in scales for whole in (-129, -3, -2, -1, 0, 1, 7, 126)]
    ends = [0.0, -0.0, 1e-40, 3e38, -3e38, 7e4, -7e4]
    near = [np.nextafter(half, np.float32(way)) for half in halves for way in (-1e9, 1e9)]
    chosen = np.array([*ends, *halves, *near], np.float32)
    random = np.random.default_rng(0)
    x = random.uniform(-12, 12, (4, *SHAPE)).astype(np.float32)
    x[0].flat[: len(chosen)] = chosen[: x[0].size]
    x[1].flat[: len(chosen)] = chosen[::-1][: x[1].size]
    return x


@pytest.mark.parametrize("data_type", NUMBERS)
def test_on_the_host(data_type: str) -> None:
    graph, x = network(data_type), samples(data_type)
    compiled = run_compiled(graph, x, program=program_of(graph, forced(graph, lanes)))
    assert all(np.array_equal(compiled[name], graph.run(x)[name]) for name in compiled.dtype.names)


@pytest.mark.arm
@pytest.mark.parametrize("data_type", NUMBERS)
def test_on_the_board(data_type: str, tmp_path: Path) -> None:
    graph, x = network(data_type), samples(data_type)
    ours = measure(graph, x, tmp_path / "ours", forced(graph, lanes))
    plainly = measure(graph, x, tmp_path / "plain", forced(graph, plain))
    wanted = graph.run(x)
    assert all(np.array_equal(ours.answers[name].ravel(), wanted[name].ravel()) for name in wanted.dtype.names)
    for step in ours.program.steps:
        layer, cycles = graph[step.name], ours.cycles[step.name]
        divides = np.frexp(layer.numbers.scale)[0] != 0.5  # type: ignore[union-attr]
        assert step.kernel == "lanes" and cycles < (0.6 if divides else 0.75) * plainly.cycles[step.name]
        assert lanes.cost(layer, graph.inputs_of(layer), memory=USUAL) == pytest.approx(cycles, rel=0.05)
        if divides:
            assert plain.cost(layer, graph.inputs_of(layer)) == pytest.approx(plainly.cycles[step.name], rel=0.1)
