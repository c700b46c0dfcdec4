import numpy as np
from hypothesis import Phase, find, settings

from mcusim.layers.negate import Negate
from mcusim.line.quantize import quantize
from mcusim.numbers.formats import Format
from tests.compiled import run_compiled
from tests.graphs import builders


def test_the_smallest_number_saturates() -> None:
    layer = Negate(name="n", inputs=("x",), shape=(3,), numbers=Format(8, 0))
    assert layer.run(np.array([-128, 0, 127], np.int8)).tolist() == [127, 0, -127]


def test_random_graphs_have_it() -> None:
    first = settings(phases=[Phase.generate], max_examples=2000)  # the smallest one takes long to find
    builder = find(builders(), lambda built: any(one.kind == "Negate" for one in built.layers), settings=first)
    x = builder.samples(8)
    graph = quantize(builder.graph(), x, "int8")
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))
