"""`cost` of each kernel against the timing model, on layers of all sizes: within a few percent, or a few cycles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.kernels import KERNELS
from mcusim.kernels.memory import USUAL
from tests.kernels.measured import differing, measure
from tests.kernels.random_layers import KINDS, LONG, network, varied

BOARD = "nucleo_l452re_p"
WITHIN, CYCLES = 0.05, 150  # whichever is more
NEARLY_ALL = 0.8  # of some twenty layers are within it, the others within so many times as much
MOST = 2.5
INTEGERS = ("int8", "uint8", "int16")
CASES = [(name, data_type) for name in ("direct", "patches", "pointwise") for data_type in INTEGERS]
CASES += [("direct", LONG), *((name, "float32") for name in ("tiles", "gather", "points", "depthwise"))]
SEED = 71


@pytest.mark.parametrize(("name", "data_type"), CASES)
def test_a_kernel_costs_what_it_says(name: str, data_type: str, tmp_path: Path) -> None:
    """All variants, and bits besides."""
    kernel = next(kernel for kernel in KERNELS if name == kernel.NAME)
    graph, x = network(SEED, KINDS[name], data_type)
    chosen = varied(graph, kernel, SEED)
    measured = measure(graph, x, tmp_path, chosen, BOARD)
    if data_type != "float32":
        assert differing(measured, graph, x) == 0
    off = {}
    for layer, variant in ((graph[one], variant) for one, (own, variant) in chosen.items() if own is kernel):
        told = kernel.cost(layer, graph.inputs_of(layer), variant, USUAL)
        cycles = measured.cycles[layer.name]
        off[layer.name] = abs(told - cycles) / max(CYCLES, WITHIN * cycles)
        print(f"{layer.name} {layer.shape} ({variant}): {cycles:.0f}, said {told:.0f}, {told / cycles - 1:+.1%}")
    assert len(off) >= 6
    assert max(off.values()) < MOST, max(off, key=lambda one: off[one])
    assert np.mean(np.array(list(off.values())) <= 1) >= NEARLY_ALL
