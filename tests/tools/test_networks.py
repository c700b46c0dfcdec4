"""The networks of the tables are those that everybody else measures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.line.front import read_model
from mcusim.line.optimize import drop_softmax
from mcusim.system.errors import ConfigurationError
from tools.networks import DATA_TYPES, FILTERS, NETWORKS, network

EXAMPLES = Path(__file__).parents[2] / "examples" / "uci_har"
MACS = {  # of MicroAI's code, and of the runs that MLPerf Tiny publishes
    **{f"uci_har_f{f}": 3456 * f + 1088 * f * f + 6 * f for f in FILTERS},
    "uci_har_f16": 333_920,
    "uci_har_f80": 7_240_160,
    "resnet_8": 12_501_632,
    "ds_cnn": 2_656_768,
    "autoencoder": 264_192,
    "mobilenet_v1": 7_489_664,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_multiply_accumulates(name: str) -> None:
    assert network(name).graph.macs == MACS[name]


@pytest.mark.parametrize(("name", "parameters"), [("uci_har_f16", 3958), ("uci_har_f80", 86_326)])
def test_parameters(name: str, parameters: int) -> None:
    assert network(name).graph.parameters == parameters


@pytest.mark.parametrize("filters", [16, 80])
def test_uci_har_is_the_network_of_the_example(filters: int) -> None:
    ours = network(f"uci_har_f{filters}").graph
    theirs = drop_softmax(read_model(EXAMPLES / f"resnetv1_6_f{filters}.keras").graph)
    facts = [
        [(layer.name, layer.kind, layer.shape, layer.macs, layer.inputs) for layer in graph] for graph in (ours, theirs)
    ]
    assert facts[0] == facts[1]


def test_it_is_the_same_every_time() -> None:
    first, second = network("ds_cnn"), network("ds_cnn")
    assert np.array_equal(first.graph.run(first.x), second.graph.run(second.x))


@pytest.mark.parametrize("data_type", DATA_TYPES)
def test_integers_stay_near_the_real_numbers(data_type: str) -> None:
    there = network("uci_har_f16")
    quantized = there.quantized(data_type)
    end = quantized.ends[0].numbers
    exact, answers = there.graph.run(there.x), quantized.run(there.x)
    real = answers if end is None else end.decode(answers)
    assert np.abs(real - exact).max() < 0.2 * np.abs(exact).max()


def test_an_unknown_one_is_said_to_be_so() -> None:
    with pytest.raises(ConfigurationError, match="no network 'resnet'"):
        network("resnet")
