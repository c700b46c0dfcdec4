"""Layers whose scales are powers of two -> the same layers on affine numbers, with factors and zeros by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers import affine
from mcusim.numbers.affine import Affine, Scaled
from mcusim.numbers.formats import Format
from mcusim.numbers.numbers import Numbers


def affine_graph(graph: Graph, seed: int = 0, *, unsigned: bool = True, inputs_zero: int | None = None) -> Graph:
    """Of sums and of layers that keep their numbers. `unsigned`: are the outputs of a ReLU stored without a sign?

    A third of the zeros lie at an end of their range, if not told by `inputs_zero`; factors differ by channel, or not.
    """
    random = np.random.default_rng(seed)
    made: dict[str, Layer] = {}
    for layer in graph:
        inputs = [made[name].numbers for name in layer.inputs]
        if isinstance(layer, WeightedSum):
            made[layer.name] = _sum(layer, inputs[0], random, unsigned)
        else:
            own = inputs[0] if inputs else _numbers(layer.numbers, random, relu=False, unsigned=False)
            if not inputs and inputs_zero is not None:
                own = replace(own, zero=inputs_zero)  # type: ignore[type-var]
            made[layer.name] = replace(layer, numbers=own)
    return replace(graph, layers=tuple(made.values()), scheme="affine")


def _sum(layer: WeightedSum, entry: Numbers | None, random: np.random.Generator, unsigned: bool) -> WeightedSum:
    assert isinstance(entry, Affine) and isinstance(layer.kernel_numbers, Format)
    relu = layer.activation.relu
    out = _numbers(layer.numbers, random, relu=relu, unsigned=unsigned and relu)
    count = int(random.choice([1, len(layer.kernel)]))
    scales = tuple(
        float(np.float32(scale)) for scale in 2.0**-layer.kernel_numbers.fraction * random.uniform(0.5, 1.5, count)
    )
    kernel_numbers = Scaled(8, scales)
    bias = random.integers(-500, 500, len(layer.kernel))
    factors = affine.sum_factors(entry, kernel_numbers, out)
    summed = affine.weighted_sum(layer.kernel, bias, kernel_numbers, entry, out, factors, fold=True)
    return replace(layer, **{**vars(summed), "zero": entry.zero})


def _numbers(numbers: Numbers | None, random: np.random.Generator, *, relu: bool, unsigned: bool) -> Affine:
    """About as fine as they were."""
    assert isinstance(numbers, Format)
    fraction = numbers.fraction - (numbers.bits - 8)  # outputs of the graph may be wider
    scale = float(np.float32(2.0**-fraction * random.uniform(0.7, 1.4)))
    if unsigned:
        return Affine(8, scale, 0, signed=False)
    zero = int(random.integers(-50, 50))
    return Affine(8, scale, int(random.choice([-128, -128 if relu else 127, zero])))
