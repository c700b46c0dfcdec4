"""Random networks: `Graph.run` gives what TensorFlow Lite Micro gives, layer by layer, of integers bit for bit."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from mcusim.line.layer_by_layer import first_difference
from mcusim.models import read_model
from mcusim.system.records import fields_of
from tests.models.test_tflite_integers import compare
from tests.tflite_files import reals
from tests.tflite_graphs import networks
from tests.tflm import TFLM

EXAMPLES = settings(
    max_examples=int(os.environ.get("MCUSIM_GRAPHS", "60")), deadline=None, suppress_health_check=list(HealthCheck)
)
UNIT = float(np.finfo(np.float32).eps)


@EXAMPLES
@given(content=networks())
def test_networks_of_reals(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "reals.tflite"
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


@EXAMPLES
@given(content=networks(8))
def test_networks_of_8_bits(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    compare(content, tmp_path_factory.getbasetemp(), samples=4)


@EXAMPLES
@given(content=networks(16))
def test_networks_of_16_bits(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    compare(content, tmp_path_factory.getbasetemp(), samples=4)
