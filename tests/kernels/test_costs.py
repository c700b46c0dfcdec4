"""`cost` of each kernel against the timing model, on layers of all sizes: within a few percent, or a few cycles."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.line.destination import memory_of
from tests.kernels.measured import differing, measure
from tests.kernels.random_layers import AFFINE, LONG, network, varied

WITHIN, CYCLES = 0.05, 100  # whichever is more
FEW = 1  # of some fifteen layers may be further off, but within twice as many percent
INTEGERS = ("direct", "patches", "pointwise", "winograd", "depthwise")
FLOATS = ("tiles", "gather", "points", "depthwise")
L452, APOLLO3 = "nucleo_l452re_p", "sparkfun_edge"
CASES = [("int8", INTEGERS), ("int16", INTEGERS), ("float32", FLOATS), (AFFINE, INTEGERS)]
SEED = 71


@pytest.mark.arm
@pytest.mark.parametrize(
    ("board", "data_type", "names"),
    [*((board, *case) for board in (L452, APOLLO3) for case in CASES), (L452, LONG, ("direct",))],
)
def test_a_kernel_costs_what_it_says(board: str, data_type: str, names: tuple[str, ...], tmp_path: Path) -> None:
    """All variants, and bits besides."""
    graph, x, drawn_for = network(SEED, names, data_type)
    chosen, memory = varied(graph, drawn_for, SEED), memory_of(load_board(board))
    measured = measure(graph, x, tmp_path, chosen, board)
    if data_type != "float32":
        assert differing(measured, graph, x) == 0
    off, most = [], 0.0
    for name, own in drawn_for.items():
        kernel, variant = chosen[name]
        if own is not kernel:
            continue
        layer, cycles = graph[name], measured.cycles[name]
        told = kernel.cost(layer, graph.inputs_of(layer), variant, memory)
        off.append(abs(told - cycles) / max(CYCLES, WITHIN * cycles))
        most = max(most, abs(told - cycles) / max(CYCLES, 2 * WITHIN * cycles))
        print(
            f"{kernel.NAME} {name} {layer.shape} ({variant}): {cycles:.0f}, said {told:.0f}, {told / cycles - 1:+.1%}"
        )
    assert len(off) >= 12
    assert most <= 1
    assert sum(one > 1 for one in off) <= FEW
