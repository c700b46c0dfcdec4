"""What of a model is skipped, for fewer cycles at other answers: a module for each approximation, listed here."""

from mcusim.approximate import channels, dead_channels, rows
from mcusim.approximate.approximation import Approximation, Reduced, Wanted
from mcusim.graph import Graph
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError

# In the order in which they are made: what costs nothing comes first.
APPROXIMATIONS: tuple[Approximation, ...] = (dead_channels, channels, rows)


def approximated(graph: Graph, samples: Array, wanted: Wanted) -> Graph:
    """A real graph, and calibration samples as it takes them -> one that skips what is `wanted`, and says so.

    Raises ConfigurationError for a layer that is named and not there, or cannot be approximated so, DataError without
    samples.
    """
    for degrees in wanted.degrees.values():
        graph.demand_layers(degrees.layers, "[approximation]")
    if len(samples) == 0:
        hint = "give training samples: x_train in the data set"
        raise DataError("approximations need calibration samples", hint=hint)
    made = Reduced(graph, graph, samples)
    for approximation in APPROXIMATIONS:
        if wanted.degrees[approximation.NAME].is_any:
            made = approximation.reduce(made, wanted)
    return made.told()
