"""What kernels tell of themselves, layer by layer: who changes cycles, bytes or a name sees it in a diff.

Whether it is true, tests of each kernel ask, on an emulated board; here nothing changes unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from types import ModuleType

import pytest

from mcusim.graph import Graph
from mcusim.kernels import KERNELS, abreast
from mcusim.kernels.abreast import floats, integers
from mcusim.kernels.choice import why_not
from mcusim.kernels.finish import ending_of
from mcusim.kernels.kernel import known
from mcusim.kernels.memory import NO_WAITS, USUAL
from mcusim.kernels.rows.floats import float_rows, float_rows_of
from mcusim.kernels.tile import interleaved
from mcusim.kernels.tile_schedule import timed_tile
from mcusim.layers.convolution import Convolution
from mcusim.line.lower import running_layers
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.program import LayerCode, Routine
from tests.kernels.measured import CORE
from tests.kernels.test_routine_names import network, sides, variants_of

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("data_type", ["int8", "int16", "float32", "affine"])
def test_of_layers_with_weights(data_type: str, golden: Golden) -> None:
    golden(f"{data_type}.txt", _table([network(data_type)], every=2))


def test_of_layers_without(golden: Golden) -> None:
    golden("without_weights.txt", _table([side.graph() for side in sides()], every=5))


def _table(graphs: list[Graph], every: int) -> str:
    """A line for each layer, kernel and variant, then one for each function in assembly and each reason for not.

    `every`: how many layers there are for one that is looked at; no two kinds come by so regularly.
    """
    rows, routines, reasons = list[str](), dict[str, Routine](), set[str]()
    for at, graph in enumerate(graphs):
        for layer in running_layers(graph)[at % every :: every]:
            inputs, shape = graph.inputs_of(layer), "x".join(map(str, layer.shape))
            for kernel in KERNELS:
                if (why := why_not(kernel, layer, inputs, CORE)) is not None:
                    reasons.add(f"{kernel.NAME}: {why}")
                    continue
                for variant in variants_of(kernel, layer, inputs):
                    code = kernel.code(layer, inputs, variant)
                    routines |= {routine.name: routine for routine in code.routines}
                    here, there = (kernel.cost(layer, inputs, variant, memory) for memory in (NO_WAITS, USUAL))
                    name = " ".join(filter(None, (layer.name, shape, kernel.NAME, str(variant))))
                    rows.append(f"{name}: {here:.0f}, {there:.0f} cycles, {_bytes(code)}")
    rows += [f"{one.name}: {one.code_bytes}, stack {one.stack_bytes}" for _, one in sorted(routines.items())]
    return "\n".join([*rows, *sorted(reasons), ""])


def _bytes(code: LayerCode) -> str:
    held = "".join(f", {one.role} {one.ctype} {one.values.nbytes}" for one in code.constants)
    turns = "".join(f", {one.times} turns of {sum(one.calls.values()):g}, {one.around_bytes}" for one in code.turns)
    return f"C {code.code_bytes}, scratch {code.scratch_bytes}{held}{turns}"


def _written() -> Iterator[tuple[float, int]]:
    """Bytes that are told of code before it is written, which choose among kernels and variants; bytes of the code."""
    graph = network("int8")
    layers = [layer for layer in running_layers(graph) if isinstance(layer, Convolution)]
    finish = known(ending_of(layers[0]))
    for filters, positions, words in product((1, 2), (1, 2, 3, 4), (1, 3, 8, 60)):
        tile = interleaved(filters, positions, words, 12, finish)
        yield tile.code_bytes, timed_tile(tile).routine.code_bytes
    for inputs, limits, rows in product((5, 64, 300), (0, 1, 2), (1, 2, 4)):
        block = float_rows_of(inputs, limits, rows, 4)
        activation = (LINEAR, RELU, Activation(True, 6.0))[limits]
        yield block.code_bytes, float_rows(block, activation).code_bytes


def test_code_takes_the_bytes_that_were_told_of_it() -> None:
    for told, written in _written():
        assert abs(told - written) <= 48, (told, written)


@pytest.mark.parametrize(
    ("data_type", "numbers", "most_bytes", "within"), [("int8", integers, 1.5, 0.1), ("float32", floats, 1.1, 0.2)]
)
def test_a_strip_is_as_long_and_as_fast_as_is_told_of_it(
    data_type: str, numbers: ModuleType, most_bytes: float, within: float
) -> None:
    """Of `abreast`, which chooses its strip by that, and asks whether its code stays in the cache."""
    graph, seen = network(data_type), 0
    for layer in running_layers(graph):
        inputs = graph.inputs_of(layer)
        if why_not(abreast, layer, inputs, CORE) is None:
            for one in list(numbers.fitting(abreast._strip(layer, inputs)))[::9]:
                made, told = numbers.strip_of(one), sum(numbers.band_bytes(one, band) for band in one.bands)
                assert 0.9 <= told / made.code_bytes < most_bytes, one
                assert abs(numbers.about(one) - made.cycles) <= max(within * made.cycles, 32), one
                seen += 1
    assert seen > 10
