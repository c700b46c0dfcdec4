"""Convolution in float32 whose windows are gathered: the bits of plain C on host and boards, and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.kernels import gather
from mcusim.line.lower import program_of, running_layers
from tests.compiled import run_compiled
from tests.kernels.float32 import Convolved, drawn_layers, far_off, on_one_input, same, striped
from tests.kernels.measured import measure
from tests.kernels.random_layers import KINDS, varied


@pytest.mark.parametrize(("seed", "spread"), [(91, 1.0), (92, 1e20)])
def test_twins_have_the_bits_of_plain_c(seed: int, spread: float) -> None:
    """Layers of any shape, in any variant."""
    graph, x = drawn_layers(KINDS[gather.NAME], seed, spread)
    chosen = varied(graph, dict.fromkeys((layer.name for layer in running_layers(graph)), gather), seed)
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"gather"}
    assert same(run_compiled(graph, x, program=program_of(graph, chosen)), run_compiled(graph, x))


GRID: list[Convolved] = [
    ((72, 16), 16, 3, {"padding": "same", "dilation_rate": 2}),
    ((72, 16), 16, 3, {"padding": "same", "groups": 2, "activation": "relu"}),
    ((128, 9), 6, 5, {"dilation_rate": 4}),
    ((64, 18), 9, 5, {"padding": "same", "groups": 3}),
    ((12, 12, 8), 12, 3, {"padding": "same", "dilation_rate": 3}),
    ((12, 12, 8), 8, 3, {"padding": "same", "groups": 2}),
    ((3, 4, 96), 12, 3, {"padding": "same", "groups": 3}),
    ((12, 12, 8), 8, 3, {"padding": "same"}),
    ((24, 48, 1), 5, 3, {"strides": 2, "activation": "relu6"}),
    ((2, 2, 288), 7, 2, {"padding": "same"}),
]


@pytest.mark.arm
@pytest.mark.parametrize(("board", "several"), [("nucleo_l452re_p", (1, 3)), ("sparkfun_edge", (2, 1))])
def test_bits_and_cost_on_boards(board: str, several: tuple[int, ...], tmp_path: Path) -> None:
    graph, x = on_one_input(GRID)
    chosen = striped(graph, gather, several)
    measured = measure(graph, x, tmp_path, chosen, board)
    assert measured.answers.tobytes() == run_compiled(graph, x).tobytes()
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"gather"}
    wrong = far_off(graph, chosen, measured) if board == "nucleo_l452re_p" else []
    assert not wrong
