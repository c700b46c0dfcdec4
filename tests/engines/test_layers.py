"""Cycles by layer: the firmware reads the counter between layers, where that is asked for, and nowhere else."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.engines.engine import Execution, records
from mcusim.engines.hardware.layers import SYMBOL, read_layers
from mcusim.graph import Graph
from mcusim.line.build import Firmware
from mcusim.line.emit import LAYER_MARKS, emit_library
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from mcusim.line.sources import Sources
from mcusim.system.arrays import Array
from mcusim.workloads.generated import emit_firmware, make_firmware
from tests.engines.probe.test_stubs import in_qemu, port, qemu, renode, run_at  # noqa: F401
from tests.engines.serial.conftest import Rig, rig  # noqa: F401
from tests.engines.serial.test_engine import over
from tests.graphs import Builder

SAMPLES = 12
PROBE, SERIAL = ENGINES["probe"], ENGINES["serial"]


@functools.cache
def model() -> tuple[Graph, Array]:
    """A long layer, then a short one."""
    builder = Builder((96,), seed=3)
    for units, before in ((64, 96), (4, 64)):
        builder.add(
            "Dense", units=units, arrays=(builder.weights(before, units, fan_in=before), np.zeros(units, np.float32))
        )
    graph = quantize(builder.graph(), builder.samples(), "int8")
    return graph, builder.random.normal(size=(SAMPLES, 96)).astype(np.float32)


def encoded() -> Array:
    graph, x = model()
    return graph.encode(x)


@functools.cache
def library(*, marks: bool) -> Sources:
    return emit_library(lower(model()[0]), marks=marks)


def test_who_does_not_ask_gets_what_he_always_got(nucleo: Board) -> None:
    """Down to the last byte of C: but for lines with marks, both are alike."""
    for engine in (PROBE, SERIAL):
        plain, marked = (emit_firmware(library(marks=marks), engine.FACTS, nucleo).files for marks in (False, True))
        assert set(marked) - set(plain) == {LAYER_MARKS, "harness/layers.c", "harness/layers.h"}
        for name, text in plain.items():
            lines = marked[name].splitlines()
            assert [line for line in lines if "mcusim_mark(" not in line and LAYER_MARKS not in line] == [
                line for line in text.splitlines() if LAYER_MARKS not in line
            ]
        assert marked["model.c"].count("mcusim_mark(") == len(lower(model()[0]).steps) + 2


def test_what_is_cut_off_or_stands_is_nothing() -> None:
    assert read_layers(b"") is None and read_layers(bytes(24 + 16)) is None
    words = np.array([2, 3, 30, 0, 6, 0, 300, 0, 150, 0], "<u4").tobytes()
    found = read_layers(words)
    assert found and (found.samples, found.marks, found.nothing, found.layers) == (3, 30, 6, (300, 150))
    assert read_layers(words[:-8]) is None and read_layers(words + bytes(8)) is None


def demand_layers(execution: Execution, samples: int, tolerance: float) -> None:
    """They and what reads are all of the model."""
    layers, cycles = execution.silicon and execution.silicon.layers, execution.cycle_counter
    assert layers and cycles is not None and layers.samples == samples
    first, second = layers.cycles
    assert first > second > 0
    whole = cycles.mean() - (execution.silicon.window_cycles or 0)  # type: ignore[union-attr]
    assert first + second + layers.reading == pytest.approx(whole, abs=tolerance)


@pytest.mark.arm
def test_over_the_serial_port(nucleo: Board, rig: Rig, tmp_path: Path) -> None:  # noqa: F811
    """Of the samples of this job alone, also on a board that had others before."""
    graph, x = model()
    marked = library(marks=True)
    firmware = make_firmware(marked, SERIAL.FACTS, nucleo, tmp_path / "build")
    rigged = rig(nucleo, marked, firmware=firmware, environment={"STANDIN_HZ": "1e9"})
    rigged.write_map("baud = 115200")
    for before in (0, 1):
        execution = over(rigged, SAMPLES, tmp_path, inputs=graph.encode(x))
        assert np.array_equal(execution.answers, records(graph.run(x)))
        layers = execution.silicon and execution.silicon.layers
        assert layers and layers.samples == SAMPLES + before, "the call that warms up is one of those, later"
        first, second = layers.cycles
        assert first > second


@pytest.mark.arm
def test_a_board_that_does_not_count(in_qemu: Board, port: int, tmp_path: Path) -> None:  # noqa: F811
    firmware = make_firmware(library(marks=True), PROBE.FACTS, in_qemu, tmp_path / "build")
    assert SYMBOL in firmware.image.symbols
    with qemu(port):
        execution = run_at(port, firmware, in_qemu, tmp_path, encoded())
    assert execution.complete and execution.silicon and execution.silicon.layers is None


@pytest.mark.renode
def test_through_the_probe_in_renode(nucleo: Board, port: int, tmp_path: Path) -> None:  # noqa: F811
    firmware: Firmware = make_firmware(library(marks=True), PROBE.FACTS, nucleo, tmp_path / "build")
    board = load_board(nucleo.name)
    with tempfile.TemporaryDirectory() as folder, renode(port, board, Path(folder), 1.5):
        execution = run_at(port, firmware, board, tmp_path, encoded())
    demand_layers(execution, SAMPLES, tolerance=30)
