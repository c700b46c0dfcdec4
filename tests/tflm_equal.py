"""What a `.tflite` file computes: `Graph.run` against TensorFlow Lite Micro's interpreter, layer by layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcusim.graph import Layer
from mcusim.line.layer_by_layer import first_difference
from mcusim.models import read_model
from mcusim.models.source import Source
from mcusim.models.tflite.file import described
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of, records_of
from tests.tflite_files import reals
from tests.tflm import TFLM

UNIT = float(np.finfo(np.float32).eps)


def compare(content: bytes, folder: Path, samples: int = 12) -> Source:
    """Of random and extreme samples: outputs, and the output of every layer."""
    path = folder / "m.tflite"
    path.write_bytes(content)
    source = read_model(path, "m")
    graph, model = source.as_read, described(content)
    real = {layer.name: reals_of(layer, samples) for layer in graph.inputs}
    given = [
        layer.numbers.encode(real[layer.name]).reshape(samples, *model.tensors[index].shape)  # type: ignore[union-attr]
        for layer, index in zip(graph.inputs, model.inputs, strict=True)
    ]
    theirs, inner = TFLM.run(content, given, [origin.calls[0] for origin in source.origins.values()])
    for one, other in zip(fields_of(graph.run(records_of(real))).values(), theirs, strict=True):
        np.testing.assert_array_equal(one, other.reshape(len(other), -1))
    values = next(graph._chunks(graph.encode(records_of(real))))[1]
    for name, origin in source.origins.items():
        equal(values[name], inner[origin.calls[0]], f"{name} ({graph[name].kind})")
    return source


def equal(ours: Array, theirs: Array, what: str) -> None:
    np.testing.assert_array_equal(ours, theirs.reshape(ours.shape), what)


def compare_reals(content: bytes, folder: Path) -> Source:
    """Likewise but for rounding, which each layer is held to by itself."""
    path = folder / "reals.tflite"
    path.write_bytes(content)
    source = read_model(path, "m")
    graph = source.as_read
    (start,) = graph.inputs
    x = reals((3, *start.shape)) * 2
    indices = {name: origin.calls[0] for name, origin in source.origins.items()}
    theirs, inner = TFLM.run(content, [x[:, None]], list(indices.values()))
    known = {name: inner[index] for name, index in indices.items()}
    assert first_difference(graph, x, known, UNIT) is None
    for ours, other in zip(fields_of(graph.run(x)).values(), theirs, strict=True):
        assert np.abs(ours - other.reshape(ours.shape)).max() <= 1e-3 * max(1.0, float(np.abs(other).max()))
    return source


def reals_of(layer: Layer, samples: int) -> Array:
    """Of random and extreme integers."""
    assert layer.numbers is not None
    random, low, high = np.random.default_rng(0), layer.numbers.minimum, layer.numbers.maximum
    q = random.integers(low, high + 1, (samples, *layer.shape))
    q[0], q[1], q[2] = low, high, random.choice([low, high], layer.shape)
    q[3] = np.clip(layer.numbers.zero + random.integers(-3, 4, layer.shape), low, high)
    return layer.numbers.decode(q)
