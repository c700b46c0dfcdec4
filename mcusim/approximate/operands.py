"""Graph of integers -> Graph: weights whose products hardly move their sums become 0, as in Armeniakos et al. (2024).

The significance of an operand is |weight x mean input| on calibration samples, relative to |the sum of all of these| of
its filter; below the threshold tau it is skipped. Nothing makes up for it. Dense layers are left as they are where
nobody names them: there each is a small share because they are many. Every kernel computes with the zeros; `unpacked`
leaves them out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mcusim.approximate.approximation import WHERE, Reduced, Wanted, listed, refuse
from mcusim.approximate.paths import Reader, replaced
from mcusim.graph import Graph, Layer, Skipped
from mcusim.layers import Convolution, Dense
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError

NAME = "tau"
SUMMARY = "products are skipped that are less than this, relative to their sum, in convolutions of int8"
DEFAULT = 0.0
ON_INTEGERS = True
MOST_POSITIONS = 2000  # of a window, from samples that are computed together


def reduce(made: Reduced, wanted: Wanted) -> Reduced:
    degrees, chosen = wanted.degrees[NAME], list[Reader]()
    for layer in made.graph:
        if not degrees.of(layer.name):
            continue
        if (reason := why_not(layer)) is not None:
            refuse(degrees, layer.name, NAME, reason)
        elif isinstance(layer, Convolution) or (isinstance(layer, Dense) and layer.name in degrees.layers):
            chosen.append(layer)
    if not chosen:
        what = f"{NAME!r} is for convolutions in int8: model {made.graph.name!r} as {made.graph.data_type} has none"
        hint = "choose data_type = 'int8', name dense layers, or leave it out"
        raise ConfigurationError(what, where=WHERE, hint=hint)
    means = _mean_inputs(made.graph, made.samples, chosen)
    new, skipped = {}, []
    for layer in chosen:
        gone = _insignificant(layer, means[layer.name], degrees.of(layer.name))
        new[layer.name] = _without(layer, gone)
        skipped.append(Skipped(NAME, layer.name, int(gone.sum()), gone.size))
    own = tuple(one for one in skipped if one.count)
    note = f"products that are a small share of their sums are skipped: {listed(own)}"
    graph = replaced(made.graph, new)
    return replace(made, graph=graph, skipped=(*made.skipped, *own), notes=(*made.notes, *([note] if own else [])))


def why_not(layer: Layer) -> str | None:
    """None of a layer of which products can be skipped."""
    if not isinstance(layer, (Convolution, Dense)):
        return "it is no convolution and no dense layer"
    return None if layer.kernel_numbers is not None and layer.number_bytes == 1 else "it is not in int8"


def _mean_inputs(graph: Graph, samples: Array, layers: Sequence[Reader]) -> Mapping[str, Array]:
    """Of each layer the mean input of each weight of a filter: (groups, weights)."""
    totals: dict[str, Array] = {}
    for values in graph.values(samples):
        for layer in layers:
            inputs = values[layer.inputs[0]]
            taps = layer.taps(inputs.astype(np.float32) - layer.zero, MOST_POSITIONS)
            assert taps is not None
            own = taps.mean(axis=1, dtype=np.float64) * len(inputs)
            totals[layer.name] = totals[layer.name] + own if layer.name in totals else own
    return {name: total / len(samples) for name, total in totals.items()}


def _insignificant(layer: Reader, means: Array, tau: float) -> Array:
    """As the kernel lies. Of sums that are 0 in the mean all that is not 0 is significant."""
    groups, size = means.shape
    products = layer.kernel.reshape(groups, -1, size) * means[:, None]
    least = tau * np.abs(products.sum(axis=-1, keepdims=True))
    return np.asarray((np.abs(products) < least).reshape(layer.kernel.shape) & (layer.kernel != 0))


def _without(layer: Reader, gone: Array) -> Reader:
    """Products with the zero of the inputs are in the bias: those of what is skipped leave it."""
    lost = np.where(gone, layer.kernel, 0).reshape(len(gone), -1).sum(axis=1, dtype=np.int64)
    kernel = np.where(gone, 0, layer.kernel).astype(layer.kernel.dtype)
    return replace(layer, kernel=kernel, bias=layer.bias + layer.zero * lost)
