"""The same promise on the emulated boards: one model that holds every layer, every data type, every board."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names, load_board
from mcusim.engines import host
from mcusim.engines.engine import Execution
from mcusim.engines.qemu import engine as qemu
from mcusim.graph import Graph
from mcusim.line.build import build
from mcusim.line.emit import emit_library
from mcusim.line.emit_firmware import emit_for
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from tests.every_board import board_with
from tests.graphs import Builder
from tests.layers.test_layers import CASES

SHAPES = {1: (72,), 2: (24, 3), 3: (6, 4, 3)}  # one input, seen as a vector, a series and an image


def zoo() -> Builder:
    """All cases of the layer tests side by side on one input, joined at the end."""
    builder = Builder(SHAPES[1], seed=5)
    ends = []
    for shape, make in CASES.values():
        builder.add("Reshape", "input", target_shape=SHAPES[len(shape)])
        make(builder)
        ends.append(builder.add("Flatten"))
    while len(ends) > 1:
        groups = [ends[start : start + 8] for start in range(0, len(ends), 8)]
        ends = [builder.add("Concatenate", *group) if len(group) > 1 else group[0] for group in groups]
    builder.dense(10)
    return builder


@pytest.fixture(params=board_names())
def board(request: pytest.FixtureRequest) -> Board:
    return board_with(request.param, "qemu")


def run_on(engine: ModuleType, board: Board, graph: Graph, x: Array, folder: Path) -> Execution:
    sources = emit_for(engine.NAME, emit_library(lower(graph)), board)
    firmware = build(sources, board, folder / "build", host=engine is host)
    inputs = graph.encode(x)
    execution = engine.run(
        firmware, board, inputs, graph.output.dtype, graph.output.elements, folder=folder / "run", jobs=2
    )
    assert isinstance(execution, Execution) and execution.complete
    return execution


@pytest.mark.arm
@pytest.mark.parametrize("data_type", ["int8", "int16", "int9"])
def test_integers_on_every_board(tmp_path: Path, data_type: str, board: Board) -> None:
    builder = zoo()
    x = builder.samples(24)
    x[16:] *= 1000
    graph = quantize(optimize(builder.graph()), x[:16], data_type)
    np.testing.assert_array_equal(run_on(qemu, board, graph, x, tmp_path).outputs, graph.run(x))


@pytest.mark.arm
def test_float32_gives_the_bits_of_the_host(tmp_path: Path, board: Board) -> None:
    builder = zoo()
    graph, x = optimize(builder.graph()), builder.samples(24)
    on_board = run_on(qemu, board, graph, x, tmp_path / "board").outputs
    on_host = run_on(host, board, graph, x, tmp_path / "host").outputs
    np.testing.assert_array_equal(on_board, on_host)
    np.testing.assert_allclose(on_board, graph.run(x), rtol=1e-3, atol=1e-4)


@pytest.mark.arm
def test_wide_accumulators_on_a_board(tmp_path: Path) -> None:
    builder = Builder((16, 8), spread=600.0)
    builder.conv(8, 3, padding="same")
    builder.add("Flatten")
    builder.dense(4)
    x = builder.samples(12, scale=8.0)
    graph = quantize(builder.graph(), x, "int16", scheme="per-network", fraction=9)
    assert lower(graph).unit.accumulator_bits == 64
    np.testing.assert_array_equal(run_on(qemu, load_board("nucleo_l452re_p"), graph, x, tmp_path).outputs, graph.run(x))
