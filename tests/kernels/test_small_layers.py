"""Layers without much arithmetic, of random shapes: their bits, their cost, and that none is slower than plain C."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mcusim.graph import Graph
from mcusim.kernels import lanes, plain, sequences
from mcusim.kernels.kernel import Kernel
from mcusim.kernels.memory import USUAL
from mcusim.line.lower import program_of
from mcusim.line.quantize import quantize
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.grid import side_by_side
from tests.kernels.lanes_graphs import same
from tests.kernels.measured import forced, measure, misplaced
from tests.kernels.small_layers import COPIES, NUMBER_BY_NUMBER, SEQUENCES, Make, cases

DATA_TYPES = ("int8", "int16", "float32")
GROUPS: dict[str, tuple[Kernel, tuple[Make, ...]]] = {
    "copies": (lanes, COPIES),
    "number by number": (lanes, NUMBER_BY_NUMBER),
    "sequences": (sequences, SEQUENCES),
}
CASES = [
    (group, data_type)
    for group, (kernel, _) in GROUPS.items()
    for data_type in DATA_TYPES
    if kernel is lanes or data_type != "float32"
]
COUNT = 27
NEAR_CYCLES = 100  # of a price to the cycles, or so many percent, whichever is more
NEAR = {"copies": 0.05, "number by number": 0.05, "sequences": 0.08}  # what follows the sums there is C
SLOWER, SLOWER_CYCLES = 1.02, 50


def network(makes: Sequence[Make], data_type: str, seed: int) -> tuple[Graph, Array]:
    return side_by_side(cases(makes, seed, COUNT), data_type)


def wanted(graph: Graph, x: Array) -> Array:
    """Integers as `Graph.run` has them, real numbers as plain C: sums have an order there."""
    return graph.run(x) if graph.data_type != "float32" else run_compiled(graph, x)


@pytest.mark.parametrize(("group", "data_type"), CASES)
def test_on_the_host(group: str, data_type: str) -> None:
    kernel, makes = GROUPS[group]
    graph, x = network(makes, data_type, seed=1)
    assert same(run_compiled(graph, x, program=program_of(graph, forced(graph, kernel))), wanted(graph, x))


@pytest.mark.arm
@pytest.mark.parametrize(("group", "data_type"), CASES)
def test_on_the_board(group: str, data_type: str, tmp_path: Path) -> None:
    kernel, makes = GROUPS[group]
    graph, x = network(makes, data_type, seed=2)
    ours = measure(graph, x, tmp_path / "ours", forced(graph, kernel))
    plainly = measure(graph, x, tmp_path / "plain", forced(graph, plain))
    assert same(ours.answers, wanted(graph, x))
    far, slow, checked = {}, {}, 0
    for step in ours.program.steps:
        if step.kernel != kernel.NAME or step.kind.startswith("Global") or misplaced(ours.program, step):
            continue
        layer, cycles, plain_cycles = graph[step.name], ours.cycles[step.name], plainly.cycles[step.name]
        inputs = graph.inputs_of(layer)
        price, plain_price = kernel.cost(layer, inputs, memory=USUAL), plain.cost(layer, inputs)
        checked += 1
        if abs(price - cycles) > max(NEAR[group] * cycles, NEAR_CYCLES):
            far[step.name] = (price, cycles)
        if price < plain_price and cycles > max(SLOWER * plain_cycles, plain_cycles + SLOWER_CYCLES):
            slow[step.name] = (cycles, plain_cycles)
    assert not far
    assert not slow
    assert checked >= COUNT // 3


@pytest.mark.parametrize(
    ("kind", "units", "config", "data_type", "why"),
    [
        ("LSTM", 8, {}, "float32", "it is for integers"),
        ("SimpleRNN", 3, {}, "int8", "it takes 4 units at a time"),
        ("GRU", 8, {"reset_after": False}, "int8", "the reset gate scales states"),
        ("GRU", 8, {}, "int8", None),
    ],
)
def test_what_sequences_do_not_run_says_why(
    kind: str, units: int, config: dict[str, bool], data_type: str, why: str | None
) -> None:
    builder = Builder((6, 3))
    builder.recurrent(kind, units, **config)
    builder.dense(2)
    graph = builder.graph() if data_type == "float32" else quantize(builder.graph(), builder.samples(4), data_type)
    layer = graph.layers[1]
    told = sequences.fits(layer, graph.inputs_of(layer))
    assert told is None if why is None else why in str(told)
    assert sequences.fits(graph.layers[-1], graph.inputs_of(graph.layers[-1])) is not None
