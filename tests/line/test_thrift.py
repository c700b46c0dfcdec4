"""Pairs of layers where nobody asks for less RAM: made where they save much of it for few cycles, and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.boards.load import load_board
from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.kernels.choice import ANYWHERE, Destination
from mcusim.kernels.memory import USUAL
from mcusim.layers.fused import Fused
from mcusim.line.destination import destination_of
from mcusim.line.fuse import choose_kernels
from mcusim.line.knapsack import Options, cycles, flash_bytes
from mcusim.line.lower import lower, lowered, options_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.line.select import Choice, ram_bytes, select
from mcusim.line.thrift import LEAST_BYTES, WORTH_IT, thrifty
from mcusim.line.within import within
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.line.test_within import Bench

BOARD = Destination("cortex-m4", USUAL)
MOST = 1.02  # of the cycles of the fastest network


def residual(width: int, filters: int, seed: int = 4) -> Builder:
    """The first block of a ResNet: three maps are alive while its last convolution runs."""
    made = Builder((width, width, filters), seed=seed)
    start = made.conv(filters, 3, padding="same", activation="relu")
    made.conv(filters, 3, padding="same", activation="relu")
    end = made.conv(filters, 3, padding="same")
    made.add("Add", start, end)
    made.add("GlobalAveragePooling2D")
    made.dense(5)
    return made


def pooled(width: int, filters: int, seed: int = 4) -> Builder:
    made = Builder((width, width, 4), seed=seed)
    for _ in range(2):
        made.conv(filters, 3, padding="same", activation="relu")
        made.add("MaxPooling2D")
    made.dense(5)
    return made


def graph_of(builder: Builder, data_type: str) -> Graph:
    graph = optimize(builder.graph())
    return graph if data_type == "float32" else quantize(graph, builder.samples(), data_type)


def fastest(options: Options) -> float:
    return sum(several[0].cycles for several in options.values())


def pairs(choice: Choice) -> list[Fused]:
    return [layer for layer in choice.graph if isinstance(layer, Fused)]


def chosen(graph: Graph, destination: Destination = BOARD, kernels: KernelChoice | None = None) -> Choice:
    return thrifty(graph, options_of(graph, destination, kernels), destination, kernels)


@pytest.mark.parametrize(
    ("builder", "data_type", "second"),
    [
        (residual(32, 8), "int16", "Add"),
        (pooled(24, 8), "float32", "MaxPooling2D"),
        (pooled(64, 8), "int8", "MaxPooling2D"),
    ],
)
def test_much_ram_for_few_cycles(builder: Builder, data_type: str, second: str) -> None:
    graph = graph_of(builder, data_type)
    options = options_of(graph, BOARD)
    choice, alone = choose_kernels(graph, options, BOARD), select(graph, options)
    assert second in {pair.second.kind for pair in pairs(choice)}
    saved = ram_bytes(graph, alone) - ram_bytes(choice.graph, choice.selected)
    assert saved >= max(LEAST_BYTES, (1 - WORTH_IT) * ram_bytes(graph, alone))
    assert flash_bytes(choice.selected) - flash_bytes(alone) <= saved
    assert cycles(choice.selected) <= MOST * fastest(options)
    program, x = lowered(choice), builder.samples(2)
    assert program.arena_bytes == program.arena_lower_bound_bytes
    (told,) = program.notes
    assert all(f"{pair.first.name!r} and {pair.second.name!r}" in told for pair in pairs(choice))
    assert np.array_equal(run_compiled(graph, x, program=program), run_compiled(graph, x, program=lower(graph)))


@settings(max_examples=8, deadline=None)
@given(st.integers(6, 24), st.integers(1, 12), st.sampled_from(["int8", "int16", "float32"]), st.booleans())
def test_never_more_than_two_percent_nor_more_ram(width: int, filters: int, data_type: str, has_sum: bool) -> None:
    graph = graph_of((residual if has_sum else pooled)(width, filters), data_type)
    options = options_of(graph, BOARD)
    choice, alone = thrifty(graph, options, BOARD), select(graph, options)
    assert cycles(choice.selected) <= MOST * fastest(options)
    if pairs(choice):
        assert ram_bytes(choice.graph, choice.selected) <= ram_bytes(graph, alone) - LEAST_BYTES
    else:
        assert choice.graph is graph and choice.selected == alone


def test_steps_of_one_size_need_a_pair_each() -> None:
    """One alone makes the largest step no smaller. The first block is smaller: what it adds is the input."""
    builder = Builder((32, 32, 8), seed=4)
    for _ in range(3):
        start = builder.last.name
        builder.conv(8, 3, padding="same", activation="relu")
        builder.add("Add", start, builder.conv(8, 3, padding="same"))
        builder.add("ReLU")
    choice = chosen(graph_of(builder, "int16"))
    assert [pair.second.kind for pair in pairs(choice)] == ["Add"] * 2


def test_layers_stay_alone_without_a_board_and_where_kernels_are_named() -> None:
    graph = graph_of(residual(32, 8), "int16")
    (pair,) = pairs(chosen(graph))
    assert chosen(graph, ANYWHERE).graph is graph
    for named in (
        KernelChoice(default=("winograd", "lanes")),
        KernelChoice(layers=((pair.first.name, ("winograd",)),)),
        KernelChoice(layers=((pair.second.name, ("lanes",)),)),
    ):
        assert not any(one.name == pair.name for one in pairs(chosen(graph, kernels=named)))


@pytest.mark.arm
def test_a_limit_that_is_not_in_the_way_changes_nothing(tmp_path: Path) -> None:
    board = load_board("nucleo_l452re_p")
    builder = residual(32, 8)
    graph = graph_of(builder, "int16")
    bench = Bench(graph, tmp_path, builder.shape)
    _, taken, expected = bench.sizes(Target())
    options = options_of(graph, destination_of(board, Target()))
    choice = within(graph, options, board, Target(ram_max=taken), bench.build)
    assert pairs(choice) and cycles(choice.selected) == expected
    assert not any("ram_max" in note for note in lowered(choice).notes)
