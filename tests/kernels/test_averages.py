"""Averages in lanes: lines have the steps of their means, bits on boards are those of `Graph.run`, prices are near."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.kernels import lanes, plain
from mcusim.kernels.kernel import DEFAULT
from mcusim.kernels.lanes.means import Line, Twice, any_line, ends_of, line_of, twice_of
from mcusim.layers.pooling import AveragePooling
from mcusim.line.destination import memory_of
from mcusim.numbers.affine import ScaledMean
from mcusim.numbers.numbers import LINEAR, RELU, Activation, Numbers
from tests.compiled import run_compiled
from tests.kernels.affine_side import AffineSide
from tests.kernels.lanes_graphs import Side
from tests.kernels.measured import assert_priced, forced, measure, misplaced

KINDS = {"int8": 8, "int16": 16, "float32": 0}
ACTIVATIONS = (LINEAR, RELU, Activation(True, 3.0))
LARGEST = 1200  # numbers of a map


def drawn(kind: str, seed: int, count: int) -> Side:
    """Windows of all sizes: whole ones, those that hang over, those of a whole plane. Inputs begin at whole words."""
    random = np.random.default_rng(seed)
    side = AffineSide(seed) if kind == "affine" else Side(KINDS[kind])
    while sum(isinstance(layer, AveragePooling) for layer in side.layers) < count:
        rank, channels = int(random.integers(1, 3)), round(float(np.exp(random.uniform(np.log(2), np.log(90)))))
        shape = (
            (int(random.integers(3, 90)), channels) if rank == 1 else (*map(int, random.integers(2, 15, 2)), channels)
        )
        if int(np.prod(shape)) % 4 or int(np.prod(shape)) > LARGEST:
            continue
        signed = kind != "int8" or bool(random.random() < 0.7)
        source = side.input(shape, signed=signed)
        lengths = (1, shape[0]) if rank == 1 else shape[:2]
        most = int(random.integers(1, 6))
        size = (min(most, lengths[0]), min(most, lengths[1]))
        if random.random() < 0.25:
            size = (lengths[0], lengths[1])
            if isinstance(side, AffineSide):
                side.mean(source)
                continue
        stride = int(random.integers(1, 4))
        same, activation = bool(random.random() < 0.4), ACTIVATIONS[random.integers(3)]
        side.pool(source, size, (min(stride, size[0]), stride), same=same, mean=True, activation=activation)
    return side


@pytest.mark.arm
@pytest.mark.parametrize(
    ("kind", "board"),
    [*((kind, "nucleo_l452re_p") for kind in ("int8", "int16", "float32", "affine")), ("affine", "sparkfun_edge")],
)
def test_on_boards(kind: str, board: str, tmp_path: Path) -> None:
    side = drawn(kind, seed=5, count=20)
    graph, x, memory = side.graph(), side.samples(2), memory_of(load_board(board))
    measured = measure(graph, x, tmp_path / "ours", forced(graph, lanes), board)
    plainly = measure(graph, x, tmp_path / "plain", forced(graph, plain), board)
    wanted = graph.run(x) if kind != "float32" else run_compiled(graph, x)
    assert measured.answers.tobytes() == wanted.tobytes()
    prices, slower = [], {}
    for step in measured.program.steps:
        if step.kernel != lanes.NAME or misplaced(measured.program, step):
            continue
        layer, cycles, in_c = graph[step.name], measured.cycles[step.name], plainly.cycles[step.name]
        inputs = graph.inputs_of(layer)
        told = lanes.cost(layer, inputs, DEFAULT, memory)
        prices.append((told, cycles))
        if told < plain.cost(layer, inputs) and cycles > 1.02 * in_c + 10:
            slower[step.name] = cycles, in_c
    assert len(prices) > 12
    assert_priced(prices)
    assert not slower


@pytest.mark.arm
def test_sums_of_large_planes_have_32_bits(tmp_path: Path) -> None:
    """Of affine numbers, which are rounded twice where no line has their steps."""
    side, twice = AffineSide(11), 0
    for shape in ((17, 16, 8), (18, 15, 4), (12, 25, 12), (26, 10, 5)):
        source = side.input(shape)
        side.mean(source)
        layer, entry = side.layers[-1], side.layer(source).numbers
        assert isinstance(layer, AveragePooling) and isinstance(layer.averaging, ScaledMean) and entry is not None
        twice += line_of(layer, entry, shape[0] * shape[1], 32) is None and twice_of(layer.averaging) is not None
    assert twice == 3
    graph, x = side.graph(), side.samples(2)
    x[side.layers[0].name][0] = 1e6
    measured = measure(graph, x, tmp_path, forced(graph, lanes))
    names = [routine.name for step in measured.program.steps for routine in step.code.routines]
    assert sum("wide" in name for name in names) == 3
    np.testing.assert_array_equal(measured.answers, graph.run(x))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["int8", "affine", "int16"])
def test_lines_are_exact(kind: str, seed: int) -> None:
    """For every sum of numbers of 8 bits, and for many of 16."""
    side, checked = drawn(kind, seed, 12), 0
    for layer in side.layers:
        if not isinstance(layer, AveragePooling):
            continue
        entry = side.layer(layer.inputs[0]).numbers
        assert entry is not None
        count = layer.size[0] * layer.size[1]
        cut = 16 if kind != "int16" and count * max(-entry.minimum, entry.maximum) < 2**15 else 32
        found: Line | Twice | None = line_of(layer, entry, count, cut)
        if isinstance(layer.averaging, ScaledMean):
            found = found or twice_of(layer.averaging)
        assert found is not None or len(set(ends_of(layer.activation, layer.numbers or entry))) == 1
        checked += found is not None and _is_exact(layer, entry, count, found)
        for fewer in {1, min(count, 3), min(count, 25)}:
            line = any_line(layer, entry, {fewer, min(count, 25)}, cut)
            assert line is None or _is_exact(layer, entry, fewer, line.of(fewer))
    assert checked > 6


def _is_exact(layer: AveragePooling, entry: Numbers, count: int, line: Line | Twice) -> bool:
    assert layer.averaging is not None and layer.numbers is not None
    low, high = count * entry.minimum, count * entry.maximum
    sums = np.unique(np.linspace(low, high, min(high - low + 1, 5000)).astype(np.int64))
    if isinstance(line, Line):
        means = line.start + line.products(sums) >> line.shift
        assert np.abs(sums << line.left).max() < 2**31
        assert np.abs(line.start + line.products(sums)).max() < 2**31
    else:
        x = sums + line.start
        means = ((2 * x * line.factor + (1 << 31) >> 32) + line.addend - (x < 0)) >> line.shift
    wanted = layer.averaging.apply(sums, np.array(count))
    limit = layer.activation.limit
    assert np.array_equal(limit(means, layer.numbers), limit(wanted, layer.numbers)), layer
    return True


def test_what_does_not_fit_says_why() -> None:
    side = Side(8)
    a = side.input((6, 6, 4))
    same = side.layer(side.pool(a, (2, 2), (2, 2), mean=True, activation=Activation(True, 0.0)))
    assert lanes.fits(same, (side.layer(a),)) == "its means are all the same"
