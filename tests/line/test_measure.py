"""What outputs and counts are worth, on numbers small enough to check by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.engines.engine import Execution, records
from mcusim.kernels import winograd
from mcusim.kernels.kernel import Variant
from mcusim.line.build import Firmware, RomBytes
from mcusim.line.lower import lower, program_of
from mcusim.line.measure import Instructions, Measurements, RamBytes, of_firmware, of_samples
from mcusim.line.quantize import quantize
from mcusim.line.score import Mismatch, Wanted
from mcusim.program import KernelCall, Program, Routine
from mcusim.system.arrays import Array
from mcusim.system.elf import Symbol
from mcusim.system.image import Image
from mcusim.tasks import classification, none
from mcusim.tasks.task import Judge
from mcusim.timing.timing import Cycles, Timing
from tests.graphs import Builder
from tests.tasks.asking import asked

BOARD = load_board("nucleo_l452re_p")


def program(data_type: str = "int8") -> Program:
    builder = Builder((4,))
    builder.add("Dense", units=3, arrays=(builder.weights(4, 3, fan_in=4), np.zeros(3, np.float32)))
    samples = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    return lower(quantize(builder.graph(), samples, data_type))


def firmware(*, host: bool = False) -> Firmware:
    return Firmware(
        image=Image(Path("x.elf"), None if host else BOARD.name, 0, None, 4, 3, {}, {}),
        compiler="gcc",
        flags=(),
        elf_sha256="0" * 64,
        rom_bytes=None if host else RomBytes(10, 5, 15),
        ram_static_bytes=None if host else 100,
        arena_bytes=None if host else 40,
    )


def execution(outputs: Any, **changes: Any) -> Execution:
    values: dict[str, Any] = {
        "answers": records(outputs),
        "indices": np.arange(len(outputs)),
        "instructions": np.arange(len(outputs), dtype=np.uint64) + 7,
        "total_instructions": 100,
        "wall_s": 1.23456,
        "emulated_mips": 45.678,
        "stack_bytes": 12,
        "engine": "qemu",
        "engine_version": "7.2",
        "complete": True,
        "notes": (),
    }
    return Execution(**{**values, **changes})


OUTPUTS = np.array([[9, 1, 2], [0, 5, 5], [1, 2, 3]], np.int16)  # as an int8 model answers
LABELS = np.array([0, 2, 2])
POSITIONS = np.array([0, 10, 20])


def measure(
    found: Execution, made: Program, built: Firmware, wanted: Mapping[str, Wanted], positions: Array, timing: Any = None
) -> Measurements:
    return of_samples(of_firmware(made, built, timing), found, made.answer_dtype, wanted, positions)


def measured(found: Execution, built: Firmware, expected: Array, timing: Timing | None = None) -> Measurements:
    judge = Judge(classification, asked(3))
    wanted = {"": Wanted(judge, expected, program().outputs[0].numbers, LABELS)}
    return measure(found, program(), built, wanted, POSITIONS, timing)


def test_figures_of_a_good_run() -> None:
    found = measured(execution(OUTPUTS), firmware(), OUTPUTS)
    assert found.accuracy == pytest.approx(2 / 3), "of equal outputs the first counts"
    assert found.mismatches == 0 and found.first_mismatch is None and found.output_difference_max == 0.0
    assert found.confusion == ((1, 0, 0), (0, 0, 0), (0, 1, 1))
    assert found.instructions == Instructions(8.0, 7, 9)
    assert found.rom_bytes == RomBytes(10, 5, 15)
    assert found.ram_bytes == RamBytes(arena=40, static=100, stack=12, total=152)
    assert (found.samples, found.complete, found.wall_s, found.emulated_mips) == (3, True, 1.235, 45.7)
    assert found.cycles is None and found.latency_ms is None and found.energy_uwh is None
    assert [layer.kind for layer in found.layers] == ["Dense"] and found.layers[0].macs == 12
    assert found.layers[0].kernel == program().steps[0].kernel
    assert (found.task, found.outputs) == ("classification", ()), "one output: nothing is told twice"
    assert found.scores["balanced_accuracy"] == 0.75 and found.classes[2].recall == 0.5


def test_the_first_mismatch_is_named_by_its_place_in_the_test_set() -> None:
    expected = OUTPUTS.copy()
    expected[1, 2] = 4
    expected[2, 0] = -100
    found = measured(execution(OUTPUTS), firmware(), expected)
    assert found.mismatches == 2
    assert found.first_mismatch == Mismatch(sample=10, output=2, expected=4, got=5)
    assert found.output_difference_max == 101 * 2.0 ** -program().outputs[0].numbers.fraction  # type: ignore[union-attr]


def test_an_interrupted_run_counts_what_was_finished() -> None:
    partial = execution(OUTPUTS[[0, 2]], indices=np.array([0, 2]), complete=False, stack_bytes=None)
    found = measured(partial, firmware(), OUTPUTS)
    assert (found.samples, found.complete, found.accuracy, found.mismatches) == (2, False, 1.0, 0)
    assert found.ram_bytes == RamBytes(40, 100, None, None)


def test_a_run_interrupted_before_its_first_sample() -> None:
    nothing = execution(OUTPUTS[:0], indices=np.arange(0), complete=False)
    found = measured(nothing, firmware(), OUTPUTS)
    assert (found.samples, found.accuracy, found.mismatches, found.instructions) == (0, None, 0, None)


def test_the_host_claims_nothing_about_a_board() -> None:
    on_host = execution(OUTPUTS, instructions=None, stack_bytes=None, emulated_mips=None)
    found = measured(on_host, firmware(host=True), OUTPUTS)
    assert found.rom_bytes is None and found.ram_bytes is None and found.instructions is None
    assert found.arena_bytes is not None, "the plan is the same on every engine"


def test_time_is_shared_out_among_the_layers() -> None:
    timing = Timing(
        Cycles(200.0, 190, 210, 2, "modelled"), 0.25, 0.001, {program().steps[0].function: 150.0, "cnn": 200.0}, 1.5
    )
    found = measured(execution(OUTPUTS), firmware(), OUTPUTS, timing)
    assert found.cycles == timing.cycles
    assert (found.latency_ms, found.energy_uwh) == (0.25, 0.001)
    (layer,) = found.layers
    assert (layer.macs, layer.cycles, layer.cycles_per_mac, layer.share) == (12, 150.0, 12.5, 0.75)


def test_a_layer_tells_its_bytes_and_none_are_counted_twice() -> None:
    twice = Builder((4,))
    for _ in range(2):
        twice.add("Dense", units=4, arrays=(np.ones((4, 4), np.float32), np.zeros(4, np.float32)))
    samples = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    shared = lower(quantize(twice.graph(), samples, "int8"))
    one, two = (step.function for step in shared.steps)
    routine = Routine("nn_dot", "", 0, "", KernelCall("dense", (), {}))
    steps = tuple(replace(step, code=replace(step.code, routines=(routine,))) for step in shared.steps)
    shared = replace(shared, steps=steps)
    symbols = {one: 40, two: 44, "nn_dot": 100, f"{one}_kernel": 16, f"{two}_kernel": 16, f"{one}_bias": 8}
    built = firmware()
    found = {name: Symbol(0, size, "object", ".model") for name, size in symbols.items()}
    built = replace(built, image=replace(built.image, symbols=found))
    wanted = {"": Wanted(Judge(none, asked(4)), np.zeros((1, 4), np.int16), shared.outputs[0].numbers)}
    answers = execution(np.zeros((1, 4), np.int16))
    layers = measure(answers, shared, built, wanted, np.arange(1)).layers
    assert [(layer.code_bytes, layer.weight_bytes) for layer in layers] == [(140, 24), (44, 16)], "the first has both's"
    native = measure(answers, shared, firmware(host=True), wanted, np.arange(1)).layers
    assert {(layer.code_bytes, layer.weight_bytes) for layer in native} == {(None, None)}


def test_a_layer_tells_its_kernel_and_how_that_was_varied() -> None:
    builder = Builder((24, 8))
    name = builder.conv(8, 3, padding="same")
    graph = quantize(builder.graph(), builder.samples(4), "int8")
    told = []
    for variant in (Variant(), Variant(2, compact=True)):
        made = program_of(graph, {name: (winograd, variant)})
        outputs = np.zeros((3, 24 * 8), made.outputs[0].dtype)
        wanted = {"": Wanted(Judge(none, asked(24 * 8)), outputs, made.outputs[0].numbers, LABELS)}
        (layer,) = measure(execution(outputs), made, firmware(), wanted, POSITIONS).layers
        told.append((layer.kernel, layer.variant))
    assert told == [("winograd", None), ("winograd", "2 stripes, compact")]


def test_a_layer_without_cycles_has_none() -> None:
    timing = Timing(Cycles(200.0, 190, 210, 2, "modelled"), 0.25, 0.001, {}, 1.5)
    (layer,) = measured(execution(OUTPUTS), firmware(), OUTPUTS, timing).layers
    assert (layer.cycles, layer.cycles_per_mac, layer.share) == (None, None, None)
