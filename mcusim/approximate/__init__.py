"""What of a model is skipped, for fewer cycles at other answers: a module for each approximation, listed here."""

from collections.abc import Hashable

from mcusim.approximate import channels, dead_channels, rows
from mcusim.approximate.approximation import MOST_BYTES, Approximation, Reduced, Wanted
from mcusim.graph import Graph
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from mcusim.system.remembered import Remembered

# In the order in which they are made: what costs nothing comes first.
APPROXIMATIONS: tuple[Approximation, ...] = (dead_channels, channels, rows)


def approximated(
    graph: Graph, samples: Array, wanted: Wanted, memory: Remembered | None = None, origin: Hashable = None
) -> Graph:
    """A real graph, and calibration samples as it takes them -> one that skips what is `wanted`, and says so.

    `memory`: of others that were made of a graph and samples; two of one `origin` are of the same.

    Raises ConfigurationError for a layer that is named and not there, or cannot be approximated so, DataError without
    samples.
    """
    for degrees in wanted.degrees.values():
        graph.demand_layers(degrees.layers, "[approximation]")
    if len(samples) == 0:
        hint = "give training samples: x_train in the data set"
        raise DataError("approximations need calibration samples", hint=hint)
    made_by = (origin, wanted.significance, wanted.compensation, wanted.seed)
    made = Reduced(graph, graph, samples, memory=memory or Remembered(MOST_BYTES), made_by=made_by)
    for approximation in APPROXIMATIONS:
        if wanted.degrees[approximation.NAME].is_any:
            made = approximation.reduce(made, wanted)
    return made.told()
