"""Maps of a few positions more than whole tiles, in one stripe: nothing is written before the output."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.kernels import KERNELS
from mcusim.kernels.kernel import Kernel
from mcusim.line.lower import program_of
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from tests.compiled import run_compiled
from tests.graphs import Builder
from tests.kernels.measured import forced


@pytest.mark.parametrize("length", [5, 6, 7])
@pytest.mark.parametrize("kernel", KERNELS[1:], ids=lambda kernel: kernel.NAME)
def test_no_position_is_before_the_first(kernel: Kernel, length: int) -> None:
    builder = Builder((length, 4))
    builder.conv(6, 3, padding="same")
    builder.conv(4, 1)
    graph = optimize(builder.graph())
    chosen = forced(graph, kernel)
    if not any(one is kernel for one, _ in chosen.values()):
        graph = quantize(graph, builder.samples(), "int16")
        chosen = forced(graph, kernel)
    if not any(one is kernel for one, _ in chosen.values()):
        pytest.skip("it runs no such convolution")
    x = builder.samples(3)
    answers = run_compiled(graph, x, program=program_of(graph, chosen))
    if graph.data_type != "float32":
        assert np.array_equal(answers, graph.run(x))
