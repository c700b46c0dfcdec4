"""The fastest options that fit in flash, against trying them all."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.kernels.choice import Destination, Limit, Option
from mcusim.kernels.kernel import DEFAULT, Variant
from mcusim.line.knapsack import Selection, cycles, fastest_within, flash_bytes, smallest
from mcusim.line.select import ram_bytes, select
from mcusim.program import Constant, KernelCall, LayerCode, Routine
from mcusim.system.errors import BuildError
from tests.graphs import Builder
from tests.line.test_select import Fake


def made_up(graph: Graph, seed: int) -> dict[str, list[Option]]:
    """Fast ones are large; some share a routine with other layers, some of different stacks."""
    chance = random.Random(seed)
    shared = [Routine(f"shared_{n}", "", chance.randrange(200, 3000), "", CALL, stack_bytes=16 * n) for n in range(3)]
    options = {}
    for layer in graph:
        if layer.INPUT:
            continue
        several = [made(graph, layer.name, 900.0 + chance.randrange(500), chance.randrange(50, 200), 0, ())]
        for number in range(chance.randrange(2, 6)):
            routines = tuple(chance.sample(shared, chance.randrange(0, 3)))
            own = Routine(f"{layer.name}_{number}", "", chance.randrange(100, 2000), "", CALL, stack_bytes=40)
            routines += (own,) if chance.random() < 0.5 else ()
            size, scratch = chance.randrange(100, 2000), chance.randrange(0, 4000)
            several.append(made(graph, layer.name, 50.0 + chance.randrange(800), size, scratch, routines, number))
        options[layer.name] = sorted(several, key=lambda option: option.cycles)
    return options


CALL = KernelCall("", (), {})


def made(
    graph: Graph, name: str, price: float, size: int, scratch: int, routines: tuple[Routine, ...], number: int = 0
) -> Option:
    layer = graph[name]
    option = Option(Fake(f"fake_{number}", price), Variant(number + 1), price, layer, graph.inputs_of(layer))
    constants = (Constant("kernel", "number_t", np.zeros(size, np.int8)),)
    vars(option)["code"] = LayerCode((CALL,), constants, scratch, {}, routines)
    return option


def chain(layers: int) -> Graph:
    builder = Builder((8, 4))
    for _ in range(layers):
        builder.conv(4, 1)
    return builder.graph()


def every(options: dict[str, list[Option]]) -> list[Selection]:
    return [dict(zip(options, chosen, strict=True)) for chosen in itertools.product(*options.values())]


@pytest.mark.parametrize("seed", range(12))
def test_within_a_percent_of_the_best_under_both_limits(seed: int) -> None:
    graph = chain(4)
    options = made_up(graph, seed)
    tried = [(cycles(one), flash_bytes(one), ram_bytes(graph, one)) for one in every(options)]
    least_flash, least_ram = min(flash for _, flash, _ in tried), min(ram for _, _, ram in tried)
    fastest = min(tried)
    for share in (0.0, 0.2, 0.5, 0.8):
        flash = int(least_flash + share * max(0, fastest[1] - least_flash))
        ram = int(least_ram + share * max(0, fastest[2] - least_ram))
        limits = {"ram": Limit(ram, "[target] ram_max"), "flash": Limit(flash, "[target] flash_max")}
        for names in (("ram",), ("flash",), ("ram", "flash")):
            destination = Destination(**{name: limits[name] for name in names})  # type: ignore[arg-type]
            fitting = [
                one[0]
                for one in tried
                if ("flash" not in names or one[1] <= flash) and ("ram" not in names or one[2] <= ram)
            ]
            if not fitting:
                with pytest.raises(BuildError, match="more than there may be"):
                    select(graph, options, destination)
                continue
            selected = select(graph, options, destination)
            assert "flash" not in names or flash_bytes(selected) <= flash
            assert "ram" not in names or ram_bytes(graph, selected) <= ram
            slack = 1.0031 if "flash" not in names else 1.01
            assert cycles(selected) <= max(1.01, slack) * min(fitting), (seed, share, names)


def test_code_that_many_share_is_found_where_none_gains_by_it_alone() -> None:
    graph = chain(5)
    routine = Routine("shared", "", 3000, "", CALL)
    options = {
        layer.name: [made(graph, layer.name, 100, 10, 0, (routine,)), made(graph, layer.name, 1000, 10, 0, ())]
        for layer in graph
        if not layer.INPUT
    }
    found = fastest_within(options, 3100)
    assert found is not None and cycles(found) == 500 and flash_bytes(found) == 3060
    assert flash_bytes(smallest(options)) == 60
    assert fastest_within(options, 59) is None


def test_the_variants_of_a_default_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = chain(2)
    options = {name: several[:1] for name, several in made_up(graph, 1).items()}
    assert select(graph, options) == {name: several[0] for name, several in options.items()}
    assert Variant() == DEFAULT
