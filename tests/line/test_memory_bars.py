"""What the networks of examples/uci_har may take at most, kernels included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.line.destination import ABOUT, destination_of
from mcusim.line.front import quantized_graph, read_model
from mcusim.line.knapsack import cycles
from mcusim.line.lower import options_of
from mcusim.line.optimize import drop_softmax
from mcusim.line.select import ram_bytes, select
from tests.line.test_within import BOARD, PLAIN, Bench

EXAMPLES = Path(__file__).parents[2] / "examples" / "uci_har"
KIB = 1024


def network(filters: int) -> Graph:
    source = read_model(EXAMPLES / f"resnetv1_6_f{filters}.keras")
    source = replace(source, graph=drop_softmax(source.graph))
    x = np.random.default_rng(0).normal(size=(16, 128, 9)).astype(np.float32)
    return quantized_graph(source, x, Quantization(data_type="int8", scheme="per-layer", weights="rounded"))


def test_ram_of_80_filters() -> None:
    graph, target = network(80), Target()
    destination = destination_of(BOARD, target)
    options = options_of(graph, destination)
    selected = select(graph, options, destination)
    assert ram_bytes(graph, selected) + ABOUT.ram_bytes <= 48 * KIB
    fastest = sum(several[0].cycles for several in options.values())
    assert cycles(selected) <= 1.03 * fastest
    plain = options_of(graph, destination, PLAIN)
    assert 8 * cycles(selected) < sum(several[0].cycles for several in plain.values())


@pytest.mark.arm
def test_flash_of_16_filters(tmp_path: Path) -> None:
    bench = Bench(network(16), tmp_path, (128, 9))
    rom, ram, fastest = bench.sizes(Target())
    assert rom <= 16 * KIB and ram <= 16 * KIB
    plain_rom, _, slowest = bench.sizes(Target(kernels=PLAIN))
    limit = int(1.1 * plain_rom)
    small, _, cycles_of_small = bench.sizes(Target(flash_max=limit))
    assert small <= limit and fastest < cycles_of_small < slowest
