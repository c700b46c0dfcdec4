"""What of a model is skipped, for fewer cycles at other answers: a module for each approximation, listed here."""

from collections.abc import Hashable
from dataclasses import replace

from mcusim.approximate import channels, dead_channels, operands, rows
from mcusim.approximate.approximation import Approximation, Degrees, Memory, Reduced, Wanted
from mcusim.graph import Graph
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError

# In the order in which they are made: what costs nothing comes first.
APPROXIMATIONS: tuple[Approximation, ...] = (dead_channels, channels, rows, operands)


def approximated(
    graph: Graph,
    samples: Array,
    wanted: Wanted,
    memory: Memory | None = None,
    origin: Hashable = None,
    *,
    on_integers: bool = False,
) -> Graph:
    """A graph, and calibration samples as it takes them -> one that skips what is `wanted`, and says so.

    `memory`: of others that were made of a graph and samples; two of one `origin` are of the same.
    `on_integers`: of the graph as it was quantized, and what is skipped of that; else of the real one.

    Raises ConfigurationError for a layer that is named and not there, or cannot be approximated so, DataError without
    samples.
    """
    every = (one for one in APPROXIMATIONS if one.ON_INTEGERS is on_integers)
    own = [one for one in every if wanted.degrees[one.NAME].is_any]
    if on_integers and not own:
        return graph
    if not on_integers:  # names are those of the model as it was read
        for degrees in wanted.degrees.values():
            graph.demand_layers(degrees.layers, "[approximation]")
    if len(samples) == 0:
        hint = "give training samples: x_train in the data set"
        raise DataError("approximations need calibration samples", hint=hint)
    made_by = (origin, wanted.significance, wanted.compensation, wanted.seed)
    known = memory or Memory()
    exact = known.steps.do((origin, "exact"), lambda: graph, lambda one: 4 * one.parameters)  # known by its layers
    made = Reduced(exact, exact, samples, skipped=graph.skipped, memory=known, made_by=made_by)
    for approximation in own:
        made = _with_note(made, approximation.reduce(made, wanted), approximation, wanted)
    return made.told()


def _with_note(before: Reduced, made: Reduced, approximation: Approximation, wanted: Wanted) -> Reduced:
    """Nobody takes a model for smaller that is as it was: what was asked for and changed nothing is told."""
    degrees = wanted.degrees[approximation.NAME]
    if made.notes != before.notes or degrees.part < 1 or degrees == Degrees(approximation.DEFAULT):
        return made
    why = "no layer is fit for it, or its share of one is less than two filters"
    return replace(made, notes=(*made.notes, f"'{approximation.NAME}' skips nothing here: {why}"))
