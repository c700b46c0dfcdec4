"""Parts of a case -> its Run: what an engine saw of some samples, put together, is worth what it is worth at once.

A whole run is one Part, a run on several machines has several. Each is a value that another process can send: nothing
is averaged before all of them are there, so that not a bit depends on how many there were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from mcusim.engines.engine import Execution, LayerSums, Silicon
from mcusim.line.destination import over_ram
from mcusim.line.measure import of_samples
from mcusim.line.score import Decoding, Wanted, scores_of_real
from mcusim.line.silicon import with_silicon
from mcusim.reports.report import Run, RunError
from mcusim.system.arrays import Array


@dataclass(frozen=True)
class Span:
    """Samples `first` up to `end` of the `of` that a case has, in the order in which one run takes them."""

    first: int
    end: int
    of: int

    @classmethod
    def whole(cls, of: int) -> "Span":
        return cls(0, of, of)


@dataclass(frozen=True, eq=False)
class Part:
    """What a case came to in some of its samples.

    `run`: what is the same whichever samples run. `execution` counts its samples from the first of `span`; `wanted` and
    `positions`, their indices in the test set, have a row for each. `answer`: the type of one, as the firmware has it.
    `work`: what other engines should come to the same in. `ram_max`: what the run was made for, where it was.
    """

    run: Run
    label: str
    work: str
    span: Span
    execution: Execution
    answer: np.dtype[Any]
    wanted: Mapping[str, Wanted]
    positions: Array
    ram_max: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a case, or of a part of it. `part` is None when it failed."""

    run: Run
    part: Part | None = None


def outcome_of(part: Part) -> Outcome:
    """Part -> Run. Where boards were in trouble it has the error, and figures of what was finished before."""
    finished = {name: one.at(part.execution.indices) for name, one in part.wanted.items()}
    accuracy_float, scores_float = _scores_of_float(finished)
    run = of_samples(part.run, part.execution, part.answer, part.wanted, part.positions)
    notes = (*run.notes, *over_ram(run.ram_bytes, part.ram_max), *part.execution.notes)
    run = replace(run, accuracy_float=accuracy_float, scores_float=scores_float, notes=notes)
    run = with_silicon(run, part.execution)
    error = RunError.of(part.execution.trouble) if part.execution.trouble else None
    return Outcome(replace(run, cached=part.execution.cached, error=error), part)


def _scores_of_float(wanted: Mapping[str, Wanted]) -> tuple[float | None, Mapping[str, float | None]]:
    """None where the model never was one of float32."""
    real = {name: replace(one, expected=one.of_float) for name, one in wanted.items() if one.of_float is not None}
    return scores_of_real(real) if real else (None, {})


def joined(parts: Sequence[Part]) -> Part:
    """Parts of one case, one after the other: `span`s without a gap, and complete."""
    first, last = parts[0], parts[-1]
    wanted = {name: _joined_wanted([part.wanted[name] for part in parts]) for name in first.wanted}
    return replace(
        first,
        span=Span(first.span.first, last.span.end, first.span.of),
        execution=_joined_execution(parts),
        wanted=wanted,
        positions=np.concatenate([part.positions for part in parts]),
    )


def _joined_wanted(several: Sequence[Wanted]) -> Wanted:
    first = several[0]
    columns = {name: _rows([getattr(one, name) for one in several]) for name in ("labels", "samples", "of_float")}
    expected = np.concatenate([one.expected for one in several])
    return Wanted(first.judge, expected, _numbers(several), **columns)


def _numbers(several: Sequence[Wanted]) -> Decoding | None:
    """The numbers of an output. Of parts that were read each knows those of its own samples."""
    numbers = [one.numbers for one in several]
    stored = [one for one in numbers if isinstance(one, StoredNumbers)]
    return StoredNumbers.of_several(stored) if stored else numbers[0]


def _rows(parts: Sequence[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None


def _joined_execution(parts: Sequence[Part]) -> Execution:
    """As one engine would have told it. Emulators that ran at the same time are taken for one that ran longer."""
    each = [part.execution for part in parts]
    wall_s, total = sum(one.wall_s for one in each), sum(one.total_instructions for one in each)
    stacks = [one.stack_bytes for one in each if one.stack_bytes is not None]
    return replace(
        each[0],
        answers=np.concatenate([one.answers for one in each]),
        indices=np.arange(sum(len(one.indices) for one in each)),
        instructions=_rows([one.instructions for one in each]),
        wall_s=wall_s,
        total_instructions=total,
        emulated_mips=total / wall_s / 1e6 if each[0].emulated_mips is not None and wall_s else None,
        stack_bytes=max(stacks, default=None),
        notes=tuple(dict.fromkeys(note for one in each for note in one.notes)),
        cycle_counter=_rows([one.cycle_counter for one in each]),
        silicon=_joined_silicon([one.silicon for one in each if one.silicon]),
        cached=all(one.cached for one in each),
    )


def _joined_silicon(several: Sequence[Silicon]) -> Silicon | None:
    """What boards took is the mean of those that a meter was at, where there is any."""
    if not several:
        return None
    layers = [one.layers for one in several if one.layers]
    powers = [one.power_w for one in several if one.metered] or [one.power_w for one in several]
    energies = [one.energy_j for one in several if one.energy_j is not None]
    return replace(
        several[0],
        boards=tuple(name for one in several for name in one.boards),
        clock_hz=tuple(clock for one in several for clock in one.clock_hz),
        cold_cycles=tuple(cycles for one in several for cycles in one.cold_cycles),
        power_w=sum(powers) / len(powers),
        metered=any(one.metered for one in several),
        energy_j=sum(energies) / len(energies) if energies else None,
        emulated=any(one.emulated for one in several),
        layers=reduce(LayerSums.plus, layers) if layers else None,
    )


@dataclass(frozen=True, eq=False)
class StoredNumbers:
    """What integers stand for, of those that occur: sorted `stored` and their `real`, float32. Made of any Numbers."""

    stored: Array
    real: Array

    @classmethod
    def of(cls, numbers: Decoding, *raw: Array) -> "StoredNumbers":
        stored = np.unique(np.concatenate([one.reshape(-1) for one in raw]))
        return cls(stored, np.asarray(numbers.decode(stored), np.float32))

    @classmethod
    def of_several(cls, each: Sequence["StoredNumbers"]) -> "StoredNumbers":
        stored, at = np.unique(np.concatenate([one.stored for one in each]), return_index=True)
        return cls(stored, np.concatenate([one.real for one in each])[at])

    def decode(self, q: Array) -> Array:
        """Raises ValueError for one that it does not know."""
        at = np.minimum(np.searchsorted(self.stored, q), len(self.stored) - 1)
        if (self.stored[at] != q).any():
            raise ValueError("it holds a number that it does not tell the meaning of")
        return np.asarray(self.real[at])
