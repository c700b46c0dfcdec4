"""Some seeds -> a model each, side by side in one library: what its C computes, against `Graph.run`.

Integers have its bits, whatever kernels run. Reals are as near as rounding lets them be, and have the bits of plain C.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mcusim.graph import Graph, Layer, Output
from mcusim.program import Program
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of, records_of
from tests.compiled import run_compiled
from tools.fuzz.choices import CHOICES, Choice, is_in
from tools.fuzz.fronts import FRONTS, Case, Front, Refused, first
from tools.fuzz.kind import Failure, Kind, NotHere, Outcome, packages, told
from tools.fuzz.systems import SYSTEMS, System, quantized

TOGETHER, LONGEST_S = 16, 900.0
RELATIVE, ABSOLUTE = 1e-4, 1e-5  # of reals, the second of the largest number anywhere in the network
AS_STORED = "as its file has them"

Answers = Callable[[Graph, Array, Program], Array]


@dataclass(frozen=True)
class Setting:
    """Of all seeds that are tried together. `system`: of models of reals alone."""

    system: System
    choice: Choice


@dataclass(frozen=True)
class Tried:
    """`system`: what its numbers are called."""

    seed: int
    graph: Graph
    x: Array
    system: str

    @property
    def has_reals(self) -> bool:
        return any(layer.numbers is None for layer in self.graph)


def setting_of(name: str, seed: int, choices: Sequence[Choice] = CHOICES) -> Setting:
    """`name`: of the kind, each of which goes its own way."""
    random = np.random.default_rng([seed // TOGETHER, *name.encode()])
    return Setting(SYSTEMS[int(random.integers(len(SYSTEMS)))], choices[int(random.integers(len(choices)))])


def run(front: Front, seeds: Sequence[int], folder: Path) -> Outcome:
    outcome, setting = Outcome(), setting_of(front.name, seeds[0])
    tried = [one for seed in seeds if (one := made(front, seed, setting, folder, outcome)) is not None]
    if tried:
        judge(tried, setting.choice, outcome, lambda graph, x, program: run_compiled(graph, x, program=program))
    return outcome


def made(front: Front, seed: int, setting: Setting, folder: Path, outcome: Outcome) -> Tried | None:
    """The model of a seed in numbers; None, and a count or a failure, where there is none."""
    outcome.counts["all"] += 1
    try:
        with packages():
            case = front.make(seed, folder)
        return _tried(case, seed, setting.system)
    except Refused:
        outcome.counts["refused"] += 1
    except NotHere:
        raise
    except Exception as error:
        outcome.failures.append(Failure(seed, told(error)))
    return None


def _tried(case: Case, seed: int, system: System) -> Tried:
    if case.graph.is_quantized:
        return Tried(seed, case.graph, case.x, AS_STORED)
    usual = first(case.x, case.usual)
    graph = quantized(case.graph, usual, system, np.random.default_rng([seed, 3]))
    return Tried(seed, graph, case.x if graph.is_quantized else usual, str(system))


def judge(tried: Sequence[Tried], choice: Choice, outcome: Outcome, answers: Answers) -> None:
    """Adds counts and failures. What goes wrong with all of them is looked for in each alone."""
    graph, x = side_by_side([one.graph for one in tried]), joined(tried)
    try:
        program = choice.program(graph, np.random.default_rng([tried[0].seed, 5]))
        got = _by_output(graph, answers(graph, x, program))
        plain = _by_output(graph, run_compiled(graph, x)) if any(one.has_reals for one in tried) else {}
    except Exception as error:
        if len(tried) > 1:
            return _judge_each(tried, choice, outcome, answers, told(error))
        outcome.failures.append(Failure(tried[0].seed, told(error)))
        return None
    for number, one in enumerate(tried):
        what = difference(one, number, got, plain)
        outcome.failures += [Failure(one.seed, f"{one.system}, {choice.name}: {what}")] if what else []
        outcome.counts[f"numbers: {one.system}"] += 1
        outcome.counts[f"kernels: {choice.name}"] += is_in(program, _name(number, ""), choice)
    return None


def _judge_each(tried: Sequence[Tried], choice: Choice, outcome: Outcome, answers: Answers, why: str) -> None:
    before = len(outcome.failures)
    for one in tried:
        judge([one], choice, outcome, answers)
    if len(outcome.failures) == before:
        outcome.failures.append(Failure(tried[0].seed, f"only with those after it: {why}"))


def difference(one: Tried, number: int, got: Mapping[str, Array], plain: Mapping[str, Array]) -> str:
    """What is wrong with the answers of a model; nothing where they are right."""
    x = first(one.x, len(next(iter(got.values()))))
    wanted = _by_output(one.graph, one.graph.run(x))
    for end, (name, expected) in zip(one.graph.ends, wanted.items(), strict=True):
        ours = got[_name(number, name)]
        if one.has_reals and not np.array_equal(ours, plain[_name(number, name)], equal_nan=True):
            return f"{name} has other bits than in plain C"
        if end.numbers is None and not _near(ours, expected, one.graph, x):
            return f"{name} is off by {np.nanmax(np.abs(ours - expected))}"
        if not one.has_reals and not np.array_equal(ours, expected):
            return f"{name} differs in {np.count_nonzero(ours != expected)} of {expected.size} numbers"
    return ""


def _near(ours: Array, expected: Array, graph: Graph, x: Array) -> bool:
    largest = max(*(values.peak for values in graph.ranges(x).values()), 1e-30)
    return bool(np.allclose(ours, expected, rtol=RELATIVE, atol=ABSOLUTE * largest, equal_nan=True))


def side_by_side(graphs: Sequence[Graph]) -> Graph:
    """One with the inputs, layers and outputs of all. They have numbers of one kind."""
    made = [_renamed(graph, number) for number, graph in enumerate(graphs)]
    layers = [layer for graph in made for layer in graph]
    ordered = [layer for layer in layers if layer.INPUT] + [layer for layer in layers if not layer.INPUT]
    outputs = tuple(output for graph in made for output in graph.outputs)
    return replace(graphs[0], layers=tuple(ordered), name="fuzz", notes=(), outputs=outputs)


def _renamed(graph: Graph, number: int) -> Graph:
    def own(layer: Layer) -> Layer:
        inputs = tuple(_name(number, name) for name in layer.inputs)
        return replace(layer, name=_name(number, layer.name), inputs=inputs)

    outputs = tuple(Output(_name(number, one.name), _name(number, one.layer)) for one in graph.outputs)
    return replace(graph, layers=tuple(own(layer) for layer in graph), outputs=outputs)


def _name(number: int, name: str) -> str:
    return f"g{number}_{name}"


def joined(tried: Sequence[Tried]) -> Array:
    """Samples of all, as many as each has."""
    count = min(len(one.x) for one in tried)
    return records_of(
        {
            _name(number, layer.name): field[:count]
            for number, one in enumerate(tried)
            for layer, field in zip(one.graph.inputs, fields_of(one.x).values(), strict=True)
        }
    )


def _by_output(graph: Graph, answers: Array) -> dict[str, Array]:
    return dict(zip((output.name for output in graph.outputs), fields_of(answers).values(), strict=True))


KINDS = tuple(Kind(front.name, TOGETHER, LONGEST_S, partial(run, front)) for front in FRONTS)
