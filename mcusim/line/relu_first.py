"""Graph -> Graph: an activation behind a max-pool moves before it, so that what the pool reads has no numbers below 0.

The largest of limited numbers is the limited largest one: no real number changes. Of integers what the layer before the
pool stores covers half of the range then, in steps as much finer, and its sums end in fewer instructions.
"""

from dataclasses import replace

from mcusim.graph import Graph, Layer
from mcusim.layers import Add, MaxPooling
from mcusim.layers.merge import Merge
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.numbers import LINEAR


def relu_first(graph: Graph) -> Graph:
    """Where only the pool reads that layer, which ends in a sum without an activation."""
    new: dict[str, Layer] = {}
    for pool in graph:
        if isinstance(pool, MaxPooling) and pool.activation != LINEAR and _reads_a_sum(graph, pool):
            first = graph[pool.inputs[0]]
            limited = replace(first, activation=pool.activation)  # type: ignore[call-arg]
            above_zero = limited.nonnegative((False,) * len(first.inputs))  # which kernels behind the pool want to know
            new[first.name], new[pool.name] = limited, replace(pool, activation=LINEAR, above_zero=above_zero)
    return replace(graph, layers=tuple(new.get(layer.name, layer) for layer in graph)) if new else graph


def _reads_a_sum(graph: Graph, pool: MaxPooling) -> bool:
    first = graph[pool.inputs[0]]
    if not isinstance(first, WeightedSum | Add | Merge) or first.activation != LINEAR:
        return False
    return len(graph.consumers(first.name)) == 1 and all(end.name != first.name for end in graph.ends)
