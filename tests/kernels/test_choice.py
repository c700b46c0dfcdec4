"""Which kernel runs a layer: the cheapest of those that may and can."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.graph import Graph, Layer
from mcusim.kernels import KERNELS, choice, plain
from mcusim.kernels.choice import Destination
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.layers import LAYERS, Add
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from mcusim.numbers.numbers import Activation
from mcusim.program import LayerCode
from mcusim.system.errors import ConfigurationError
from tests.graphs import Builder


class Half:
    """Half the price of plain C, for dense layers on one core."""

    NAME = "half"
    SUMMARY = "a stand-in"
    ANY_STORAGE = NEEDS_DSP = True
    SCRATCH_BYTES = 10

    def fits(self, layer: Layer, inputs: Inputs) -> str | None:
        return None if layer.kind == "Dense" else "it is for dense layers"

    def cost(self, layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
        return plain.cost(layer, inputs) / 2

    def code(self, layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
        made = plain.code(layer, inputs)
        return LayerCode(made.calls, made.constants, self.SCRATCH_BYTES, {"half.S": "/* assembly */\n"})


@pytest.fixture(autouse=True)
def two_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "KERNELS", (plain, Half()))


def network() -> Graph:
    builder = Builder((8, 2))
    builder.conv(4, 3)
    builder.add("Flatten")
    builder.dense(16)
    builder.dense(3)
    return quantize(builder.graph(), builder.samples(), "int8")


def kernels(core: str | None, chosen: KernelChoice | None = None) -> list[str]:
    return [step.kernel for step in lower(network(), Destination(core), chosen).steps]


def test_the_cheapest_that_fits_runs() -> None:
    assert kernels("cortex-m4") == ["plain", "half", "half"]
    assert kernels("cortex-m33") == kernels(None) == ["plain"] * 3


def test_the_experiment_chooses_for_all_layers_or_for_one() -> None:
    assert kernels("cortex-m4", KernelChoice(default=("plain",))) == ["plain"] * 3
    one = KernelChoice(layers=(("dense_3", ("plain",)),))
    assert kernels("cortex-m4", one) == ["plain", "plain", "half"]


def test_a_name_for_all_layers_steps_back_where_it_does_not_fit() -> None:
    assert kernels("cortex-m4", KernelChoice(default=("half",))) == ["plain", "half", "half"]


def test_a_name_for_one_layer_has_to_fit() -> None:
    forced = KernelChoice(layers=(("conv1d_1", ("half",)),))
    with pytest.raises(ConfigurationError, match=r"no kernel runs layer .conv1d_1. \(half: it is for dense layers\)"):
        kernels("cortex-m4", forced)
    with pytest.raises(ConfigurationError, match="half: it is for cortex-m4"):
        kernels(None, forced)


IN_ASSEMBLY = {"abreast", "depthwise", "direct", "gather", "lanes", "patches", "phases", "points", "pointwise", "rows"}
IN_ASSEMBLY |= {"sequences", "squares", "squares_in_flash", "tiles", "unpacked", "winograd"}


def test_assembly_is_for_cores_that_have_its_instructions() -> None:
    layer = Add(name="sum", inputs=("a", "b"), shape=(8,))
    for core, without in (("cortex-m33", set()), (None, {"points"})):  # `points` has other bits: its twin runs anywhere
        found = {kernel.NAME: choice.why_not(kernel, layer, (), core) for kernel in KERNELS}
        refusing = {name for name, why in found.items() if why == "it is for cortex-m4"}
        assert refusing >= IN_ASSEMBLY - without and not refusing & ({"plain"} | without)


def test_a_kernel_that_says_nothing_of_floors_takes_activations_that_begin_at_0_alone() -> None:
    graph = network()
    dense = graph["dense_3"]
    floored = replace(dense, activation=Activation(relu=True, ceiling=1.0, floor=-1.0))
    inputs = tuple(graph[name] for name in dense.inputs)
    assert choice.why_not(Half(), dense, inputs, "cortex-m4") is None
    assert choice.why_not(Half(), floored, inputs, "cortex-m4") == "it is for activations that begin at 0"
    assert choice.why_not(plain, floored, inputs, "cortex-m4") is None


def test_a_layer_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="has no layer 'dens_3'") as caught:
        kernels(None, KernelChoice(layers=(("dens_3", ("plain",)),)))
    assert caught.value.hint == "did you mean 'dense_3'?"


@pytest.mark.parametrize("name", ["input", "flatten_2"])
def test_a_layer_that_has_nothing_to_do_has_no_kernel(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"layer '{name}' has nothing to do"):
        kernels(None, KernelChoice(layers=((name, ("plain",)),)))


def test_scratch_lies_in_the_arena_and_more_files_in_the_library() -> None:
    program = lower(network(), Destination("cortex-m4"))
    first, second = program.steps[1:]
    assert first.scratch is not None and second.scratch is not None and program.steps[0].scratch is None
    assert program.arena_bytes == program.arena_lower_bound_bytes == 24 + 16 + 12
    assert program.buffers_bytes == 24 + 24 + 16 + 12 + 12, "the flattened tensor on its own, too"


def test_plain_c_runs_every_layer_but_inputs() -> None:
    assert {layer for layer in LAYERS if not layer.INPUT} == set(plain._CODE)
