"""What is written as `.tflite`: TensorFlow Lite Micro's interpreter gives the bits of `Graph.run`, and so does our own
reader."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.line.optimize import optimize
from mcusim.line.quantize import quantize
from mcusim.models import read_model
from mcusim.models.tflite.file import described
from mcusim.models.tflite.write import write
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.records import fields_of, records_of
from tests.graphs import Builder, builders
from tests.models.test_tflite_integers import cases, reals_of
from tests.tflite_cases import CASES
from tests.tflite_files import File, Integers, reals
from tests.tflite_graphs import networks
from tests.tflm import TFLM

EXAMPLES = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def samples_of(graph: Graph, count: int) -> Array:
    found = {
        layer.name: reals((count, *layer.shape)) if layer.numbers is None else reals_of(layer, count)
        for layer in graph.inputs
    }
    return records_of(found)


def columns(graph: Graph, x: Array) -> list[Array]:
    """As tensors of the file have them."""
    return [part[:, None] for part in fields_of(graph.encode(x)).values()]


def read(content: bytes, folder: Path) -> Graph:
    path = folder / "written.tflite"
    path.write_bytes(content)
    return read_model(path, "m").graph


def proved(graph: Graph, folder: Path, count: int = 6) -> bytes:
    """The file, of which each sample's answer is that of the graph: TFLM's, and that of the graph read from it."""
    content, x = write(graph), samples_of(graph, count)
    wanted = list(fields_of(graph.run(x)).values())
    again = read(content, folder)
    assert [layer.shape for layer in again.inputs] == [layer.shape for layer in graph.inputs]
    assert [(end.elements, end.numbers) for end in again.ends] == [(end.elements, end.numbers) for end in graph.ends]
    samples = records_of(dict(zip((one.name for one in again.inputs), fields_of(x).values(), strict=True)))
    ours = list(fields_of(again.run(samples)).values())
    theirs = TFLM.run(content, columns(graph, x))[0]
    exact = [layer.numbers is not None for layer in graph.layers if not layer.INPUT]
    for want, own, other in zip(wanted, ours, theirs, strict=True):
        same(own, want, all(exact))
        same(other.reshape(want.shape), want, all(exact))
    return content


def same(one: Array, other: Array, exact: bool) -> None:
    if exact:
        np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(other).max(initial=0))))


def kinds(content: bytes) -> Counter[str]:
    return Counter(operation.kind for operation in described(content).operations)


# -- what files hold, read and written again ---------------------------------------------------------------------------


@EXAMPLES
@given(content=networks())
def test_networks_of_reals(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    proved(optimize(read(content, folder)), folder)


@EXAMPLES
@given(content=networks(8))
def test_networks_of_8_bits(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    proved(optimize(read(content, folder)), folder)


@EXAMPLES
@given(content=networks(16))
def test_networks_of_16_bits(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    proved(optimize(read(content, folder)), folder)


@pytest.mark.parametrize("bits", [0, 8, 16])
def test_every_operator(bits: int, tmp_path: Path) -> None:
    """One after the other, as the reader makes layers of them."""
    for name in cases(bits) if bits else list(CASES):
        if name.startswith("UNIDIRECTIONAL_SEQUENCE_LSTM"):
            continue  # is not written
        file = Integers(bits=bits, seed=3) if bits else File()
        proved(read(file.written(*CASES[name](file)), tmp_path), tmp_path)


# -- models of others, quantized here ----------------------------------------------------------------------------------


@EXAMPLES
@given(builder=builders())
def test_graphs_of_reals(builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> None:
    written_or_refused(optimize(builder.graph()), tmp_path_factory.getbasetemp())


@EXAMPLES
@given(builder=builders(), scheme=st.sampled_from(["per-channel", "per-tensor"]))
def test_graphs_of_our_own_integers(builder: Builder, scheme: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    graph = optimize(builder.graph())
    made = quantize(graph, builder.samples(), "int8", scheme=scheme, weights="rounded", ranges="max")
    written_or_refused(made, tmp_path_factory.getbasetemp())


def written_or_refused(graph: Graph, folder: Path) -> None:
    """What is refused is told, and is what TFLite has not."""
    try:
        proved(graph, folder)
    except ModelError as error:
        print(error.what)
        assert error.hint
