"""Real Graph -> Graph: the smallest biases are left out."""

from dataclasses import replace

import numpy as np

from mcusim.approximate.approximation import Reduced, Wanted, listed
from mcusim.graph import Skipped
from mcusim.layers.weighted_sum import WeightedSum

NAME = "biases"
SUMMARY = "biases are left out"
DEFAULT = 0
ON_INTEGERS = False


def reduce(made: Reduced, wanted: Wanted) -> Reduced:
    layers, skipped = [], []
    for layer in made.graph:
        if isinstance(layer, WeightedSum) and (count := wanted.degrees[NAME].count(layer.name, len(layer.bias))):
            skipped.append(Skipped(NAME, layer.name, count, len(layer.bias)))
            bias = layer.bias.copy()
            bias[np.argsort(np.abs(bias))[:count]] = 0
            layer = replace(layer, bias=bias)
        layers.append(layer)
    told = f"biases are left out: {listed(tuple(skipped))}"
    return replace(
        made, graph=replace(made.graph, layers=tuple(layers)), skipped=tuple(skipped), notes=(*made.notes, told)
    )
