"""What ends sums of affine numbers in assembly: every factor, zero, sign and limit, for sums up to the largest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph, Layer, Output
from mcusim.kernels import depthwise, direct, patches, plain, pointwise, rows, squares, winograd
from mcusim.kernels.finish import MOST_SUM, FactorFinish, ending_of, records
from mcusim.kernels.kernel import DEFAULT, Kernel
from mcusim.kernels.memory import USUAL
from mcusim.layers.convolution import Convolution
from mcusim.layers.dense import Dense
from mcusim.layers.input import Input
from mcusim.layers.reshape import Reshape
from mcusim.line.lower import Chosen, program_of
from mcusim.numbers import affine
from mcusim.numbers.affine import Affine, Multiplied, Scaled
from mcusim.numbers.factors import Factors, once, twice
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.system.arrays import Array
from tests.compiled import run_compiled
from tests.kernels.measured import differing, forced, measure

CHANNELS, FILTERS, POSITIONS = 4, 6, 9
ENTRY = Affine(8, 0.5, 3)
ACTIVATIONS = (LINEAR, RELU, Activation(True, 6.0), Activation(True, 1.0, -1.0))
OUTPUTS = (Affine(8, 0.05, -128), Affine(8, 0.05, -7), Affine(8, 0.1, 127), Affine(8, 0.05, 0, signed=False))
RATIOS = {  # of the six filters
    "usual": (0.0123, 0.00071, 0.0049, 0.25, 0.11, 0.003),
    "small": (0.0123, 0.00071, 0.0049, 0.2, 0.11, 0.003),
    "far apart": (0.49, 2.0**-9, 2.0**-20, 3e-6, 2.0**-40, 0.0),
    "tiny": (1e-5, 2e-6, 1e-7, 5e-7, 2.0**-22, 2.0**-31),
    "one": (0.0071,),
    "half and more": (0.5, 0.75, 0.9999, 0.25, 0.49, 0.003),
    "one and more": (1.0, 0.3, 1.7, 3.999, 0.5, 0.003),
    "all large": (1.0, 1.3, 1.7, 3.999, 0.5, 2.2),
    "all halves": (0.5, 0.6, 0.7, 0.8, 0.9, 0.9999),
}


def layer(name: str, activation: Activation, out: Affine, ratios: tuple[float, ...], bias: Array) -> Convolution:
    kernel = np.random.default_rng(len(name)).integers(-128, 128, (FILTERS, 1, 1, CHANNELS)).astype(np.int8)
    kernel[0], kernel[1] = 127, -128
    numbers = Scaled(8, (1.0,) * len(ratios))
    made = affine.weighted_sum(kernel, bias, numbers, ENTRY, out, twice(ratios), fold=True)
    shapes = {"shape": (POSITIONS, FILTERS), "input_shape": (POSITIONS, CHANNELS)}
    return Convolution(name=name, inputs=("x",), activation=activation, **shapes, **{**vars(made), "zero": 3})  # type: ignore[arg-type]


def finished(kind: str) -> tuple[Graph, Array]:
    """A layer for each way to end; sums reach from the least to the largest."""
    most = (MOST_SUM >> max(0, int(np.log2(max(RATIOS[kind]))) + 1)) - 1 - 2 * 128 * 128 * CHANNELS
    bias = np.array([most, -most, 1000, -1000, 0, most // 3]) if kind != "usual" else np.arange(6) * 900 - 2000
    ways = product(ACTIVATIONS, OUTPUTS)
    layers = [layer(f"l{index}", *way, RATIOS[kind], bias) for index, way in enumerate(ways)]
    entry = Input(name="x", inputs=(), shape=(POSITIONS, CHANNELS), numbers=ENTRY)
    outputs = tuple(Output(one.name, one.name) for one in layers)
    q = np.random.default_rng(0).integers(-128, 128, (12, POSITIONS, CHANNELS))
    q[0], q[1] = -128, 127
    return Graph((entry, *layers), "factors", "int8", "affine", outputs=outputs), ENTRY.decode(q)


PLANE = (9, 8, FILTERS)
LINEARLY = (("half and more", LINEAR), ("one and more", LINEAR), ("all halves", LINEAR))
CONVOLUTIONS = (direct, patches, winograd, squares)
WAYS: tuple[tuple[Kernel, str, Activation], ...] = (
    *((kernel, *way) for kernel in (*CONVOLUTIONS, rows) for way in (*LINEARLY, ("one and more", RELU))),
    *((depthwise, *LINEARLY[2]), *((kernel, "small", RELU) for kernel in (depthwise, *CONVOLUTIONS, rows))),
)


# Rounded once: 8 bits with multipliers of 31, as TFLM may be built, and 16 bits with multipliers of 15.
ONCE: tuple[tuple[Kernel, str, Activation], ...] = tuple(
    (kernel, *way)
    for kernel in (direct, patches, rows)
    for way in (("usual", LINEAR), ("far apart", RELU), ("one and more", ACTIVATIONS[3]))
)
SYSTEMS: dict[str, tuple[tuple[tuple[Kernel, str, Activation], ...], Affine, Affine, Callable[..., Factors]]] = {
    "twice": (WAYS, ENTRY, OUTPUTS[1], twice),
    "once": ((*ONCE, (winograd, "usual", LINEAR), (squares, "usual", LINEAR)), ENTRY, OUTPUTS[1], once),
    "16x8": ((*ONCE[:-1], (depthwise, "usual", RELU)), Affine(16, 0.01), Affine(16, 0.003), partial(once, bits=15)),
    "16x8 with a short bias": ((*ONCE[:2], *ONCE[3:5]), Affine(16, 0.01), Affine(16, 0.003), twice),
}


def weighted(name: str, kernel: Kernel, activation: Activation, entry: Affine, out: Affine, factors: Factors) -> Layer:
    """A layer for that kernel."""
    random = np.random.default_rng(len(name) + factors.multipliers.size)
    inputs = PLANE[0] * PLANE[1] * PLANE[2] if kernel is rows else 1 if kernel is depthwise else PLANE[2]
    shape = (FILTERS, inputs) if kernel is rows else (FILTERS, 3, 3, inputs)
    scales, bias = Scaled(8, (1.0,) * FILTERS), random.integers(-60, 60, FILTERS)
    weights = random.integers(-128, 128, shape).astype(scales.dtype)
    made = vars(affine.weighted_sum(weights, bias, scales, entry, out, factors, fold=True))
    own = {"name": name, "activation": activation, **made, "zero": entry.zero}
    own |= {"wider_numbers": entry} if entry.bits > 8 else {}
    if kernel is rows:
        return Dense(inputs=("flat",), shape=(FILTERS,), **own)
    planes = {"shape": PLANE, "input_shape": PLANE, "padding": ((1, 1), (1, 1)), "groups": PLANE[2] // inputs}
    return Convolution(inputs=("x",), **planes, **own)  # type: ignore[arg-type]


def of_kernels(system: str) -> tuple[Graph, Array, dict[str, Chosen]]:
    """What each kernel makes of signs that matter for some channels or none, and of sums that go to the left."""
    ways, entry, out, factors = SYSTEMS[system]
    x = Input(name="x", inputs=(), shape=PLANE, numbers=entry)
    flat = Reshape(name="flat", inputs=("x",), shape=(PLANE[0] * PLANE[1] * PLANE[2],), numbers=entry)
    layers = [
        weighted(f"l{index}", kernel, activation, entry, out, factors(RATIOS[kind]))
        for index, (kernel, kind, activation) in enumerate(ways)
    ]
    chosen = {layer.name: (way[0], DEFAULT) for layer, way in zip(layers, ways, strict=True)}
    outputs = tuple(Output(one.name, one.name) for one in layers)
    graph = Graph((x, flat, *layers), "kernels", f"int{entry.bits}", "affine", outputs=outputs)
    random = np.random.default_rng(1)
    q = random.integers(entry.minimum, entry.maximum + 1, (12, *PLANE))
    q[0], q[1] = entry.minimum, entry.maximum
    few = random.random(q[2:10].shape) < 0.02  # outputs of large factors saturate but for small inputs
    q[2:10] = entry.zero + few * random.integers(1, 2 + (entry.maximum >> 7), few.shape)
    return graph, entry.decode(q), {"flat": (plain, DEFAULT), **chosen}


@pytest.mark.parametrize("system", SYSTEMS)
def test_all_kernels_end_so(system: str, tmp_path: Path) -> None:
    graph, x, chosen = of_kernels(system)
    for name, (kernel, _) in chosen.items():
        assert kernel.fits(graph[name], graph.inputs_of(graph[name])) is None, (kernel.NAME, name)
    compiled, wanted = run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x)
    for name in wanted.dtype.names or ():
        np.testing.assert_array_equal(compiled[name], wanted[name])
        assert len(np.unique(wanted[name])) > 4
    measured = measure(graph, x, tmp_path, chosen)
    assert differing(measured, graph, x) == 0
    for name, (kernel, _) in list(chosen.items())[1:]:
        estimate = kernel.cost(graph[name], graph.inputs_of(graph[name]), DEFAULT, USUAL)
        assert estimate == pytest.approx(measured.cycles[name], rel=0.05, abs=150), (kernel.NAME, name)


@pytest.mark.parametrize("kind", [kind for kind in RATIOS if kind != "all halves"])
def test_sums_end_as_the_graph_says(kind: str, tmp_path: Path) -> None:
    graph, x = finished(kind)
    chosen = forced(graph, pointwise)
    assert [kernel for kernel, _ in chosen.values()] == [pointwise] * 16
    np.testing.assert_array_equal(run_compiled(graph, x, program=program_of(graph, chosen)), graph.run(x))
    assert differing(measure(graph, x, tmp_path, chosen), graph, x) == 0


def test_only_signs_that_matter_are_looked_at() -> None:
    of = {
        (way, out.zero, out.signed): ending_of(layer("l", way, out, RATIOS["usual"], np.zeros(6, np.int64)))
        for way, out in product(ACTIVATIONS, OUTPUTS)
    }
    assert all(isinstance(one, FactorFinish) for one in of.values())
    above = {key for key, one in of.items() if isinstance(one, FactorFinish) and one.above_zero}
    relu = ACTIVATIONS[1:3]
    assert above == {
        *((way, out.zero, out.signed) for way, out in product(relu, OUTPUTS)),
        *((way, zero, signed) for way in (LINEAR, ACTIVATIONS[3]) for zero, signed in ((-128, True), (0, False))),
    }


def test_a_record_is_what_the_product_adds_and_shifts() -> None:
    one = layer("l", LINEAR, Affine(8, 0.05, -7), RATIOS["one"], np.arange(6))
    ending = ending_of(one, doubled=True)
    assert isinstance(ending, FactorFinish)
    whole, shift = 1951633139, 7  # 0.0071 = whole 2**(-7 - 31)
    wanted = [[2 * bias, whole, 64 - 7 * 128, shift] for bias in one.bias.tolist()]
    assert records(one, ending).tolist() == wanted


def test_sums_that_are_too_large_are_left_to_plain_c() -> None:
    usual = layer("l", LINEAR, OUTPUTS[0], RATIOS["usual"], np.zeros(6, np.int64))
    entry = Input(name="x", inputs=(), shape=(POSITIONS, CHANNELS), numbers=ENTRY)
    why = "it is for integers with sums of 32 bits"
    assert pointwise.fits(replace(usual, peak_sum=MOST_SUM), (entry,)) == why
    large = replace(usual, rescale=Multiplied(twice([1.5]), OUTPUTS[0]))
    assert pointwise.fits(large, (entry,)) is None
    assert pointwise.fits(replace(large, peak_sum=MOST_SUM >> 1), (entry,)) == why
