"""Convolution in float32 by tiles: the bits of plain C for any shape, on the host and in QEMU, and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.kernels import tiles
from mcusim.line.lower import program_of, running_layers
from tests.compiled import run_compiled
from tests.kernels.float32 import Convolved, drawn_layers, far_off, on_one_input, same, striped
from tests.kernels.measured import measure
from tests.kernels.random_layers import KINDS, varied


@pytest.mark.parametrize(("seed", "spread"), [(81, 1.0), (82, 1e20), (83, 0.0)])
def test_twins_have_the_bits_of_plain_c(seed: int, spread: float) -> None:
    """Layers of any shape, in any variant."""
    graph, x = drawn_layers(KINDS[tiles.NAME], seed, spread)
    chosen = varied(graph, dict.fromkeys((layer.name for layer in running_layers(graph)), tiles), seed)
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"tiles"}
    assert same(run_compiled(graph, x, program=program_of(graph, chosen)), run_compiled(graph, x))


GRID: list[Convolved] = [
    ((128, 9), 16, 3, {"padding": "same", "activation": "relu"}),
    ((72, 16), 16, 3, {"padding": "same"}),
    ((72, 16), 16, 1, {}),
    ((72, 16), 12, 5, {"padding": "same", "strides": 2, "activation": "relu6"}),
    ((36, 32), 10, 7, {"padding": "same", "activation": "relu"}),
    ((128, 9), 1, 3, {}),
    ((1152, 1), 2, 9, {"strides": 4}),
    ((9, 128), 11, 3, {"padding": "same"}),
    ((4, 288), 8, 3, {"padding": "same"}),
    ((2, 576), 9, 1, {"activation": "relu"}),
    ((16, 24, 3), 8, 3, {"padding": "same", "activation": "relu"}),
    ((12, 12, 8), 8, 3, {"padding": "same"}),
    ((12, 12, 8), 7, 3, {"padding": "same", "strides": 2, "activation": "relu"}),
    ((12, 12, 8), 16, 1, {"strides": 2}),
    ((12, 12, 8), 8, 5, {"padding": "same"}),
    ((8, 9, 16), 17, 3, {"activation": "relu"}),
    ((3, 4, 96), 24, 3, {"padding": "same"}),
    ((2, 2, 288), 6, 2, {"padding": "same"}),
    ((1, 72, 16), 5, 1, {}),
    ((36, 32), 76, 1, {"activation": "relu"}),
    ((72, 1, 16), 6, 1, {"strides": 3}),
    ((24, 48, 1), 4, 5, {"strides": 2, "activation": "relu"}),
]


@pytest.mark.arm
@pytest.mark.parametrize(("board", "several"), [("nucleo_l452re_p", (1, 3)), ("sparkfun_edge", (2, 1))])
def test_bits_and_cost_on_boards(board: str, several: tuple[int, ...], tmp_path: Path) -> None:
    graph, x = on_one_input(GRID)
    chosen = striped(graph, tiles, several)
    measured = measure(graph, x, tmp_path, chosen, board)
    assert measured.answers.tobytes() == run_compiled(graph, x).tobytes()
    assert {kernel.NAME for kernel, _ in chosen.values()} == {"tiles"}
    wrong = far_off(graph, chosen, measured) if board == "nucleo_l452re_p" else []
    assert not wrong
