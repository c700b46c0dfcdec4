"""What outputs and counts are worth, on numbers small enough to check by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.boards.board import load_board
from mcusim.datasets.dataset import Dataset
from mcusim.engines.engine import Execution, records
from mcusim.line.build import Firmware, RomBytes
from mcusim.line.lower import Program, lower
from mcusim.line.measure import (
    Cycles,
    Instructions,
    Mismatch,
    RamBytes,
    Timing,
    accuracy,
    check_fits,
    compare,
    decide,
    measure,
)
from mcusim.line.quantize import quantize
from mcusim.system.errors import DataError
from mcusim.system.image import Image
from tests.graphs import Builder

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


OUTPUTS = np.array([[9, 1, 2], [0, 5, 5], [1, 2, 3]], np.int8)
LABELS = np.array([0, 2, 2])
POSITIONS = np.array([0, 10, 20])


def test_figures_of_a_good_run() -> None:
    found = measure(execution(OUTPUTS), OUTPUTS, LABELS, program(), firmware(), OUTPUTS, POSITIONS)
    assert found.accuracy == pytest.approx(2 / 3), "of equal outputs the first counts"
    assert found.mismatches == 0 and found.first_mismatch is None and found.output_difference_max == 0.0
    assert found.confusion == ((1, 0, 0), (0, 0, 0), (0, 1, 1))
    assert found.instructions == Instructions(8.0, 7, 9)
    assert found.rom_bytes == RomBytes(10, 5, 15)
    assert found.ram_bytes == RamBytes(arena=40, static=100, stack=12, total=152)
    assert (found.samples, found.complete, found.wall_s, found.emulated_mips) == (3, True, 1.235, 45.7)
    assert found.cycles is None and found.latency_ms is None and found.energy_uwh is None
    assert [layer.kind for layer in found.layers] == ["Dense"] and found.layers[0].macs == 12


def test_the_first_mismatch_is_named_by_its_place_in_the_test_set() -> None:
    expected = OUTPUTS.copy()
    expected[1, 2] = 4
    expected[2, 0] = -100
    found = measure(execution(OUTPUTS), OUTPUTS, LABELS, program(), firmware(), expected, POSITIONS)
    assert found.mismatches == 2
    assert found.first_mismatch == Mismatch(sample=10, output=2, expected=4, got=5)
    assert found.output_difference_max == 101 * 2.0 ** -program().output_format.fraction  # type: ignore[union-attr]


def test_floats_may_round_differently_but_must_decide_the_same() -> None:
    expected = np.array([[0.1, 0.9], [0.6, 0.4]], np.float32)
    outputs = expected + np.float32(1e-6)
    wrong, distance = compare(outputs, expected, program("float32"))
    assert not wrong.any() and distance == pytest.approx(1e-6, rel=0.1)
    outputs[1] = [0.4, 0.45]
    found = measure(
        execution(outputs), outputs, np.array([1, 0]), program("float32"), firmware(), expected, np.array([3, 4])
    )
    assert found.mismatches == 1 and found.first_mismatch is not None
    assert (found.first_mismatch.sample, found.first_mismatch.output) == (4, 0)
    assert found.first_mismatch.got == pytest.approx(0.4) and found.first_mismatch.expected == pytest.approx(0.6)


@pytest.mark.parametrize("rubbish", [np.nan, np.inf])
def test_outputs_that_are_no_numbers_are_mismatches_and_never_reach_the_report(rubbish: float) -> None:
    expected = np.array([[0.1, 0.9]], np.float32)
    outputs = np.array([[rubbish, 0.9]], np.float32)
    found = measure(execution(outputs), outputs, np.array([1]), program("float32"), firmware(), expected, np.array([0]))
    assert found.mismatches == 1 and found.output_difference_max is None
    assert found.first_mismatch is not None
    assert found.first_mismatch.output == 0 and found.first_mismatch.got is None


def test_nan_never_decides() -> None:
    assert decide(np.array([[np.nan, -5.0], [np.nan, np.nan]])).tolist() == [1, 0]


def test_an_interrupted_run_counts_what_was_finished() -> None:
    partial = execution(OUTPUTS[[0, 2]], indices=np.array([0, 2]), complete=False, stack_bytes=None)
    found = measure(partial, OUTPUTS[[0, 2]], LABELS, program(), firmware(), OUTPUTS, POSITIONS)
    assert (found.samples, found.complete, found.accuracy, found.mismatches) == (2, False, 1.0, 0)
    assert found.ram_bytes == RamBytes(40, 100, None, None)


def test_a_run_interrupted_before_its_first_sample() -> None:
    nothing = execution(OUTPUTS[:0], indices=np.arange(0), complete=False)
    found = measure(nothing, OUTPUTS[:0], LABELS, program(), firmware(), OUTPUTS, POSITIONS)
    assert (found.samples, found.accuracy, found.mismatches, found.instructions) == (0, None, 0, None)


def test_the_host_claims_nothing_about_a_board() -> None:
    on_host = execution(OUTPUTS, instructions=None, stack_bytes=None, emulated_mips=None)
    found = measure(on_host, OUTPUTS, LABELS, program(), firmware(host=True), OUTPUTS, POSITIONS)
    assert found.rom_bytes is None and found.ram_bytes is None and found.instructions is None
    assert found.arena_bytes is not None, "the plan is the same on every engine"


def test_accuracy_of_nothing() -> None:
    assert accuracy(np.zeros((0, 3)), np.zeros(0, np.int64)) == 0.0


def dataset(shape: tuple[int, ...], classes: int) -> Dataset:
    x, y = np.zeros((2, *shape), np.float32), np.zeros(2, np.int64)
    return Dataset("mine", x, y, x, y, tuple(map(str, range(classes))))


def test_a_model_that_does_not_fit_the_data() -> None:
    builder = Builder((4,))
    builder.add("Dense", units=3, arrays=(builder.weights(4, 3, fan_in=4), np.zeros(3, np.float32)))
    graph = builder.graph()
    check_fits(graph, dataset((4,), 3))
    with pytest.raises(DataError, match=r"samples of data set 'mine' have shape \(5,\), model 'model' takes \(4,\)"):
        check_fits(graph, dataset((5,), 3))
    with pytest.raises(DataError, match="has 6 classes, model 'model' tells 3 apart"):
        check_fits(graph, dataset((4,), 6))


def test_time_is_shared_out_among_the_layers() -> None:
    timing = Timing(
        Cycles(200.0, 190, 210, 2, "modelled"), 0.25, 0.001, {program().layers[0].function: 150.0, "cnn": 200.0}, 1.5
    )
    found = measure(execution(OUTPUTS), OUTPUTS, LABELS, program(), firmware(), OUTPUTS, POSITIONS, timing)
    assert found.cycles == timing.cycles
    assert (found.latency_ms, found.energy_uwh) == (0.25, 0.001)
    (layer,) = found.layers
    assert (layer.macs, layer.cycles, layer.cycles_per_mac, layer.share) == (12, 150.0, 12.5, 0.75)


def test_a_layer_without_cycles_has_none() -> None:
    timing = Timing(Cycles(200.0, 190, 210, 2, "modelled"), 0.25, 0.001, {}, 1.5)
    (layer,) = measure(execution(OUTPUTS), OUTPUTS, LABELS, program(), firmware(), OUTPUTS, POSITIONS, timing).layers
    assert (layer.cycles, layer.cycles_per_mac, layer.share) == (None, None, None)
