import re

import numpy as np
import pytest

from mcusim.commands import cli
from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.kernels.choice import ANYWHERE, Destination
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from tests.compiled import run_compiled
from tests.graphs import Builder


@pytest.mark.parametrize("data_type", ["int8", "int16", "int9"])
@pytest.mark.parametrize(("inputs", "units"), [(1, 1), (7, 5), (64, 3)])
def test_the_bits_of_run(data_type: str, inputs: int, units: int) -> None:
    builder = Builder((inputs,), spread=30.0)
    builder.dense(units, activation="relu")
    x = builder.samples(16)
    x[12:] *= 1000
    graph = quantize(builder.graph(), x[:12], data_type)
    assert [step.kernel for step in lower(graph).steps if step.kind == "Dense"] == ["countdown"]
    assert "nn_dense_countdown.h" in emit_library(lower(graph)).files
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))


def test_it_is_chosen_by_cost_or_by_name() -> None:
    builder = Builder((7,))
    builder.dense(3)
    graph = quantize(builder.graph(), builder.samples(), "int8")
    assert [step.kernel for step in lower(graph, ANYWHERE, KernelChoice(default=("plain",))).steps] == ["plain"]
    assert [
        step.kernel for step in lower(graph, Destination("cortex-m4"), KernelChoice(default=("countdown",))).steps
    ] == ["countdown"]
    assert [step.kernel for step in lower(builder.graph()).steps] == ["plain"], "float32"


def test_it_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["kernels"]) == 0
    assert re.search(r"^countdown +dense layers on integers", capsys.readouterr().out, re.MULTILINE)
