"""Pairs that run band by band: the bits of Graph.run, whatever kernels run the bands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.graph import Graph
from mcusim.kernels import KERNELS
from mcusim.kernels.bands import band_options
from mcusim.kernels.bands.cuts import bands, runs, why_not
from mcusim.kernels.choice import ANYWHERE, Destination, Option, opt_in, options
from mcusim.kernels.kernel import Kernel
from mcusim.kernels.memory import USUAL
from mcusim.layers.fused import Fused
from mcusim.line.fuse import fusions
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.program import Program, Repeated
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.measured import measure

TYPES = ("int8", "int16", "float32")
BOARD = Destination("cortex-m4", USUAL)


def quantized(builder: Builder, data_type: str) -> Graph:
    graph = optimize(builder.graph())
    return graph if data_type == "float32" else quantize(graph, builder.samples(), data_type)


def every_pair(graph: Graph, kind: str = "") -> Graph:
    """As many as there are side by side, of those that overlap one whose second layer is of that kind, or the first."""
    while found := sorted(fusions(graph), key=lambda one: one[0].second.kind != kind):
        _, graph = found[0]
    return graph


def options_with_pairs(graph: Graph, destination: Destination = BOARD) -> dict[str, list[Option]]:
    return {
        layer.name: band_options(layer, graph.inputs_of(layer), destination, None)
        if isinstance(layer, Fused)
        else options(layer, graph.inputs_of(layer), destination)
        for layer in graph
        if not layer.INPUT
    }


def in_bands(graph: Graph, index: int) -> Program:
    """Of the options of each pair one, of other layers the cheapest."""
    every = options_with_pairs(graph)
    chosen = {name: several[index % len(several) if "+" in name else 0] for name, several in every.items()}
    return program_of(graph, {name: (option.kernel, option.variant) for name, option in chosen.items()})


def same(answers: Array, wanted: Array) -> bool:
    return answers.tobytes() == wanted.tobytes()


def pooled(builder: Builder, kind: str, size: int, step: int, padding: str) -> None:
    rank = len(builder.last.shape) - 1
    builder.add(f"{kind}Pooling{rank}D", pool_size=size, strides=step, padding=padding)


def network_of_pairs() -> Builder:
    """Every pair there is: pools that overlap and that leave gaps, convolutions behind convolutions, sums."""
    builder = Builder((40, 16, 4), seed=5)
    builder.conv(8, 3, padding="same")
    pooled(builder, "Max", 2, 2, "valid")
    start = builder.conv(8, 3, padding="same")
    builder.conv(8, 3, padding="same")
    end = builder.conv(8, 3, padding="same")
    builder.add("Add", start, end)
    builder.conv(8, 1)
    builder.depthwise(3, padding="same", strides=2)
    return builder


@pytest.mark.parametrize("data_type", TYPES)
def test_a_network_of_pairs_computes_what_its_layers_do(data_type: str) -> None:
    builder = network_of_pairs()
    graph = quantized(builder, data_type)
    fused = every_pair(graph)
    assert [layer.kind for layer in fused][1:] == [
        "Conv2D + MaxPooling2D",
        "Conv2D",
        "Conv2D + Conv2D",
        "Add",
        "Conv2D + DepthwiseConv2D",
    ]
    x = builder.samples(3)
    wanted = run_compiled(graph, x)
    for index in (0, -1):
        assert same(run_compiled(fused, x, program=in_bands(fused, index)), wanted)
    if data_type != "float32":
        assert same(wanted, graph.run(x)) and same(fused.run(x), wanted)


@pytest.mark.parametrize("data_type", TYPES)
def test_a_sum_lies_over_what_it_adds(data_type: str) -> None:
    """Band by band, where the other tensor is not needed any more."""
    builder = network_of_pairs()
    graph = quantized(builder, data_type)
    fused, x = every_pair(graph, "Add"), builder.samples(3)
    program = in_bands(fused, -1)
    step = next(step for step in program.steps if step.kind == "Conv2D + Add")
    assert step.sink in step.sources
    assert same(run_compiled(fused, x, program=program), run_compiled(graph, x))


@pytest.mark.parametrize("board", ["nucleo_l452re_p", "sparkfun_edge"])
@pytest.mark.parametrize("data_type", TYPES)
def test_on_the_board(data_type: str, board: str, tmp_path: Path) -> None:
    """Bits, and that the cycles of a pair are about what is told of it."""
    builder = network_of_pairs()
    graph = quantized(builder, data_type)
    fused, x = every_pair(graph, "Add"), builder.samples(2)
    chosen = {}
    for name, several in options_with_pairs(fused).items():
        option = several[len(several) // 2] if "+" in name else several[0]
        chosen[name] = option
    measured = measure(fused, x, tmp_path, {name: (one.kernel, one.variant) for name, one in chosen.items()}, board)
    assert same(measured.answers, run_compiled(graph, x))
    for name, option in chosen.items():
        if "+" in name and board == "nucleo_l452re_p":
            assert option.cycles == pytest.approx(measured.cycles[name], rel=0.12)


@settings(max_examples=8, derandomize=True, deadline=None)
@given(data=st.data())
def test_any_pair(data: st.DataObject) -> None:
    """Any window, stride, padding, dilation, groups of both; one and two dimensions; integers and float32."""
    pick = data.draw
    data_type, rank = pick(st.sampled_from(TYPES)), pick(st.sampled_from((1, 2)))
    sizes = [pick(st.integers(6, 19)) for _ in range(rank)]
    builder = Builder((*sizes, 4), seed=pick(st.integers(0, 99)))
    padding = st.sampled_from(("same", "valid"))
    groups = pick(st.sampled_from((1, 2, 4)))
    builder.conv(
        8, pick(st.sampled_from((1, 2, 3))), strides=pick(st.sampled_from((1, 2))), padding=pick(padding), groups=groups
    )
    second = pick(st.sampled_from(("Max", "Average", "conv", "depthwise", "Add")))
    if second == "conv":
        builder.conv(5, pick(st.sampled_from((1, 2, 3))), padding="same", dilation_rate=pick(st.sampled_from((1, 2))))
    elif second == "depthwise":
        builder.depthwise(3, padding="same", strides=pick(st.sampled_from((1, 2))))
    elif second == "Add":
        own = builder.conv(8, 3, padding="same")
        builder.add("Add", own, builder.layers[1].name)
    else:
        pooled(builder, second, pick(st.sampled_from((2, 3))), pick(st.sampled_from((1, 2, 4))), pick(padding))
    graph, x = quantized(builder, data_type), builder.samples(2, scale=3.0)
    fused = every_pair(graph)
    for layer in fused:
        if isinstance(layer, Fused):
            several = band_options(layer, fused.inputs_of(layer), BOARD, None)
            if not several:
                return
    wanted = run_compiled(graph, x)
    index = pick(st.integers(0, 3))
    assert same(run_compiled(fused, x, program=in_bands(fused, index)), wanted)
    if data_type != "float32":
        assert same(wanted, graph.run(x))


@pytest.mark.parametrize("data_type", TYPES)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.NAME)
def test_every_kernel_runs_bands(kernel: Kernel, data_type: str) -> None:
    """Where the experiment names it for the first layer."""
    builder = Builder((37, 24, 4), seed=1)
    if kernel.NAME == "depthwise":
        builder.depthwise(3, padding="same")
    else:
        builder.conv(8, 1 if kernel.NAME == "pointwise" else 3, padding="same")
    pooled(builder, "Max", 3, 3, "valid")
    graph = quantized(builder, data_type)
    fused = every_pair(graph)
    pair = fused.layers[-1]
    assert isinstance(pair, Fused)
    first = pair.first
    if opt_in(kernel) or kernel.fits(first, graph.inputs_of(first)) is not None:
        pytest.skip("it runs no such layer, or only where it is named")
    choice = KernelChoice(layers=((first.name, (kernel.NAME,)),))
    several = band_options(pair, fused.inputs_of(pair), BOARD, choice)
    assert several and all(option.kernel.NAME.startswith(kernel.NAME) for option in several)
    x = builder.samples(2)
    wanted = run_compiled(graph, x)
    for option in {several[0].variant: several[0], several[-1].variant: several[-1]}.values():
        program = program_of(fused, {pair.name: (option.kernel, option.variant)})
        assert same(run_compiled(fused, x, program=program), wanted)


def pair_of(builder: Builder, data_type: str = "int8") -> tuple[Fused, Graph]:
    graph = every_pair(quantized(builder, data_type))
    return next(layer for layer in graph if isinstance(layer, Fused)), graph


def test_kernels_that_run_only_where_they_are_named_run_no_bands() -> None:
    builder = Builder((16, 16, 4))
    builder.conv(8, padding="same")
    pooled(builder, "Max", 2, 2, "valid")
    pair, graph = pair_of(builder)
    for kernel in filter(opt_in, KERNELS):
        if kernel.fits(pair.first, graph.inputs_of(pair.first)) is None:
            choice = KernelChoice(layers=((pair.first.name, (kernel.NAME,)),))
            assert band_options(pair, graph.inputs_of(pair), BOARD, choice) == []


def test_bands_in_the_middle_are_a_loop() -> None:
    builder = Builder((64, 8))
    builder.conv(8, 3, padding="same")
    pooled(builder, "Max", 2, 2, "valid")
    pair, graph = pair_of(builder)
    found = bands(pair, graph.inputs_of(pair), 4)
    assert found is not None
    assert [run.times for run in runs(found)] == [1, 6, 1]
    option = band_options(pair, graph.inputs_of(pair), BOARD, None)[-1]
    assert any(isinstance(call, Repeated) for call in option.code.calls)
    roles = [constant.role for constant in option.code.constants]
    assert roles == ["first_kernel", "first_bias"]  # once, whatever the number of bands


def test_bands_begin_on_words() -> None:
    builder = Builder((33, 3))
    builder.conv(3, 3, padding="same")
    pooled(builder, "Max", 2, 2, "valid")
    pair, graph = pair_of(builder)
    for rows in range(1, 16):
        found = bands(pair, graph.inputs_of(pair), rows)
        assert found is None or all(band.entry % 4 == 0 == band.output % 4 for band in found)


def test_memory_of_the_first_layer_is_a_few_rows() -> None:
    builder = Builder((64, 32, 4))
    builder.conv(8, 3, padding="same")
    pooled(builder, "Average", 2, 2, "valid")
    pair, graph = pair_of(builder)
    several = band_options(pair, graph.inputs_of(pair), ANYWHERE, None)
    assert several[-1].scratch_bytes == 2 * 32 * 8 < pair.first.output_bytes // 16


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (lambda builder: builder.add("GlobalMaxPooling2D"), "the whole map"),
        (lambda builder: builder.add("Softmax"), "it is for"),
    ],
)
def test_what_is_no_pair(second: Callable[[Builder], object], why: str) -> None:
    builder = Builder((12, 12, 4))
    builder.conv(4, 3)
    second(builder)
    graph = quantized(builder, "int8")
    first, other = graph.layers[-2:]
    reason = why_not(first, other)
    assert reason is not None and why in reason


def test_a_sum_lies_over_what_it_adds_unless_bands_read_it() -> None:
    builder = Builder((24, 8, 8))
    start = builder.conv(8, 3, padding="same")
    end = builder.conv(8, 3, padding="same")
    builder.add("Add", start, end)
    pair, _ = pair_of(builder)
    assert pair.first.name == end and pair.overwritable == ()
    builder = Builder((24, 8, 8))
    start = builder.conv(8, 3, padding="same")
    builder.add("ReLU")
    end = builder.conv(8, 3, start, padding="same")
    end = builder.conv(8, 3, end, padding="same")
    builder.add("Add", start, end)
    graph = quantized(builder, "int8")
    pair = Fused.of(graph[end], graph.layers[-1])
    assert pair.overwritable == (start,)
