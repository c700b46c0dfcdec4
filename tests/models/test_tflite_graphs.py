"""Random networks: `Graph.run` gives what TensorFlow Lite Micro gives, layer by layer, of integers bit for bit."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.tflite_graphs import networks
from tests.tflm_equal import compare, compare_reals

EXAMPLES = settings(
    max_examples=int(os.environ.get("MCUSIM_GRAPHS", "60")), deadline=None, suppress_health_check=list(HealthCheck)
)
UNIT = float(np.finfo(np.float32).eps)


@EXAMPLES
@given(content=networks())
def test_networks_of_reals(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    compare_reals(content, tmp_path_factory.getbasetemp())


@EXAMPLES
@given(content=networks(8))
def test_networks_of_8_bits(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    compare(content, tmp_path_factory.getbasetemp(), samples=4)


@EXAMPLES
@given(content=networks(16))
def test_networks_of_16_bits(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    compare(content, tmp_path_factory.getbasetemp(), samples=4)
