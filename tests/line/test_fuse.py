"""Pairs of layers: made where RAM is short, and only there; told by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.kernels.choice import Destination, Limit
from mcusim.kernels.memory import USUAL
from mcusim.layers.fused import Fused
from mcusim.line import fuse
from mcusim.line.destination import destination_of
from mcusim.line.fuse import choose_kernels, fused_where_needed, fusions
from mcusim.line.knapsack import cycles
from mcusim.line.lower import lower, lowered, options_of
from mcusim.line.offers import offers
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.line.select import ram_bytes, select
from mcusim.line.within import within
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.line.test_thrift import graph_of, pooled
from tests.line.test_within import Bench

BOARD = Destination("cortex-m4", USUAL)


@pytest.fixture(scope="module")
def builder() -> Builder:
    """Pools behind convolutions, as in most small networks: between them lies most of the memory."""
    made = Builder((24, 24, 4), seed=4)
    for _ in range(2):
        made.conv(16, 3, padding="same", activation="relu")
        made.add("MaxPooling2D")
    made.add("GlobalMaxPooling2D")
    made.dense(5)
    return made


@pytest.fixture(scope="module")
def graph(builder: Builder) -> Graph:
    return quantize(optimize(builder.graph()), builder.samples(), "int8")


def limited(graph: Graph, part: float) -> Destination:
    """To a part of what the fastest network takes."""
    options = options_of(graph, BOARD)
    return replace(BOARD, ram=Limit(int(part * ram_bytes(graph, select(graph, options))), "[target] ram_max"))


def test_no_pair_without_a_limit(graph: Graph) -> None:
    options = options_of(graph, BOARD)
    for destination in (BOARD, limited(graph, 1.5)):
        assert fused_where_needed(graph, options, destination) == (graph, options)


def test_much_of_a_boards_ram_is_worth_a_few_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    made = pooled(32, 16)
    large = graph_of(made, "int8")
    roomy = replace(BOARD, ram=Limit(1_000_000))
    fast = choose_kernels(large, options_of(large, roomy), roomy)
    taken = ram_bytes(fast.graph, fast.selected)
    scarce = replace(BOARD, ram=Limit(2 * taken))
    choice = choose_kernels(large, options_of(large, scarce), scarce)
    saved = 1 - ram_bytes(choice.graph, choice.selected) / taken
    assert saved >= fuse.WORTH_CYCLES
    assert cycles(fast.selected) < cycles(choice.selected) <= (1 + fuse.PRICE * saved) * cycles(fast.selected)
    x = made.samples(3)
    assert np.array_equal(run_compiled(large, x, program=lowered(choice)), large.run(x))
    named = replace(BOARD, ram=Limit(2 * taken, "[target] ram_max"))
    assert choose_kernels(large, options_of(large, named), named).selected == fast.selected
    monkeypatch.setattr(fuse, "PRICE", 0.1)
    assert choose_kernels(large, options_of(large, scarce), scarce).selected == fast.selected


def test_a_limit_of_flash_alone_makes_no_pair(graph: Graph) -> None:
    destination = replace(limited(graph, 1.5), flash=Limit(4000))
    options = options_of(graph, destination)
    assert fused_where_needed(graph, options, destination)[0] is graph


def test_pairs_are_faster_within_a_limit(graph: Graph, builder: Builder) -> None:
    destination = limited(graph, 0.6)
    options = options_of(graph, destination)
    choice = choose_kernels(graph, options, destination)
    assert destination.ram is not None
    assert ram_bytes(choice.graph, choice.selected) <= destination.ram.size_bytes
    assert any(isinstance(layer, Fused) for layer in choice.graph)
    fastest = cycles(select(graph, options))
    assert choice.fastest == fastest and fastest <= cycles(choice.selected) < 1.3 * fastest
    with pytest.raises(Exception, match="bytes of RAM"):
        select(graph, options, destination)
    x = builder.samples(3)
    program = lowered(choice)
    assert np.array_equal(run_compiled(graph, x, program=program), graph.run(x))


def test_a_pair_is_told_by_name(graph: Graph) -> None:
    destination = limited(graph, 0.6)
    choice = choose_kernels(graph, options_of(graph, destination), destination)
    (pair, *_) = (layer for layer in choice.graph if isinstance(layer, Fused))
    told = next(one for one in offers(choice).each if one.layer == pair.name and one.chosen)
    assert told.kind == "Conv2D + MaxPooling2D" and "+lanes" in told.kernel and told.macs == pair.first.macs
    step = next(step for step in lowered(choice).steps if step.name == pair.name)
    assert step.kind == told.kind and step.kernel == told.kernel
    program = lower(graph, destination)
    assert any(f"{pair.first.name!r} and {pair.second.name!r}" in note for note in program.notes)
    assert any("ram_max costs" in note for note in program.notes)
    assert program.arena_bytes < lower(graph, BOARD).arena_bytes


def test_a_pair_may_be_an_output_and_read_another() -> None:
    builder = Builder((16, 4))
    for _ in range(2):
        start = builder.conv(4, 3, padding="same")
        builder.add("MaxPooling1D")
    graph = made = builder.graph()
    while pairs := [one for one in fusions(made) if one[0].second.kind == "MaxPooling1D"]:
        _, made = pairs[0]
    first, second = made.layers[1:]
    assert second.inputs == (first.name,) and second.name.startswith(start)
    assert made.outputs[0].layer == second.name
    x = builder.samples(2)
    assert np.array_equal(made.run(x), graph.run(x))


@pytest.mark.arm
def test_it_holds_of_what_is_linked_and_run(graph: Graph, tmp_path: Path) -> None:
    board = load_board("nucleo_l452re_p")
    bench = Bench(graph, tmp_path, (24, 24, 4))
    _, ram, fastest = bench.sizes(Target())
    limit = int(0.65 * ram)
    _, taken, slower = bench.sizes(Target(ram_max=limit))
    assert taken <= limit and slower < 1.3 * fastest
    choice = within(
        graph, options_of(graph, destination_of(board, Target())), board, Target(ram_max=limit), bench.build
    )
    assert any("+" in name for name in choice.selected)
