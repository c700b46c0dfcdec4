"""Which kernels a whole network gets: under limits, and where none is named."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from mcusim.graph import Graph, Layer
from mcusim.kernels.choice import Destination, Limit, Option
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.line import arena
from mcusim.line.select import Choice, cycles, flash_bytes, price_of_limits, ram_bytes, select
from mcusim.program import Constant, KernelCall, LayerCode, Routine
from mcusim.system.errors import BuildError
from tests.graphs import Builder


@dataclass
class Fake:
    """A kernel of given costs: `scratch` by stripes, `routine` shared by all layers when compact."""

    NAME: str
    price: float
    scratch: int = 0
    own: int = 0
    routine: int = 0
    SUMMARY: str = "made up"
    made: list[str] = field(default_factory=list)

    def fits(self, layer: Layer, inputs: Inputs) -> str | None:
        return None

    def cost(self, layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
        return self.price * (1 + 0.1 * (variant.stripes - 1)) * (1.002 if variant.compact else 1)

    def code(self, layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
        self.made.append(layer.name)
        name = self.NAME if variant.compact else f"{self.NAME}_{layer.name}"
        routines = (Routine(name, "", self.routine, "", KernelCall("", (), {})),) if self.routine else ()
        constants = (Constant("kernel", "number_t", np.zeros(self.own, np.int8)),)
        return LayerCode((), constants, self.scratch // variant.stripes, {}, routines)


def chain(layers: int = 3) -> Graph:
    builder = Builder((8, 4))
    for _ in range(layers):
        builder.conv(4, 1)
    return builder.graph()


def options(graph: Graph, *kernels: Fake, variants: tuple[Variant, ...] = (DEFAULT,)) -> dict[str, list[Option]]:
    def of(layer: Layer) -> list[Option]:
        inputs = graph.inputs_of(layer)
        several = [Option(k, v, k.cost(layer, inputs, v), layer, inputs) for k in kernels for v in variants]
        return sorted(several, key=lambda option: option.cycles)

    return {layer.name: of(layer) for layer in graph if not layer.INPUT}


STRIPES = (DEFAULT, Variant(2), Variant(4))


def test_the_fastest_runs_where_memory_is_no_matter() -> None:
    graph = chain()
    selected = select(graph, options(graph, Fake("slow", 100), Fake("fast", 50)))
    assert {option.kernel.NAME for option in selected.values()} == {"fast"}


def test_memory_that_costs_nothing_is_saved() -> None:
    graph = chain()
    selected = select(graph, options(graph, Fake("large", 100, scratch=1000), Fake("small", 100.1, scratch=10)))
    assert {option.kernel.NAME for option in selected.values()} == {"small"}
    selected = select(graph, options(graph, Fake("large", 100, scratch=1000), Fake("small", 150, scratch=10)))
    assert {option.kernel.NAME for option in selected.values()} == {"large"}


def test_no_layer_is_slower_when_the_largest_step_stays_as_it_is() -> None:
    """Within 2 %, two of the three largest steps could have less scratch memory; the third needs as much as before."""
    graph = chain(5)
    selected = select(graph, options(graph, Fake("large", 100, scratch=1000), Fake("small", 105, scratch=10)))
    assert {option.kernel.NAME for option in selected.values()} == {"large"}


def test_a_limit_of_ram_is_met_by_stripes_and_no_more_of_them_than_needed() -> None:
    graph = chain()
    several = options(graph, Fake("fast", 50, scratch=4000), Fake("slow", 500), variants=STRIPES)
    free = ram_bytes(graph, select(graph, several))
    for wanted, stripes in ((free, 1), (free - 1, 2), (free - 2001, 4)):
        selected = select(graph, several, Destination(ram=Limit(wanted, "[target] ram_max")))
        assert ram_bytes(graph, selected) <= wanted
        assert max(option.variant.stripes for option in selected.values()) == stripes
    selected = select(graph, several, Destination(ram=Limit(free - 3500, "[target] ram_max")))
    assert {option.kernel.NAME for option in selected.values()} == {"slow"}


def test_a_limit_that_cannot_be_met_says_by_how_much_and_where() -> None:
    graph = chain()
    several = options(graph, Fake("fast", 50, scratch=4000))
    need = ram_bytes(graph, select(graph, several))
    with pytest.raises(BuildError, match=f"needs {need:,} bytes of RAM, 100 more") as caught:
        select(graph, several, Destination(ram=Limit(need - 100, "[target] ram_max")))
    assert caught.value.where == "[target] ram_max" and caught.value.hint and "layer 'conv1d_" in caught.value.hint
    several = options(graph, Fake("fast", 50, own=1000, routine=200))
    with pytest.raises(BuildError, match="needs 3,600 bytes of flash, 600 more"):
        select(graph, several, Destination(flash=Limit(3000, "[target] flash_max")))
    assert select(graph, several, Destination(flash=Limit(3000))), "a board's own memory is the linker's business"


def test_code_that_layers_share_is_paid_once() -> None:
    graph = chain()
    several = options(graph, Fake("fast", 50, routine=1000), variants=(DEFAULT, Variant(compact=True)))
    selected = select(graph, several)
    assert all(option.variant.compact for option in selected.values()), "a little of cycles for 2,000 bytes"
    assert flash_bytes(selected) == 1000
    limited = options(graph, Fake("fast", 50, routine=1000), Fake("small", 400), variants=(DEFAULT,))
    selected = select(graph, limited, Destination(flash=Limit(2000, "[target] flash_max")))
    assert flash_bytes(selected) <= 2000 and cycles(selected) < 3 * 400


def test_what_a_limit_costs_is_said() -> None:
    graph = chain()
    several = options(graph, Fake("fast", 50, scratch=4000), Fake("slow", 100))
    destination = Destination(ram=Limit(2000, "[target] ram_max"))
    (note,) = price_of_limits(Choice(graph, select(graph, several, destination), several, destination))
    assert "100.0% more cycles" in note and "ram_max" in note
    need = ram_bytes(graph, select(graph, several))
    assert "(150 without, about 150 with 256 bytes more of RAM)" in _note(graph, several, need - 1)
    assert "more of RAM" not in _note(graph, several, 2000)
    roomy = Destination(ram=Limit(10**6, "[target] ram_max"))
    assert price_of_limits(Choice(graph, select(graph, several, roomy), several, roomy)) == ()


def _note(graph: Graph, several: dict[str, list[Option]], limit: int) -> str:
    destination = Destination(ram=Limit(limit, "[target] ram_max"))
    (note,) = price_of_limits(Choice(graph, select(graph, several, destination), several, destination))
    return note


def test_code_is_made_for_few_of_many_variants() -> None:
    """A kernel that comes in many variants makes no run begin later."""
    graph = chain()
    fake = Fake("fast", 50, scratch=4000)
    select(graph, options(graph, fake, variants=tuple(Variant(count) for count in range(1, 50))))
    assert len(fake.made) < 20


def test_what_lives_beside_a_layer_is_what_the_arena_holds() -> None:
    graph = chain()
    alive = arena.live_bytes(graph)
    assert max(alive.values()) == arena.plan(graph).lower_bound_bytes
