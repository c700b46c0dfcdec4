"""Dense layers by rows: bit for bit the graph's answers, in float32 those of plain C, at the price that is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph, Output
from mcusim.kernels import plain, rows
from mcusim.kernels.memory import USUAL
from mcusim.kernels.rows.forms import FORMS, HIGHEST_PAIRED, Form, Paired, Raised
from mcusim.kernels.rows.parts import parts_of, rows_of
from mcusim.kernels.rows.products import OutputPrice, products_of
from mcusim.layers.dense import Dense
from mcusim.layers.input import Input
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.numbers import affine
from mcusim.numbers.affine import Affine, Scaled
from mcusim.numbers.factors import twice
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.system.arrays import Array
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.affine import affine_graph
from tests.kernels.measured import Measured, differing, forced, measure

FEW = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
ACTIVATIONS = ("linear", "relu", "relu6")
SIZES = (  # (inputs, units): rests of every kind, one of either, long rows, many units
    *((640, 24), (128, 128), (128, 8), (8, 128), (64, 10), (16, 6), (80, 6), (4, 2), (1, 1), (3, 5), (33, 7), (31, 12)),
    *((321, 18), (100, 31), (9, 66), (250, 3), (45, 29), (19, 130), (1507, 9)),
)
NARROW = 20  # cycles that a price may be off whatever the layer: on the smallest the compiler's C around decides


def side_by_side(sizes: Sequence[tuple[int, int]], data_type: str) -> tuple[Graph, Array]:
    """Each layer with an input of its own and a smaller one behind it, which is an output."""
    builder = Builder((sizes[0][0],))
    inputs, outputs = [builder.last], []
    for index, (count, units) in enumerate(sizes):
        if index:
            inputs.append(Input(name=f"input_{index}", inputs=(), shape=(count,)))
            builder.layers.append(inputs[-1])
        builder.dense(units, activation=ACTIVATIONS[index % 3])
        outputs.append(Output(f"out{index}", builder.dense(3)))
    graph = optimize(Graph(tuple(builder.layers), "rows", outputs=tuple(outputs)))
    x = records_of({one.name: builder.random.normal(size=(2, *one.shape)).astype(np.float32) for one in inputs})
    return (graph if data_type == "float32" else quantize(graph, x, data_type)), x


def dearest(measured: Measured, graph: Graph) -> dict[str, str]:
    """Layers whose price is off by more than 5 %."""
    off = {}
    for step in measured.program.steps:
        layer = graph[step.name]
        if isinstance(layer, Dense):
            told, cycles = rows.cost(layer, graph.inputs_of(layer), memory=USUAL), measured.cycles[step.name]
            if abs(told - cycles) > max(0.05 * cycles, NARROW):
                off[f"{layer.kernel.shape[::-1]} {layer.activation}"] = f"{told:.0f}, measured {cycles:.0f}"
    return off


@st.composite
def networks(draw: st.DrawFn) -> tuple[Graph, Array]:
    """Two layers, so that the second may read numbers without a sign; its answer is wide in int8."""
    data_type = draw(st.sampled_from(["int8", "int8", "int16", "int12", "int5", "w8a16"]))
    builder = Builder(
        (draw(st.integers(1, 70)),),
        seed=draw(st.integers(0, 999)),
        spread=draw(st.sampled_from([1.0, 1.0, 30.0, 1e-3, 1e4])),
    )
    for _ in range(2):
        builder.dense(draw(st.integers(1, 23)), activation=draw(st.sampled_from(ACTIVATIONS)))
    x = builder.samples(6)
    graph = quantize(optimize(builder.graph()), x, data_type, **draw(st.sampled_from([{}, {"weights": "rounded"}])))
    x[-2:] *= 1e6
    return graph, x


@FEW
@given(networks())
def test_any_layer_gives_the_bits_of_the_graph(made: tuple[Graph, Array]) -> None:
    graph, x = made
    program = program_of(graph, forced(graph, rows))
    assert {step.kernel for step in program.steps if step.kind == "Dense"} == {rows.NAME}
    np.testing.assert_array_equal(run_compiled(graph, x, program=program), graph.run(x))


def with_weights(data_type: str, inputs: int, units: int, kernel: Array, **changes: object) -> tuple[Graph, Array]:
    """A dense layer of these stored weights, behind which a smaller one follows; inputs reach both ends."""
    builder = Builder((inputs,), seed=5)
    builder.dense(units)
    builder.dense(3)
    x = builder.samples(6)
    graph = quantize(builder.graph(), x, data_type)
    first = next(layer for layer in graph if isinstance(layer, Dense))
    peak = int((np.abs(kernel.astype(np.int64)).sum(axis=1) << (7 if data_type == "int8" else 15)).max())
    peak += int(np.abs(first.bias).max())
    made = replace(first, kernel=kernel.astype(first.kernel.dtype), peak_sum=peak, **changes)  # type: ignore[arg-type]
    x[2:] = np.where(builder.random.random((4, inputs)) < 0.5, -1e6, 1e6)
    x[3], x[4] = -1e6, 1e6
    return Graph(tuple(made if layer is first else layer for layer in graph), "one", outputs=graph.outputs), x


EXTREMES = np.random.default_rng(3)
LARGE = {  # what needs another form than most layers: the form, stored weights
    "paired": ("int8", np.where(EXTREMES.random((7, 60)) < 0.5, -127, 127)),
    "raised": ("int8", np.where(EXTREMES.random((7, 61)) < 0.5, -128, 127)),
    "apart": ("int8", np.where(EXTREMES.random((7, 602)) < 0.5, -128, 127)),
    "shared": ("w8a16", np.where(EXTREMES.random((7, 61)) < 0.5, -127, 127)),
    "apart, of inputs of 16 bits": ("w8a16", np.where(EXTREMES.random((7, 61)) < 0.5, -128, 127)),
    "apart_long": ("w8a16", np.where(EXTREMES.random((7, 602)) < 0.5, -128, 127)),
    "halfwords": ("int16", np.where(EXTREMES.random((7, 61)) < 0.5, -1000, 1000)),
    "long": ("int16", np.where(EXTREMES.random((7, 61)) < 0.5, -32768, 32767)),
}


def extreme(form: str) -> tuple[Graph, Array]:
    data_type, kernel = LARGE[form]
    graph, x = with_weights(data_type, kernel.shape[1], len(kernel), kernel)
    (first, _) = [layer for layer in graph if isinstance(layer, Dense)]
    assert form.partition(",")[0] == rows._kind(first, graph.inputs_of(first)).NAME
    assert (first.peak_sum > ACCUMULATOR_LIMIT) == form.endswith("long")
    return graph, x


@pytest.mark.parametrize("form", LARGE)
def test_extreme_weights_and_inputs_give_the_bits_of_the_graph(form: str) -> None:
    graph, x = extreme(form)
    np.testing.assert_array_equal(run_compiled(graph, x, program=program_of(graph, forced(graph, rows))), graph.run(x))


def test_what_a_line_adds_to_sums_needs_room_beside_them() -> None:
    """Bytes of two rows are summed side by side, which has room for these sums, but not for them and the line's."""
    (count, units), entry, out = (480, 4), Affine(8, 0.5, 0), Affine(8, 0.05, -128)
    kernel = np.full((units, count), 127, np.int8)
    factors = twice([(1 - 2.0**-24) / 2**14] * units)
    summed = affine.weighted_sum(kernel, np.zeros(units), Scaled(8, (1.0,) * units), entry, out, factors, fold=True)
    dense = Dense(name="dense", inputs=("x",), shape=(units,), **{**vars(summed), "zero": 0})  # type: ignore[arg-type]
    graph = Graph(
        (Input(name="x", inputs=(), shape=(count,), numbers=entry), dense), "line", outputs=(Output("y", "dense"),)
    )
    added = rows.added(rows._finish(dense, graph.inputs_of(dense)))
    assert dense.peak_sum < HIGHEST_PAIRED <= dense.peak_sum + np.abs(added).min()
    x = np.stack([np.full(count, end) for end in (-64.0, 0.0, 63.5)])
    got = run_compiled(graph, x, program=program_of(graph, forced(graph, rows)))
    np.testing.assert_array_equal(got, graph.run(x))


@pytest.mark.parametrize("kind", FORMS.values())
def test_parts_make_every_unit_and_no_other(kind: type[Form]) -> None:
    for units in (*range(1, 60), 333):
        for words in (2, 30, 322, 1300):
            parts = parts_of(partial(products_of, kind.NAME, words, OutputPrice()), kind.rows_at_a_time, units)
            made = np.unique(np.concatenate([own.reshape(-1) for own in rows_of(parts, units)]))
            np.testing.assert_array_equal(made, np.arange(units))
            assert len(parts) == 1 or all(part.units <= units for part in parts), "outputs that are not there"
            assert {part.block.turns.all_words for part in parts} == {words}


@pytest.mark.parametrize(("form", "lowest"), [(Paired, -127), (Raised, -128)])
def test_halves_hold_every_pair_of_weights(form: type[Paired], lowest: int) -> None:
    """256 x the first + the second fits in 16 bits, and its lower byte is the second: over all pairs there are."""
    both = np.arange(lowest, 128)
    first, second = (grid.reshape(-1) for grid in np.meshgrid(both, both))
    pairs = np.stack([first, second]).reshape(1, 2, -1)
    pairs = np.pad(pairs, ((0, 0), (0, 0), (0, -pairs.shape[-1] % 4))).reshape(1, 2, -1, 2)
    words = form(2, 1, 1).packed(pairs, np.zeros((1, 2), np.int64))[0, 2:]
    halves = words.view("<i2").astype(np.int64)[: len(first)]
    lower = (halves & 255) if form.raised else ((halves & 255) ^ 128) - 128
    np.testing.assert_array_equal(lower - form.raised, second)
    np.testing.assert_array_equal(halves - lower, 256 * first)


@pytest.mark.arm
@pytest.mark.parametrize("data_type", ["int8", "int16", "w8a16", "float32"])
def test_prices_and_bits_on_the_l452(data_type: str, tmp_path: Path) -> None:
    graph, x = side_by_side(SIZES, data_type)
    measured = measure(graph, x, tmp_path, forced(graph, rows))
    if data_type == "float32":
        np.testing.assert_array_equal(measured.answers, run_compiled(graph, x))
    else:
        assert differing(measured, graph, x) == 0
    assert not dearest(measured, graph)


@pytest.mark.arm
@pytest.mark.parametrize("seed", [0, 1])
def test_affine_layers_have_their_bits_and_their_price(seed: int, tmp_path: Path) -> None:
    graph, x = side_by_side(SIZES, "int8")
    graph = affine_graph(graph, seed, unsigned=seed == 0)
    chosen = forced(graph, rows)
    np.testing.assert_array_equal(run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x))
    measured = measure(graph, x, tmp_path, chosen, ("nucleo_l452re_p", "sparkfun_edge")[seed])
    assert differing(measured, graph, x) == 0
    by_rows = [step.name for step in measured.program.steps if step.kernel == rows.NAME]
    assert len(by_rows) > len(SIZES)
    for name in by_rows if seed == 0 else ():
        told = rows.cost(graph[name], graph.inputs_of(graph[name]), memory=USUAL)
        assert told == pytest.approx(measured.cycles[name], rel=0.05, abs=NARROW), graph[name].weights["kernel"].shape


@pytest.mark.parametrize("form", LARGE)
def test_every_form_on_both_boards(form: str, tmp_path: Path) -> None:
    graph, x = extreme(form)
    for board in ("nucleo_l452re_p", "sparkfun_edge"):
        measured = measure(graph, x, tmp_path / board, forced(graph, rows), board)
        assert differing(measured, graph, x) == 0
        assert board == "sparkfun_edge" or not dearest(measured, graph)


def special(units: int = 13) -> tuple[Graph, Array]:
    """Layers whose sums become infinite, then no numbers; and zeros with a sign."""
    builder = Builder((11,), seed=4, spread=1e15)
    for activation in ("linear", "relu", "relu6"):
        builder.dense(units, activation=activation)
    x = builder.samples(6)
    x[1:3] *= 1e20
    x[3:5] = -0.0
    return optimize(builder.graph()), x


@pytest.mark.arm
def test_float32_is_plain_c_bit_for_bit(tmp_path: Path) -> None:
    graph, x = special()
    plainly = run_compiled(graph, x)
    assert np.isnan(plainly).any() and np.isfinite(plainly).any()
    ours = run_compiled(graph, x, program=program_of(graph, forced(graph, rows)))
    np.testing.assert_array_equal(ours, plainly)
    fast, slow = (measure(graph, x, tmp_path / kernel.NAME, forced(graph, kernel)) for kernel in (rows, plain))
    np.testing.assert_array_equal(fast.answers, ours)
    np.testing.assert_array_equal(fast.answers.view(np.uint32), slow.answers.view(np.uint32))


@pytest.mark.arm
def test_the_autoencoder_of_mlperf_takes_less_than_1_4_cycles_a_mac(tmp_path: Path) -> None:
    builder = Builder((640,))
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        builder.dense(units, activation="relu")
    builder.dense(640)
    graph = quantize(optimize(builder.graph()), builder.samples(4), "int8")
    x = builder.samples(2)
    measured = measure(graph, x, tmp_path, forced(graph, rows))
    assert differing(measured, graph, x) == 0
    cycles, macs = sum(measured.cycles.values()), sum(step.macs for step in measured.program.steps)
    print(f"{cycles / macs:.3f} cycles a MAC")
    assert macs == 264_192
    assert cycles <= 1.4 * macs


def test_what_does_not_fit_says_why() -> None:
    builder = Builder((6, 3))
    builder.conv(2, 3)
    builder.add("Flatten")
    builder.dense(3)
    graph = quantize(builder.graph(), builder.samples(), "int16")
    convolution, _, dense = (layer for layer in graph if not layer.INPUT)
    assert isinstance(dense, Dense)
    assert rows.fits(convolution, graph.inputs_of(convolution)) == "it is for dense layers"
    assert rows.fits(dense, graph.inputs_of(dense)) is None
    huge = replace(dense, peak_sum=2**62)
    assert "more than 32 bits when they are shifted" in str(rows.fits(huge, graph.inputs_of(dense)))
    graph, _ = with_weights("int8", 5, 3, np.ones((3, 5)))
    narrow = replace(next(layer for layer in graph if isinstance(layer, Dense)), peak_sum=2**31)  # by its bias
    assert rows.fits(narrow, graph.inputs) == "its sums need more than 32 bits"
