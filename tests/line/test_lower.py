"""Programs: names, sizes, accumulators."""

from __future__ import annotations

import pytest

from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from tests.graphs import Builder


def network(spread: float = 1.0) -> Builder:
    builder = Builder((8, 2), spread=spread)
    builder.conv(4, 3)
    builder.add("Flatten")
    builder.dense(3, activation="softmax")
    return builder


@pytest.mark.parametrize(("data_type", "number", "accumulator"), [("float32", 4, 4), ("int16", 2, 4), ("int8", 1, 4)])
def test_sizes(data_type: str, number: int, accumulator: int) -> None:
    builder = network()
    program = lower(quantize(builder.graph(), builder.samples(), data_type))
    kernels, biases = 3 * 2 * 4 + 24 * 3, 4 + 3
    tables = 0 if data_type == "float32" else 2 * 2 * 256
    sizes = {"number_t": number, "accumulator_t": accumulator, "uint16_t": 2}
    constants = [constant for step in program.steps for constant in step.code.constants]
    assert (
        sum(sizes[one.ctype] * one.values.size for one in constants) == kernels * number + biases * accumulator + tables
    )
    assert (program.inputs[0].elements, program.outputs[0].elements) == (16, 3)
    assert program.arena_bytes >= program.arena_lower_bound_bytes
    assert program.unit.storage == data_type and len(program.units) == 1


def test_views_are_no_steps_and_every_step_has_a_name_and_macs() -> None:
    steps = lower(network().graph()).steps
    assert [step.kind for step in steps] == ["Conv1D", "Dense", "Softmax"]
    assert [step.macs for step in steps] == [6 * 3 * 2 * 4, 24 * 3, 0]
    assert all(step.function.startswith("layer_") for step in steps)
    assert (steps[0].sources[0].region, steps[-1].sink.region) == ("input", "output")


def test_accumulators_are_as_wide_as_the_proof_asks() -> None:
    builder = network(spread=500.0)
    given = {"scheme": "per-network", "fraction": 12}
    program = lower(quantize(builder.graph(), builder.samples(), "int16", **given))  # type: ignore[arg-type]
    assert [unit.accumulator_bits for unit in program.units] == [32, 64] and program.unit.name == "int16"
    assert {step.unit for step in program.steps} == {"int16", "int16_long"}
    assert {step.data_type for step in program.steps} == {"int16"}
    assert lower(quantize(builder.graph(), builder.samples(), "int16")).unit.accumulator_bits == 32
