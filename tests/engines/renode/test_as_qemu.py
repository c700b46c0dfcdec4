"""The profile of a network of all layers in Renode: that of QEMU, event by event and cycle by cycle."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.cores import core_of
from mcusim.engines.counts import Counts
from mcusim.engines.engine import Engine, Execution
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.renode import engine as renode
from mcusim.engines.renode import installation, workers
from mcusim.graph import Graph, Output
from mcusim.layers.input import Input
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.line.sources import Sources
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from mcusim.timing.time_counts import time_counts
from mcusim.workloads.generated import make_firmware
from tests.every_board import board_with
from tests.graphs import Builder
from tests.jobs import run
from tests.layers.test_layers import CASES

pytestmark = [pytest.mark.renode, pytest.mark.arm, pytest.mark.usefixtures("warm", "temporary")]
SAMPLES = 2


@functools.cache
def all_layers() -> tuple[Graph, Array]:
    """Every case of the tests of layers, side by side: an input and an output for each."""
    builder = Builder((1,), seed=7)
    builder.layers.clear()
    outputs = []
    for number, (shape, make) in enumerate(CASES.values()):
        builder.layers.append(Input(name=f"in_{number}", inputs=(), shape=shape))
        make(builder)
        outputs.append(Output(f"out_{number}", builder.last.name))
    graph = optimize(Graph(tuple(builder.layers), "all_layers", outputs=tuple(outputs)))
    x = {layer.name: builder.random.normal(size=(9, *layer.shape)).astype(np.float32) for layer in graph.inputs}
    return graph, records_of(x)


@functools.cache
def in_numbers(data_type: str) -> tuple[Graph, Sources]:
    """Of every board the same."""
    graph, x = all_layers()
    quantized = graph if data_type == "float32" else quantize(graph, x, data_type)
    return quantized, emit_library(lower(quantized))


def profiled(
    engine: Engine, graph: Graph, library: Sources, x: Array, board: Board, folder: Path
) -> tuple[Execution, Counts, float]:
    """Cycles are those of the mean sample."""
    firmware = make_firmware(library, engine.FACTS, board, folder / "build")
    execution = run(engine, firmware, board, graph.encode(x), folder / "run", profile=True)
    parameters = core_of(board.chip).TIMING
    assert execution.counts is not None and parameters is not None
    timing = time_counts(execution.counts, firmware.elf, board, folder, parameters)
    return execution, execution.counts, timing.cycles.mean


def seen(counts: Counts) -> tuple[dict[Any, int], dict[Any, int]]:
    """How often each edge was taken, and each event happened, by what they are."""
    edges = zip(counts.edges, counts.edge_counts.sum(axis=0).tolist(), strict=True)
    events = zip(counts.events, counts.event_counts.sum(axis=0).tolist(), strict=True)
    return (
        {(counts.blocks[edge.source], counts.blocks[edge.to]): times for edge, times in edges},
        {(event.kind, counts.blocks[event.block], event.address): times for event, times in events},
    )


@pytest.mark.parametrize("data_type", ["float32", "int8", "int16", "w8a16"])
def test_all_layers(data_type: str, board: Board, tmp_path: Path) -> None:
    board = board_with(board.name, "qemu")
    (graph, library), x = in_numbers(data_type), all_layers()[1][:SAMPLES]
    theirs, their_counts, their_cycles = profiled(qemu, graph, library, x, board, tmp_path)
    ours, counts, cycles = profiled(renode, graph, library, x, board, tmp_path)
    assert np.array_equal(ours.answers, theirs.answers)
    assert seen(counts) == seen(their_counts)
    assert cycles == their_cycles


def test_a_core_whose_functions_have_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hooks tell what it tells us itself."""
    board = board_with("nucleo_l452re_p", "renode")
    (graph, library), x = in_numbers("int8"), all_layers()[1][:1]
    _, directly, cycles = profiled(renode, graph, library, x, board, tmp_path / "directly")
    scripts = tmp_path / "scripts"
    shutil.copytree(workers.RENODE_SCRIPTS, scripts)
    listener = scripts / "mcusim_listener.cs"
    text = listener.read_text(encoding="utf-8")
    assert "renode_external_attach__" in text
    listener.write_text(text.replace("renode_external_attach__", "renamed__"), encoding="utf-8")
    for module in (workers, installation):
        monkeypatch.setattr(module, "RENODE_SCRIPTS", scripts)
    monkeypatch.setattr(workers, "_shared", workers._Shared())
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    _, by_hooks, cycles_by_hooks = profiled(renode, graph, library, x, board, tmp_path / "by hooks")
    assert seen(by_hooks) == seen(directly) and cycles_by_hooks == cycles
