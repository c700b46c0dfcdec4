"""Activations move before the max-pools that they follow, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph
from mcusim.layers.pooling import MaxPooling
from mcusim.line.front import quantized_graph, real_graph
from mcusim.line.optimize import relu_first
from mcusim.models.source import Source
from mcusim.numbers.numbers import LINEAR, RELU
from tools.networks import network


@pytest.fixture(scope="module")
def uci() -> Graph:
    """Its first convolution of a block ends in a max-pool and a ReLU."""
    return network("uci_har_f16").graph


def pooled(graph: Graph) -> list[tuple[str, str]]:
    return [
        (layer.inputs[0], layer.name) for layer in graph if isinstance(layer, MaxPooling) and layer.activation == RELU
    ]


def test_no_real_number_changes_and_integers_get_finer(uci: Graph) -> None:
    x = network("uci_har_f16").x
    moved = relu_first(uci)
    (pair,) = pooled(uci)
    assert moved[pair[0]].activation == RELU and moved[pair[1]].activation == LINEAR  # type: ignore[attr-defined]
    assert moved[pair[1]].nonnegative((False,))  # so that Winograd has room behind it where `layers` gives it 16 bits
    np.testing.assert_array_equal(moved.run(x), uci.run(x))
    own = quantized_graph(Source(uci), x, Quantization(data_type="int8"))[pair[0]].numbers
    assert own is not None and own.minimum == own.zero == 0


def test_what_others_read_or_get_as_an_output_stays(uci: Graph) -> None:
    (pair,) = pooled(uci)
    both = replace(uci[pair[1]], name="again", activation=LINEAR)  # type: ignore[call-arg]
    assert pooled(relu_first(replace(uci, layers=(*uci.layers, both)))) == [pair]
    output = replace(uci.outputs[0], layer=pair[0], name="inner")
    assert pooled(relu_first(replace(uci, outputs=(*uci.outputs, output)))) == [pair]
    for other in (Quantization(data_type="float32"), Quantization(data_type="int8", scheme="per-layer")):
        assert real_graph(Source(uci), other) is uci
