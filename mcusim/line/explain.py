"""Graph + quantized Graph + samples -> where the error comes from: each layer's share, and signal to noise behind it.

A layer's own error is what its integers make of its real inputs, rounded, beyond what it makes of these in float32. It
is added to the float model's value and followed to the outputs: so each layer is quantized alone, all others are not.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.line.measure import LayerRange
from mcusim.line.trace import changed_by, run_layer, samples_within_memory, values_of
from mcusim.numbers.numbers import Numbers
from mcusim.system.arrays import Array

FORMAT = 1  # of explain.json, which may gain keys


@dataclass(frozen=True)
class LayerNoise(LayerRange):
    """`share` of the noise that all layers, each quantized alone, make at the outputs.

    `alone_db`: signal to noise at the outputs with only this layer quantized.
    """

    kind: str
    numbers: str
    share: float
    alone_db: float | None


def explain(real: Graph, quantized: Graph, x: Array) -> tuple[LayerNoise, ...]:
    """Layers by their share, the largest first. `x`: real samples, of which as many are taken as memory allows."""
    x = samples_within_memory(real, x)
    values, stored = values_of(real, x), values_of(quantized, x)
    alone = {layer.name: _alone(real, quantized, layer, values) for layer in real}
    total = sum(alone.values())
    rows = [
        LayerNoise(
            **vars(_range_of(layer, values[layer.name], stored[layer.name])),
            kind=layer.kind,
            numbers=str(layer.numbers),
            share=alone[layer.name] / total if total else 0.0,
            alone_db=decibels(alone[layer.name]),
        )
        for layer in (quantized[name] for name in alone)
    ]
    return tuple(sorted(rows, key=lambda row: -row.share))


def ranges(real: Graph, quantized: Graph, x: Array) -> tuple[LayerRange, ...]:
    """Likewise, in the order of the layers, without the shares, which take a run of the model for each layer."""
    x = samples_within_memory(real, x)
    values, stored = values_of(real, x), values_of(quantized, x)
    names = [layer.name for layer in real if layer.name in stored]
    return tuple(_range_of(quantized[name], values[name], stored[name]) for name in names)


def _range_of(layer: Layer, real: Array, stored: Array) -> LayerRange:
    """Of a quantized layer: what it should be, and what it is."""
    known, numbers = real[np.isfinite(real)], layer.numbers
    low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
    holds_low = holds_high = beyond = None
    if numbers is not None:
        ends = np.array([numbers.minimum, numbers.maximum], numbers.dtype)
        holds_low, holds_high = map(float, numbers.decode(ends))
        half = (holds_high - holds_low) / (numbers.maximum - numbers.minimum) / 2
        beyond = float(np.mean((real < holds_low - half) | (real > holds_high + half))) if real.size else 0.0
    so_far = noise(real, _decoded(numbers, stored))
    return LayerRange(layer.name, low, high, holds_low, holds_high, beyond, decibels(so_far))


def noise(real: Array, other: Array) -> float:
    """Mean squared difference as a share of the mean square of `real`; 0 where that is 0, or either no number."""
    with np.errstate(invalid="ignore"):
        signal = float(np.mean(np.square(real, dtype=np.float64)))
        found = float(np.mean(np.square(real.astype(np.float64) - other))) / signal if signal else 0.0
    return found if math.isfinite(found) else 0.0


def decibels(share: float) -> float | None:
    return -10 * math.log10(share) if 0 < share < math.inf else None


def _alone(real: Graph, quantized: Graph, layer: Layer, values: Mapping[str, Array]) -> float:
    """Noise at the outputs, summed up, with only this layer quantized."""
    wrong = values[layer.name] + _own_error(layer, quantized, values)
    changed = changed_by(real, values, layer.name, wrong)
    return sum(noise(values[end.name], changed[end.name]) for end in real.ends if end.name in changed)


def _own_error(layer: Layer, quantized: Graph, values: Mapping[str, Array]) -> Array:
    made = quantized[layer.name]
    if layer.INPUT:
        return _decoded(made.numbers, _encoded(made.numbers, values[layer.name], quantized)) - values[layer.name]
    numbers = [quantized[name].numbers for name in made.inputs]
    rounded = [_encoded(own, values[name], quantized) for own, name in zip(numbers, layer.inputs, strict=True)]
    decoded = [_decoded(own, q) for own, q in zip(numbers, rounded, strict=True)]
    return _decoded(made.numbers, run_layer(made, rounded)) - run_layer(layer, decoded)


def _encoded(numbers: Numbers | None, x: Array, quantized: Graph) -> Array:
    return x if numbers is None else numbers.encode(x, quantized.rounding)


def _decoded(numbers: Numbers | None, x: Array) -> Array:
    return x if numbers is None else numbers.decode(x)


def to_json(cases: Mapping[str, Sequence[LayerNoise]]) -> str:
    """By the label of a model and its quantization."""
    told = {label: [asdict(row) for row in rows] for label, rows in cases.items()}
    return json.dumps({"format": FORMAT, "cases": told}, indent=1) + "\n"
