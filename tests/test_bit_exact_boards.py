"""The same promise on emulated boards: a model that holds every layer on each core, smaller ones on every board."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import board_names, load_board
from mcusim.engines import host
from mcusim.engines.engine import Engine, numbers
from mcusim.engines.qemu import engine as qemu
from mcusim.graph import Graph
from mcusim.kernels.choice import ANYWHERE, Destination
from mcusim.kernels.memory import USUAL
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.line.store_unsigned import store_unsigned
from mcusim.numbers.factors import rescaling
from mcusim.numbers.numbers import Activation
from mcusim.system.arrays import Array
from mcusim.workloads.generated import make_firmware
from tests.every_board import board_with, one_of_each_core
from tests.graphs import Builder, mixture, several
from tests.jobs import run
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


@cache
def every_layer(data_type: str) -> tuple[Graph, Array]:
    """The zoo, and samples."""
    builder = zoo()
    x = builder.samples(24)
    x[16:] *= 1000
    return quantize(optimize(builder.graph()), x[:16], data_type, weights="rounded"), x


@pytest.fixture(params=board_names())
def board(request: pytest.FixtureRequest) -> Board:
    return board_with(request.param, "qemu")


@pytest.fixture(params=one_of_each_core("qemu"))
def core_board(request: pytest.FixtureRequest) -> Board:
    return load_board(request.param)


@pytest.fixture(scope="module")
def floats_of_the_host(tmp_path_factory: pytest.TempPathFactory) -> Array:
    graph, x = every_layer("float32")
    return run_on(host, load_board("nucleo_l452re_p"), graph, x, tmp_path_factory.mktemp("host"))


def run_on(
    engine: Engine, board: Board, graph: Graph, x: Array, folder: Path, destination: Destination = ANYWHERE
) -> Array:
    firmware = make_firmware(emit_library(lower(graph, destination)), engine.FACTS, board, folder / "build")
    execution = run(engine, firmware, board, graph.encode(x), folder / "run", jobs=2)
    assert execution.complete
    return numbers(execution.answers, graph.answer_dtype)


@pytest.mark.arm
@pytest.mark.parametrize("data_type", ["int8", "int16", "int9"])
def test_integers_on_every_core(tmp_path: Path, data_type: str, core_board: Board) -> None:
    graph, x = every_layer(data_type)
    np.testing.assert_array_equal(run_on(qemu, core_board, graph, x, tmp_path), graph.run(x))


@pytest.mark.arm
@pytest.mark.parametrize("data_type", ["int8", "int16", "float32"])
def test_chosen_kernels_give_the_bits_of_the_graph(
    tmp_path: Path, data_type: str, core_board: Board, floats_of_the_host: Array
) -> None:
    """Of float32 those of plain C, which the host has."""
    graph, x = every_layer(data_type)
    destination = Destination(core_board.chip.core, memory=USUAL)
    assert {step.kernel for step in lower(graph, destination).steps} >= {"plain", "rows"}
    expected = graph.run(x) if data_type != "float32" else floats_of_the_host
    np.testing.assert_array_equal(run_on(qemu, core_board, graph, x, tmp_path, destination), expected)


@pytest.mark.arm
@pytest.mark.parametrize("data_type", ["int8", "w8a16"])
def test_what_is_rescaled_once_on_every_core(tmp_path: Path, data_type: str, core_board: Board) -> None:
    """With the kernels of the board, and in plain C."""
    builder = zoo()
    x = builder.samples(8)
    with rescaling("single"):
        graph = quantize(optimize(builder.graph()), x, data_type, scheme="per-channel", weights="rounded")
    for name, destination in (("plain", ANYWHERE), ("chosen", Destination(core_board.chip.core, memory=USUAL))):
        answers = run_on(qemu, core_board, graph, x, tmp_path / name, destination)
        np.testing.assert_array_equal(answers, graph.run(x))


@pytest.mark.arm
def test_float32_gives_the_bits_of_the_host(tmp_path: Path, core_board: Board, floats_of_the_host: Array) -> None:
    graph, x = every_layer("float32")
    on_board = run_on(qemu, core_board, graph, x, tmp_path)
    np.testing.assert_array_equal(on_board, floats_of_the_host)
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
    np.testing.assert_array_equal(run_on(qemu, load_board("nucleo_l452re_p"), graph, x, tmp_path), graph.run(x))


@pytest.mark.arm
def test_several_inputs_outputs_and_widths_on_every_board(tmp_path: Path, board: Board) -> None:
    graph, x = several()
    widths = {graph.layers[index].name: (w, "per-layer") for index, w in {0: "int12", 7: "int16", 8: "int16"}.items()}
    for name, layers in (("one", {}), ("more", widths)):
        quantized = quantize(graph, x, "int8", layers=layers)
        assert len(lower(quantized).units) == (3 if layers else 1)
        answers = run_on(qemu, board, quantized, x, tmp_path / name)
        np.testing.assert_array_equal(answers, quantized.run(x))
        assert answers.dtype.names == ("gesture", "soft", "flat", "again")


@pytest.mark.arm
def test_several_inputs_and_outputs_in_float_give_the_bits_of_the_host(tmp_path: Path, board: Board) -> None:
    graph, x = several()
    on_board = run_on(qemu, board, graph, x, tmp_path / "board")
    np.testing.assert_array_equal(on_board, run_on(host, board, graph, x, tmp_path / "host"))


@pytest.mark.arm
def test_an_output_of_another_width_on_every_board(tmp_path: Path, board: Board) -> None:
    builder = Builder((6,))
    last = builder.dense(4)
    x = builder.samples()
    graph = quantize(builder.graph(), x, "int8", layers={last: ("int16", "per-layer")})
    np.testing.assert_array_equal(run_on(qemu, board, graph, x, tmp_path), graph.run(x))


@pytest.mark.arm
def test_layers_of_several_number_systems_on_every_board(tmp_path: Path, board: Board) -> None:
    """With the kernels of the board."""
    graph, x, own, _ = mixture()
    quantized = quantize(graph, x, "int8", scheme="per-channel", layers=own)
    assert len(lower(quantized).units) == 4
    np.testing.assert_array_equal(run_on(qemu, board, quantized, x[:8], tmp_path), quantized.run(x[:8]))


def limited(data_type: str) -> tuple[Graph, Array]:
    """Layers of many kinds, each with an activation between -1/2 and 1, and samples."""
    builder = Builder((9, 8), seed=3)
    start = builder.conv(8, 3, padding="same")
    builder.conv(8, 1)
    builder.depthwise(3, padding="same")
    product = builder.add("Multiply", builder.last.name, start)
    builder.add("Add", product, start)
    builder.add("MaxPooling1D", pool_size=2)
    builder.add("AveragePooling1D", pool_size=2)
    builder.add("Flatten")
    builder.dense(6)
    builder.add("ReLU")
    limits = Activation(relu=True, ceiling=1.0, floor=-0.5)
    layers = [replace(one, activation=limits) if hasattr(one, "activation") else one for one in builder.layers]
    graph, x = Graph(tuple(layers), "limited"), builder.samples(12)
    return store_unsigned(quantize(graph, x, data_type, scheme="per-layer")), x


@pytest.mark.arm
@pytest.mark.parametrize("data_type", ["int8", "int16", "float32"])
def test_activations_that_begin_below_0(tmp_path: Path, data_type: str) -> None:
    """Seed 120 of script/fuzz's boards: assembly cut them off at 0, and so did storage without a sign."""
    board = load_board("nucleo_l452re_p")
    graph, x = limited(data_type)
    expected = graph.run(x) if data_type != "float32" else run_on(host, board, graph, x, tmp_path / "host")
    assert (graph.decode(graph.run(x)) == -0.5).any()
    on_board = run_on(qemu, board, graph, x, tmp_path, Destination(board.chip.core, memory=USUAL))
    np.testing.assert_array_equal(on_board, expected)
