import numpy as np
import pytest

from mcusim.experiment.quantization import Quantization
from mcusim.line.front import generate
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from mcusim.models.source import Source
from mcusim.numbers.numbers import LINEAR
from mcusim.numbers.towards_zero import Truncated, TruncatingShift
from tests.compiled import run_compiled
from tests.graphs import Builder


def network() -> Builder:
    builder = Builder((12, 3), seed=2)
    builder.conv(4, 3, padding="same", activation="relu6")
    builder.add("MaxPooling1D")
    builder.normalization()
    builder.add("Flatten")
    builder.dense(5)
    return builder


def test_it_is_another_arithmetic() -> None:
    sums = np.array([-9, -8, -1, 0, 1, 8, 9])
    assert TruncatingShift(3, Truncated(8, 0)).apply(sums, LINEAR).tolist() == [-1, -1, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("data_type", ["int8", "int16", "int9"])
@pytest.mark.parametrize("rounding", ["nearest", "floor"])
def test_c_equals_run(data_type: str, rounding: str) -> None:
    builder = network()
    x = builder.samples(24)
    x[16:] *= 100
    graph = quantize(builder.graph(), x[:16], data_type, scheme="towards-zero", rounding=rounding)
    assert (graph.scheme, lower(graph).unit.header) == ("towards-zero", "towards_zero.h")
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))
    other = quantize(builder.graph(), x[:16], data_type, rounding=rounding)
    assert (graph.run(x) != other.run(x)).any()


def test_an_experiment_chooses_it() -> None:
    chosen = Quantization(data_type="int8", scheme="towards-zero")
    assert chosen.label == "int8 towards-zero"
    builder = network()
    files = generate(Source(builder.graph()), builder.samples(), chosen).library.files
    assert "towards_zero.h" in files and "towards_zero.h" in files["number_config.h"]
