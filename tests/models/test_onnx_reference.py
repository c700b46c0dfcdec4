"""onnxruntime, looked into: every node that our reader knows, by its place in the file, and the outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Layer
from mcusim.line.float_proof import compare
from mcusim.line.front import read_model
from mcusim.models.onnx import reference
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.records import fields_of
from tests.onnx_files import File, onnx

SMALL = 1e-5


def network() -> File:
    file = File((1, 3, 8, 9))
    file.add("Conv", ..., file.numbers(4, 3, 3, 3), file.numbers(4), strides=[2, 2], pads=[1, 1, 1, 1])
    file.add("BatchNormalization", ..., *(np.abs(file.numbers(4)) + 1 for _ in range(4)))
    first = file.add("Relu")
    file.add("Conv", ..., file.numbers(4, 1, 3, 3), group=4, pads=[1, 1, 1, 1])
    file.add("Add", ..., first)
    file.add("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    file.add("Flatten")
    file.add("Gemm", ..., file.numbers(5, 24), transB=1)
    file.add("Softmax")
    return file


def samples_of(source: Source, count: int = 4) -> Array:
    return np.asarray(np.random.default_rng(0).normal(size=(count, *source.graph.inputs[0].shape)), np.float32)


def test_every_node_is_looked_into(tmp_path: Path) -> None:
    path = network().write(tmp_path / "model.onnx")
    source = read_model(path)
    x = samples_of(source)
    theirs = reference.values(path, list(fields_of(x).values()), list(source.origins.values()))
    assert len(theirs.layers) == len(source.origins) == 8  # Flatten computes nothing
    assert [origin.path for origin in theirs.layers] == [(name,) for name in list(source.origins)]
    assert compare(source, x, theirs, "onnxruntime", path) < SMALL


def test_outputs_that_are_planes_and_inputs_with_open_axes(tmp_path: Path) -> None:
    file = File(("N", 3, "H", 9))
    file.add("Conv", ..., file.numbers(4, 3, 3, 3))
    path = file.write(tmp_path / "model.onnx")
    source = read_model(path, shapes={"": (3, 7, 9)})
    x = samples_of(source)
    theirs = reference.values(path, [x], list(source.origins.values()))
    assert source.graph.layers[-1].shape == (5, 7, 4)
    assert compare(source, x, theirs, "onnxruntime", path) < SMALL


@pytest.mark.parametrize("name", ["Conv0", "Conv3", "Gemm7"])
def test_a_layer_that_is_read_wrongly_is_named(tmp_path: Path, name: str) -> None:
    path = network().write(tmp_path / "model.onnx")
    source = read_model(path)
    x = samples_of(source)
    theirs = reference.values(path, [x], list(source.origins.values()))

    def wrong(layer: Layer) -> Layer:
        return replace(layer, bias=layer.bias + 0.01) if layer.name == name else layer  # type: ignore[attr-defined,call-arg]

    graph = replace(source.as_read, layers=tuple(map(wrong, source.as_read)))
    with pytest.raises(ModelError, match=f"'{name}'"):
        compare(replace(source, unoptimized=graph), x, theirs, "onnxruntime", path)


def test_nodes_of_several_outputs_are_looked_into_where_one_is_read(tmp_path: Path) -> None:
    file = File((1, 1, 5))
    weights = (file.numbers(1, 12, 5), file.numbers(1, 12, 3), file.numbers(1, 24))
    file.add("LSTM", ..., *weights, hidden_size=3, outputs=2)
    file.add("Relu", "lstm0_1")
    file.add("Split", ..., axis=2, outputs=3)
    file.add("Tanh", "split2_2")
    path = file.write(tmp_path / "model.onnx")
    source = read_model(path)
    x = samples_of(source)
    theirs = reference.values(path, [x], list(source.origins.values()))
    assert len(theirs.layers) == 4 and compare(source, x, theirs, "onnxruntime", path) < SMALL


def test_models_of_float16(tmp_path: Path) -> None:
    """Computed in float32, and held against what onnxruntime computes in float16."""
    model = network().model()
    for tensor in list(model.graph.initializer):
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype == np.float32:
            tensor.CopyFrom(onnx.numpy_helper.from_array(array.astype(np.float16), tensor.name))
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    source = read_model(path)
    x = samples_of(source)
    theirs = reference.values(path, [x], list(source.origins.values()))
    assert theirs.unit == reference.HALF and SMALL < compare(source, x, theirs, "onnxruntime", path) < 0.01


@pytest.mark.parametrize("kind", ["LogSoftmax", "ArgMax"])
def test_what_only_decides_at_the_end_is_left_out(tmp_path: Path, kind: str) -> None:
    file = network()
    file.nodes.pop()
    scores = file.last = file.nodes[-1].output[0]
    file.add(kind, scores, axis=1)
    file.add("Identity")
    source = read_model(file.write(tmp_path / "model.onnx"))
    assert source.graph.layers[-1].kind == "Dense" and f"{kind}8" in source.graph.notes[0]
    x = samples_of(source)
    theirs = reference.values(tmp_path / "model.onnx", [x], list(source.origins.values()))
    assert compare(source, x, theirs, "onnxruntime", tmp_path / "model.onnx") < SMALL


def test_who_works_along_a_batch_unseen_is_found_out(tmp_path: Path) -> None:
    """Steps behind two turns are taken for samples: the framework, which has others beside each, tells."""
    file = File((5, 1, 4))
    for _ in range(2):
        file.add("Transpose", perm=[1, 0, 2])
    file.add("LSTM", ..., file.numbers(1, 12, 4), file.numbers(1, 12, 3), hidden_size=3)
    path = file.write(tmp_path / "model.onnx")
    source = read_model(path)
    x = samples_of(source)
    theirs = reference.values(path, [x], list(source.origins.values()))
    with pytest.raises(ModelError, match="onnxruntime"):
        compare(source, x, theirs, "onnxruntime", path)


def test_the_logarithm_of_a_softmax_at_the_end_is_left_out(tmp_path: Path) -> None:
    """As PyTorch's log_softmax was exported once; of anything else it is not what decides."""
    file = network()
    file.add("Log")
    path = file.write(tmp_path / "model.onnx")
    source = read_model(path)
    assert source.graph.layers[-1].kind == "Softmax" and "Log9" in source.graph.notes[0]
    x = samples_of(source)
    theirs = reference.values(path, [x], list(source.origins.values()))
    assert compare(source, x, theirs, "onnxruntime", path) < SMALL
    other = File((1, 4))
    for kind in ("Relu", "Log"):
        other.add(kind)
    with pytest.raises(ModelError, match="Log"):
        read_model(other.write(path))


def test_weights_beside_the_model(tmp_path: Path) -> None:
    file = network()
    model = file.model()
    tensor = model.graph.initializer[0]
    (tmp_path / "weights.bin").write_bytes(tensor.raw_data)
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="weights.bin")
    tensor.ClearField("raw_data")
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    source = read_model(path)
    x = samples_of(source)
    theirs = reference.values(path, [x], list(source.origins.values()))
    assert compare(source, x, theirs, "onnxruntime", path) < SMALL
