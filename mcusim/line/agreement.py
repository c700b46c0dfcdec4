"""Outcomes -> Runs: every engine that ran the same work should have come to the same."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcusim.engines.engine import Execution
from mcusim.line.case import Outcome
from mcusim.reports.report import Run, RunError
from mcusim.system.arrays import Array
from mcusim.system.errors import EngineError


def agreed(outcomes: Sequence[Outcome]) -> tuple[Run, ...]:
    """Their runs. One that differs from the first engine that ran its work keeps its figures, and gets an error."""
    return tuple(_agreed(outcome, outcomes) for outcome in outcomes)


def _agreed(outcome: Outcome, outcomes: Sequence[Outcome]) -> Run:
    if outcome.execution is None or outcome.positions is None:
        return outcome.run
    same = (other.execution for other in outcomes if other.case.work == outcome.case.work)
    first = next(execution for execution in same if execution is not None)
    difference = compare(first, outcome.execution, outcome.positions)
    if difference is None:
        return outcome.run
    return replace(
        outcome.run,
        error=RunError.of(
            EngineError(difference, where=outcome.case.label, hint="it is a bug of one of them: please report it")
        ),
    )


def compare(one: Execution, other: Execution, positions: Array) -> str | None:
    """How two engines differ that were given the same samples: any bit of an output, any instruction of the model.

    None when they do not. `positions` are the samples' indices in the test set.
    """
    both, in_one, in_other = np.intersect1d(one.indices, other.indices, return_indices=True)
    found = []
    wrong = one.answers[in_one] != other.answers[in_other]
    found += _told("outputs", wrong.any(axis=1), positions[both])
    if one.instructions is not None and other.instructions is not None:
        found += _told("instructions", one.instructions[in_one] != other.instructions[in_other], positions[both])
    return f"{other.engine} and {one.engine} differ in {' and '.join(found)}" if found else None


def _told(what: str, wrong: Array, samples: Array) -> list[str]:
    return [f"the {what} of {wrong.sum()} samples, first of sample {samples[wrong][0]}"] if wrong.any() else []
