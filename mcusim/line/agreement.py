"""Outcomes -> Runs: every engine that ran the same work should have come to the same."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcusim.engines.engine import Execution
from mcusim.line.part import Outcome, Part
from mcusim.reports.report import Run, RunError
from mcusim.system.arrays import Array
from mcusim.system.errors import EngineError


def agreed(outcomes: Sequence[Outcome]) -> tuple[Run, ...]:
    """Their runs. One that differs from the first engine that ran its work keeps its figures, and gets an error."""
    return tuple(_agreed(outcome, outcomes) for outcome in outcomes)


def _agreed(outcome: Outcome, outcomes: Sequence[Outcome]) -> Run:
    own = outcome.part
    if own is None:
        return outcome.run
    first = next(other.part for other in outcomes if other.part and other.part.work == own.work)
    difference = compare(_seen(first), _seen(own))
    if difference is None:
        return outcome.run
    hint = "it is a bug of one of them: please report it"
    return replace(outcome.run, error=RunError.of(EngineError(difference, where=own.label, hint=hint)))


def _seen(part: Part) -> Execution:
    """Its samples as the test set counts them: two engines may have run others of the same work."""
    return replace(part.execution, indices=part.positions[part.execution.indices])


def compare(one: Execution, other: Execution) -> str | None:
    """How two engines differ in the samples that both were given: any bit of an output, any instruction of the model.

    None when they do not.
    """
    both, in_one, in_other = np.intersect1d(one.indices, other.indices, return_indices=True)
    found = []
    wrong = one.answers[in_one] != other.answers[in_other]
    found += _told("outputs", wrong.any(axis=1), both)
    if one.instructions is not None and other.instructions is not None:
        found += _told("instructions", one.instructions[in_one] != other.instructions[in_other], both)
    return f"{other.engine} and {one.engine} differ in {' and '.join(found)}" if found else None


def _told(what: str, wrong: Array, samples: Array) -> list[str]:
    return [f"the {what} of {wrong.sum()} samples, first of sample {samples[wrong][0]}"] if wrong.any() else []
