"""What is written as `.tflite`: TensorFlow Lite Micro's interpreter gives the bits of `Graph.run`, and so does our own
reader."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcusim.graph import Graph
from mcusim.layers.dense import Dense
from mcusim.layers.input import Input
from mcusim.line.drop_unread import with_unread
from mcusim.line.optimize import merged, optimize
from mcusim.line.quantize import quantize
from mcusim.line.store_unsigned import store_unsigned
from mcusim.models import read_model
from mcusim.models.tflite.description import Operation
from mcusim.models.tflite.file import described
from mcusim.models.tflite.write import write
from mcusim.numbers.affine import Affine, Scaled, sum_factors, weighted_sum
from mcusim.numbers.numbers import Activation
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.records import fields_of, records_of
from tests.affine_nets import Net
from tests.graphs import Builder, builders, several
from tests.models.test_tflite_integers import cases
from tests.tflite_cases import CASES
from tests.tflite_files import File, Integers, reals, schema
from tests.tflite_graphs import networks
from tests.tflm import TFLM
from tests.tflm_equal import reals_of

MODELS = Path(os.environ.get("MCUSIM_MODELS", "models of MLPerf Tiny"))
OWN = [("int8", "per-channel"), ("int8", "per-tensor"), ("w8a16", "per-channel")]
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
    proved(merged(read(content, folder)), folder)


@EXAMPLES
@given(content=networks(8))
def test_networks_of_8_bits(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    proved(merged(read(content, folder)), folder)


@EXAMPLES
@given(content=networks(16))
def test_networks_of_16_bits(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    proved(merged(read(content, folder)), folder)


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
    written_or_refused(merged(builder.graph()), tmp_path_factory.getbasetemp())


@EXAMPLES
@given(builder=builders(), words=st.sampled_from(OWN))
def test_graphs_of_our_own_integers(
    builder: Builder, words: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    graph, (data_type, scheme) = optimize(builder.graph()), words
    made = quantize(graph, builder.samples(), data_type, scheme=scheme, weights="rounded", ranges="max")
    made = with_unread(made, merged(builder.graph()))
    written_or_refused(made, tmp_path_factory.getbasetemp())


def written_or_refused(graph: Graph, folder: Path) -> None:
    """What is refused is told, with what helps."""
    try:
        write(graph)
    except ModelError as error:
        assert "TFLite" in error.what + (error.hint or "") or "at once" in error.what
        return
    proved(graph, folder)


@pytest.mark.parametrize("seed", range(3))
def test_nets_by_hand(seed: int, tmp_path: Path) -> None:
    """Planes and groups, limits of all kinds, zeros at the ends of their range."""
    net = Net(seed, (9, 7, 4))
    net.convolution(8)
    net.convolution(8, groups=8, stride=2)
    net.convolution(6, groups=2)
    net.layers[-1] = replace(net.layers[-1], activation=Activation(relu=True, ceiling=0.4))
    net.convolution(3, stride=2)
    assert kinds(proved(net.graph(), tmp_path))["MINIMUM"] == 1


def test_sums_that_are_the_same_for_all_inputs(tmp_path: Path) -> None:
    """Dead filters: next to no scale, and a huge bias, which the graph says with small numbers."""
    entry, out = Affine(8, single(0.05), -3), Affine(8, single(0.1), 10)
    kernel = np.random.default_rng(0).integers(-127, 128, (3, 5)).astype(np.int8)
    scales = Scaled(8, (single(0.01), single(1e-12), single(0.02)))
    bias = np.array([100, 2 * 10**9, -300])
    made = vars(weighted_sum(kernel, bias, scales, entry, out, sum_factors(entry, scales, out), fold=True))
    layers = (
        Input(name="x", inputs=(), shape=(5,), numbers=entry),
        Dense(name="y", inputs=("x",), shape=(3,), **{**made, "zero": entry.zero}),
    )
    assert not made["kernel"][1].any(), "it is one"
    proved(Graph(layers), tmp_path)


def single(scale: float) -> float:
    return float(np.float32(scale))


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ad01", "ic_resnet8", "kws", "sww", "vww_96"])
def test_models_of_mlperf_tiny(name: str, tmp_path: Path) -> None:
    """The operators of the file, whose bits TFLM gives of both; what is written anew is the same."""
    path = MODELS / f"{name}_int8.tflite"
    if not path.exists():
        pytest.skip("the models of MLPerf Tiny are not here: MCUSIM_MODELS names their folder")
    source = read_model(path, "m")
    graph, original = merged(source.graph), path.read_bytes()
    content = proved(graph, tmp_path, 4)
    assert kinds(content) == kinds(original)
    assert len(content) <= len(original)
    x = columns(graph, samples_of(graph, 4))
    same(TFLM.run(content, x)[0][0], TFLM.run(original, x)[0][0], True)
    again = write(merged(read(content, tmp_path)))
    assert [told(one) for one in described(again).operations] == [told(one) for one in described(content).operations]


def told(operation: Operation) -> object:
    return operation.kind, operation.version, operation.inputs, operation.outputs, operation.options


def test_what_a_file_says_besides(tmp_path: Path) -> None:
    """Names, a signature, constants that are stored once and lie where machines read them."""
    graph, _ = several()
    content = write(graph)
    assert content == write(graph) and content[4:8] == b"TFL3"
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    (signature,) = model.signatureDefs
    assert signature.signatureKey == b"serving_default"
    names = {pair.name.decode(): pair.tensorIndex for pair in signature.inputs}
    assert list(names) == [layer.name for layer in graph.inputs] and list(names.values()) == list(
        model.subgraphs[0].inputs
    )
    assert [pair.name.decode() for pair in signature.outputs] == [output.name for output in graph.outputs]
    assert len(set(model.subgraphs[0].outputs)) == len(graph.outputs)
    assert [entry.name for entry in model.metadata] == [b"min_runtime_version"]
    stored = [bytes(buffer.data) for buffer in model.buffers[1:] if buffer.data is not None]
    assert len(set(stored)) == len(stored)
    assert all(content.index(one) % 16 == 0 for one in stored if len(one) > 64)
    assert len({tensor.name for tensor in model.subgraphs[0].tensors}) > len(model.subgraphs[0].tensors) // 2


# -- what TFLite has not -----------------------------------------------------------------------------------------------


def test_all_that_cannot_be_written_is_told_at_once() -> None:
    builder = Builder((8, 3))
    builder.add("Activation", activation="mish")
    builder.recurrent("GRU", 4, return_sequences=True)
    builder.standardization(epsilon=1e-3)
    with pytest.raises(ModelError, match=r"3 layers cannot be written as TFLite: .*Mish.*GRU.*LayerNormalization"):
        write(builder.graph())


def test_fixed_point_and_numbers_without_a_sign(tmp_path: Path) -> None:
    builder = Builder((8, 8, 3))
    builder.conv(4, 3, activation="relu")
    builder.conv(4, 3)
    with pytest.raises(ModelError, match="fixed point") as caught:
        write(quantize(builder.graph(), builder.samples(), "int8"))
    assert "--scheme per-channel" in (caught.value.hint or "")
    made = quantize(optimize(builder.graph()), builder.samples(), "int8", scheme="per-channel")
    proved(made, tmp_path)
    with pytest.raises(ModelError, match="without a sign"):
        write(store_unsigned(made))
