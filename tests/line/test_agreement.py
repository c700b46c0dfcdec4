"""Engines that ran the same work, held against each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.engines.engine import Execution, records
from mcusim.line.agreement import agreed, compare
from mcusim.line.part import Outcome, Part, Span
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


def outcome(engine: str, seen: Execution | None, board: str = "nucleo_l452re_p", *rows: int) -> Outcome:
    """`rows`: which of the samples; all of them when none is named."""
    run = Run(id=f"{engine}-{board}", model="m", data_type="int8", board=board, engine=engine)
    if seen is None:
        return Outcome(run)
    positions = POSITIONS[list(rows)] if rows else POSITIONS
    span = Span(0, len(positions), len(POSITIONS))
    return Outcome(run, Part(run, run.label, board, span, seen, np.dtype((np.int8, (2,))), {}, positions))


def compared(one: Execution, other: Execution, positions: np.ndarray = POSITIONS) -> str | None:
    first, second = (replace(each, indices=positions[each.indices]) for each in (one, other))
    return compare(first, second)


PARTS = {"qemu": OUTPUTS[:2], "renode": OUTPUTS[1:]}


def changed(row: int) -> np.ndarray:
    outputs = OUTPUTS.copy()
    outputs[row] += 1
    return outputs


def test_equal_engines_agree() -> None:
    assert compared(execution("qemu", counts=[7, 8, 9]), execution("renode", counts=[7, 8, 9])) is None


def test_a_difference_is_told_with_its_sample() -> None:
    told = compared(execution("qemu", counts=[7, 8, 9]), execution("renode", changed(1), [7, 8, 1]))
    assert told == (
        "renode and qemu differ in the outputs of 1 samples, first of sample 10 "
        "and the instructions of 1 samples, first of sample 20"
    )


def test_instructions_of_an_engine_that_does_not_count_are_no_difference() -> None:
    assert compared(execution("qemu", counts=[7, 8, 9]), execution("host")) is None


def test_only_samples_that_both_finished_are_compared() -> None:
    short = replace(execution("renode", OUTPUTS[1:]), indices=np.array([1, 2]), complete=False)
    assert compared(execution("qemu", changed(0)), short) is None


@pytest.mark.parametrize("bits", [(0.0, -0.0), (np.nan, -np.nan)])
def test_floats_are_compared_bit_for_bit(bits: tuple[float, float]) -> None:
    one, other = (execution(name, np.array([[bit]], np.float32)) for name, bit in zip("ab", bits, strict=True))
    assert compared(one, other, np.array([4])) == "b and a differ in the outputs of 1 samples, first of sample 4"


def test_a_run_that_differs_keeps_its_figures_and_gets_an_error() -> None:
    first, second = agreed([outcome("qemu", execution("qemu")), outcome("renode", execution("renode", changed(2)))])
    assert first.error is None and second.error is not None
    assert second.error.kind == "EngineError" and "first of sample 20" in second.error.message
    assert replace(second, error=None) == outcome("renode", None).run


def test_only_the_same_work_is_compared() -> None:
    other = outcome("renode", execution("renode", changed(0)), board="sparkfun_edge")
    assert all(run.error is None for run in agreed([outcome("qemu", execution("qemu")), other]))


def test_only_samples_that_both_were_given_are_compared() -> None:
    """As in a shard, where engines have other parts of the same work."""
    parts = {name: replace(execution(name, seen), answers=records(seen)) for name, seen in PARTS.items()}
    first, second = outcome("qemu", parts["qemu"], "b", 0, 1), outcome("renode", parts["renode"], "b", 1, 2)
    assert all(run.error is None for run in agreed([first, second]))


def test_a_failed_run_is_no_reference() -> None:
    runs = agreed([outcome("qemu", None), outcome("renode", execution("renode"))])
    assert [run.error for run in runs] == [None, None]
