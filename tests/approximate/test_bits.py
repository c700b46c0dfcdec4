"""Whatever is skipped: C and `Graph.run` agree to the bit, in each number system, on the host and on a board."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.experiment.approximation import Approximation
from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph
from mcusim.kernels.choice import Destination
from mcusim.kernels.memory import USUAL
from mcusim.line.front import quantized_graph, reduced_graph
from mcusim.line.lower import options_of
from mcusim.line.select import select
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from tests.approximate.networks import network
from tests.compiled import run_compiled
from tests.kernels.measured import differing, measure

ALL = Approximation(channels=0.25, rows=0.5)


def quantized(**words: object) -> tuple[Graph, Array]:
    graph, x = network()
    chosen = Quantization(**words)  # type: ignore[arg-type]
    made = quantized_graph(Source(graph), x, chosen, real=reduced_graph(Source(graph), x, chosen, ALL))
    assert {one.kind for one in made.skipped} == {"dead_channels", "channels", "rows"}
    return made, x[:6]


@pytest.mark.parametrize(
    "words",
    [
        {"data_type": "float32"},
        {"data_type": "int8"},
        {"data_type": "int8", "scheme": "per-layer"},
        {"data_type": "w8a16"},
        {"data_type": "int16"},
    ],
    ids=lambda words: "-".join(words.values()),
)
def test_c_has_the_same_bits(words: dict[str, str]) -> None:
    made, x = quantized(**words)
    np.testing.assert_allclose(run_compiled(made, x), made.run(x), rtol=0, atol=0 if made.is_quantized else 1e-4)


@pytest.mark.parametrize("scheme", ["per-channel", "per-layer"])
def test_on_the_board_too(scheme: str, tmp_path: Path) -> None:
    made, x = quantized(data_type="int8", scheme=scheme)
    selected = select(made, options_of(made, Destination("cortex-m4", USUAL)))
    chosen = {name: (option.kernel, option.variant) for name, option in selected.items()}
    assert differing(measure(made, x, tmp_path, chosen), made, x) == 0


def test_a_model_of_integers_stays_as_it_is() -> None:
    stored, x = quantized(data_type="int8")
    with pytest.raises(ConfigurationError, match="quantized in its file: nothing of it can be approximated"):
        reduced_graph(Source(stored), x, Quantization(data_type="as-stored"), ALL)
