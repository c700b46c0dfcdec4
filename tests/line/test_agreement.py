"""Engines that ran the same work, held against each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.engines.engine import Execution, records
from mcusim.experiment.case import Case
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import Model
from mcusim.line.agreement import agreed, compare
from mcusim.line.case import Outcome
from mcusim.reports.report import Run

OUTPUTS = np.array([[1, 2], [3, 4], [5, 6]], np.int8)
POSITIONS = np.array([0, 10, 20])


def execution(engine: str, outputs: np.ndarray = OUTPUTS, counts: list[int] | None = None) -> Execution:
    return Execution(
        answers=records(outputs),
        indices=np.arange(len(outputs)),
        instructions=None if counts is None else np.array(counts, np.uint64),
        total_instructions=0,
        wall_s=1.0,
        emulated_mips=None,
        stack_bytes=None,
        engine=engine,
        engine_version="1",
        complete=True,
        notes=(),
    )


def outcome(engine: str, seen: Execution | None, board: str = "nucleo_l452re_p") -> Outcome:
    case = Case(engine, Model(name="m", file=Path("m")), 0, Quantization(data_type="int8"), board, engine)
    run = Run(id=f"{engine}-{board}", model="m", data_type="int8", board=board, engine=engine)
    return Outcome(case, run, seen, POSITIONS)


def changed(row: int) -> np.ndarray:
    outputs = OUTPUTS.copy()
    outputs[row] += 1
    return outputs


def test_equal_engines_agree() -> None:
    assert compare(execution("qemu", counts=[7, 8, 9]), execution("renode", counts=[7, 8, 9]), POSITIONS) is None


def test_a_difference_is_told_with_its_sample() -> None:
    told = compare(execution("qemu", counts=[7, 8, 9]), execution("renode", changed(1), [7, 8, 1]), POSITIONS)
    assert told == (
        "renode and qemu differ in the outputs of 1 samples, first of sample 10 "
        "and the instructions of 1 samples, first of sample 20"
    )


def test_instructions_of_an_engine_that_does_not_count_are_no_difference() -> None:
    assert compare(execution("qemu", counts=[7, 8, 9]), execution("host"), POSITIONS) is None


def test_only_samples_that_both_finished_are_compared() -> None:
    short = replace(execution("renode", OUTPUTS[1:]), indices=np.array([1, 2]), complete=False)
    assert compare(execution("qemu", changed(0)), short, POSITIONS) is None


@pytest.mark.parametrize("bits", [(0.0, -0.0), (np.nan, -np.nan)])
def test_floats_are_compared_bit_for_bit(bits: tuple[float, float]) -> None:
    one, other = (execution(name, np.array([[bit]], np.float32)) for name, bit in zip("ab", bits, strict=True))
    assert compare(one, other, np.array([4])) == "b and a differ in the outputs of 1 samples, first of sample 4"


def test_a_run_that_differs_keeps_its_figures_and_gets_an_error() -> None:
    first, second = agreed([outcome("qemu", execution("qemu")), outcome("renode", execution("renode", changed(2)))])
    assert first.error is None and second.error is not None
    assert second.error.kind == "EngineError" and "first of sample 20" in second.error.message
    assert replace(second, error=None) == outcome("renode", None).run


def test_only_the_same_work_is_compared() -> None:
    other = outcome("renode", execution("renode", changed(0)), board="sparkfun_edge")
    assert all(run.error is None for run in agreed([outcome("qemu", execution("qemu")), other]))


def test_a_failed_run_is_no_reference() -> None:
    runs = agreed([outcome("qemu", None), outcome("renode", execution("renode"))])
    assert [run.error for run in runs] == [None, None]
