"""The same promise on the emulated boards: one model that holds every layer, every data type, both boards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import load_board
from mcusim.engines import host
from mcusim.engines.engine import Engine
from mcusim.engines.qemu import engine as qemu
from mcusim.graph import Graph
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers.power_of_two import Array
from mcusim.workloads.generated import make_firmware
from tests.graphs import Builder
from tests.jobs import run
from tests.layers.test_layers import CASES

SHAPES = {1: (72,), 2: (24, 3), 3: (6, 4, 3)}  # one input, seen as a vector, a series and an image
BOARDS = ("nucleo_l452re_p", "sparkfun_edge")


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


def run_on(engine: Engine, board_name: str, graph: Graph, x: Array, folder: Path) -> Array:
    board = load_board(board_name)
    firmware = make_firmware(emit_library(lower(graph)), engine.FACTS, board, folder / "build")
    execution = run(engine, firmware, board, graph.encode(x), folder / "run", jobs=2)
    assert execution.complete
    outputs: Array = execution.answers.view(graph.number_dtype)
    return outputs


@pytest.mark.arm
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("data_type", ["int8", "int16", "int9"])
def test_integers_on_both_boards(tmp_path: Path, data_type: str, board: str) -> None:
    builder = zoo()
    x = builder.samples(24)
    x[16:] *= 1000
    graph = quantize(optimize(builder.graph()), x[:16], data_type)
    np.testing.assert_array_equal(run_on(qemu, board, graph, x, tmp_path), graph.run(x))


@pytest.mark.arm
@pytest.mark.parametrize("board", BOARDS)
def test_float32_gives_the_bits_of_the_host(tmp_path: Path, board: str) -> None:
    builder = zoo()
    graph, x = optimize(builder.graph()), builder.samples(24)
    on_board = run_on(qemu, board, graph, x, tmp_path / "board")
    on_host = run_on(host, board, graph, x, tmp_path / "host")
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
    assert lower(graph).accumulator_bits == 64
    np.testing.assert_array_equal(run_on(qemu, BOARDS[0], graph, x, tmp_path), graph.run(x))
