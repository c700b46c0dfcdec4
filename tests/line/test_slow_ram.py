"""RAM that loads wait for: what is read most lies elsewhere, and prices tell what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.kernels.memory import NO_WAITS
from mcusim.line import arena
from mcusim.line.destination import destination_of, memory_of
from mcusim.line.lower import options_of
from mcusim.line.offers import offers, slow_ram_cycles
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.line.select import Choice, select
from tests.graphs import Builder
from tests.kernels.measured import differing, measure

BOARD = "sparkfun_edge"  # 64 KiB of its RAM are fast, the stack is at their beginning
FAST_BYTES = 65_536 - 4096 - 8


def two_large_maps() -> Graph:
    """36,864 bytes each."""
    builder = Builder((48, 48, 2))
    first = builder.conv(8, 3, padding="same", activation="relu")
    builder.conv(8, 3, padding="same")
    builder.add("Add", first, builder.last.name)
    builder.add("MaxPooling2D")
    builder.conv(8, 3)
    builder.add("GlobalMaxPooling2D")
    return quantize(optimize(builder.graph()), builder.samples(2), "int16")


def test_how_much_is_fast() -> None:
    memory = memory_of(load_board(BOARD))
    assert (memory.fast_ram_bytes, memory.ram_waits) == (FAST_BYTES, 1)
    assert memory_of(load_board("nucleo_l452re_p")).fast_ram_bytes is None


@pytest.mark.arm
def test_scratch_lies_where_no_load_waits(tmp_path: Path) -> None:
    """And the waits that are left are those of the price: within a tenth of each layer's cycles."""
    graph, x = two_large_maps(), Builder((48, 48, 2)).samples(1)
    destination = destination_of(load_board(BOARD), Target())
    every = options_of(graph, destination)
    selected = select(graph, every, destination)
    chosen = {name: option.how for name, option in selected.items()}
    anywhere = measure(graph, x, tmp_path / "anywhere", chosen, BOARD)
    placed = measure(graph, x, tmp_path / "placed", chosen, BOARD, fast_ram_bytes=FAST_BYTES)
    assert differing(placed, graph, x) == 0
    assert placed.program.arena_bytes == anywhere.program.arena_bytes > FAST_BYTES
    assert sum(placed.cycles.values()) < 0.97 * sum(anywhere.cycles.values())
    waits = slow_ram_cycles(graph, selected, destination.memory)
    assert waits
    for name, option in selected.items():
        told, cycles = option.cycles + waits.get(name, 0.0), placed.cycles[name]
        assert abs(told - cycles) <= max(0.1 * cycles, 100), (name, option.kernel.NAME, told, cycles)
    assert slow_ram_cycles(graph, selected, NO_WAITS) == {}


def test_offers_tell_what_waits() -> None:
    graph, destination = two_large_maps(), destination_of(load_board(BOARD), Target())
    every = options_of(graph, destination)
    selected = select(graph, every, destination)
    made = offers(Choice(graph, selected, every, destination))
    waits = slow_ram_cycles(graph, selected, destination.memory)
    assert waits
    told = {offer.layer: offer for offer in made.each if offer.chosen}
    for name, more in waits.items():
        assert told[name].cycles == selected[name].cycles + more
        assert f"{more:,.0f} of its cycles wait for RAM" in told[name].why
    assert made.cycles == pytest.approx(sum(option.cycles for option in selected.values()) + sum(waits.values()))


def test_what_is_read_most_lies_lowest() -> None:
    cold, hot = (arena.Request([name], 60, 0, 1, loads=loads) for name, loads in (("cold", 1.0), ("hot", 50.0)))
    assert arena.place([cold, hot], fast_bytes=64) == 120
    assert (hot.offset_bytes, cold.offset_bytes) == (0, 60)
    assert arena.beyond(60, 60, 64) == pytest.approx(56 / 60)
