"""`.tflite` files as a model format: what they are read into, and what is refused, all at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.line.front import read_model
from mcusim.line.quantize import quantize
from mcusim.models.tflite.walk import layer_name, tensor_name
from mcusim.system.errors import ModelError
from mcusim.system.records import records_of
from tests.compiled import run_compiled
from tests.tflite_files import File, dense_file, reals


def read(content: bytes, folder: Path, **told: tuple[int, ...]) -> Graph:
    (folder / "m.tflite").write_bytes(content)
    return read_model(folder / "m.tflite", "m", told).graph


def refused(content: bytes, folder: Path, **told: tuple[int, ...]) -> ModelError:
    with pytest.raises(ModelError) as caught:
        read(content, folder, **told)
    assert caught.value.hint and caught.value.where == str(folder / "m.tflite")
    return caught.value


def test_layers_are_called_as_they_were(tmp_path: Path) -> None:
    graph = read(dense_file(), tmp_path)
    assert [(layer.name, layer.kind) for layer in graph] == [
        ("input", "Input"),
        ("dense", "Dense"),
        ("softmax", "Softmax"),
    ]
    assert [output.name for output in graph.outputs] == ["output"]


@pytest.mark.parametrize(
    ("tensor", "name"),
    [
        ("model/activation/Relu;model/batch_normalization/FusedBatchNormV3;model/conv2d_2/Conv2D1", "conv2d_2"),
        ("model/conv2d_5/BiasAdd;model/conv2d_5/Conv2D;model/conv2d_5/BiasAdd/ReadVariableOp/resource1", "conv2d_5"),
        ("model/depthwise_conv2d/depthwise2", "depthwise_conv2d"),
        ("model/activation_2/Relu;model/add/add", "add"),
        ("dense/BiasAdd", "dense"),
        ("StatefulPartitionedCall:0", "kind"),
        ("Identity", "kind"),
        ("", "kind"),
        ("a/b/\x1b[31mred\n", "31mred"),
        ("../../etc/passwd", "passwd"),
        ("x" * 5000, "x" * 60),
        ("/;/", "kind"),
        ("日本", "kind"),
    ],
)
def test_names_of_layers(tensor: str, name: str) -> None:
    assert layer_name(tensor, "KIND") == name


def test_names_of_inputs() -> None:
    assert tensor_name("serving_default_image:0", "input") == "image"
    assert tensor_name("*:0", "input") == "input"


def several() -> bytes:
    """Two inputs; a tensor that is an output twice, an input that is one, and one that is read on."""
    file = File()
    first, second = file.tensor((1, 3), name="serving_default_left:0"), file.tensor((1, 2, 3), name="right")
    total, flat, end = file.tensor((1, 2, 3), name="m/add/add"), file.tensor((1, 6)), file.tensor((1, 6), name="relu")
    file.op("ADD", (second, first), (total,))
    file.op("RESHAPE", (total,), (flat,), newShape=[1, 6])
    file.op("RELU", (flat,), (end,))
    return file.written((first, second), (end, total, flat, second))


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    graph = read(several(), tmp_path)
    assert [layer.name for layer in graph.inputs] == ["left", "right"]
    left, right = reals((5, 3)), reals((5, 2, 3), seed=1)
    found = graph.run(records_of({"left": left, "right": right}))
    total = (right + left[:, None]).reshape(5, 6)
    expected = (np.maximum(total, 0), total, total, right.reshape(5, 6))
    for name, values in zip(found.dtype.names, expected, strict=True):
        np.testing.assert_array_equal(found[name], values)
    assert found.dtype.names == ("relu", "add", "t3", "right")


def test_a_file_that_only_reshapes(tmp_path: Path) -> None:
    file = File()
    start, end = file.tensor((1, 2, 3)), file.tensor((1, 6))
    file.op("RESHAPE", (start,), (end,), newShape=[1, 6])
    graph, x = read(file.written((start,), (end,)), tmp_path), reals((4, 2, 3))
    np.testing.assert_array_equal(graph.run(x), x.reshape(4, 6))
    np.testing.assert_array_equal(run_compiled(graph, x), x.reshape(4, 6))


def constants() -> bytes:
    """Numbers of the file that layers read as tensors: they lie in flash, and are copied."""
    file = File()
    start, ends = file.tensor((1, 4, 3)), [file.tensor((1, 4, 3)) for _ in range(4)]
    kinds = ("ADD", "MAXIMUM", "MUL", "MINIMUM")
    for place, (kind, end) in enumerate(zip(kinds, ends, strict=True)):
        shape = (1, 4, 3) if place % 2 == 0 else (1, 4, 1)
        file.op(kind, (ends[place - 1] if place else start, file.constant(reals(shape, place), "float32")), (end,))
    joined = file.tensor((1, 4, 5))
    file.op("CONCATENATION", (file.constant(reals((1, 4, 2)), "float32"), ends[-1]), (joined,), axis=2)
    return file.written((start,), (joined,))


def test_constants_in_c(tmp_path: Path) -> None:
    graph, x = read(constants(), tmp_path), reals((8, 4, 3), seed=9) * 2
    assert sum(layer.kind == "Constant" for layer in graph) == 5
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))
    for data_type in ("int8", "int16"):
        quantized = quantize(graph, x, data_type)
        np.testing.assert_array_equal(run_compiled(quantized, x), quantized.run(x))


# -- what is refused ---------------------------------------------------------------------------------------------------


def with_op(
    kind: str, shape: tuple[int, ...] = (1, 4), dtype: str = "float32", count: int = 1, **options: object
) -> bytes:
    file = File()
    start = file.tensor(shape, dtype, scale=None if dtype == "float32" else 0.5)
    for _ in range(count):
        end = file.tensor(shape, dtype, scale=None if dtype == "float32" else 0.5)
        file.op(kind, (start,), (end,), **options)
        start = end
    return file.written((0,), (start,))


def with_custom() -> bytes:
    file = File()
    start, end = file.tensor((1, 4)), file.tensor((1, 4))
    file.op("CUSTOM", (start,), (end,))
    file.model.operatorCodes[0].customCode = "Mine\x1b[31m"
    return file.written((start,), (end,))


def with_subgraphs() -> bytes:
    file = File()
    start, end = file.tensor((1, 4)), file.tensor((1, 4))
    file.op("RELU", (start,), (end,))
    file.model.subgraphs.append(file.graph)
    return file.written((start,), (end,))


def with_computed_weights() -> bytes:
    file = File()
    start, kernel, end = file.tensor((1, 4)), file.tensor((3, 4)), file.tensor((1, 3))
    file.op("FULLY_CONNECTED", (start, kernel), (end,))
    return file.written((start, kernel), (end,))


def with_wrong_shapes() -> bytes:
    file = File()
    start, end = file.tensor((1, 5, 5, 1)), file.tensor((1, 9, 9, 1))
    kernel = file.constant(reals((1, 3, 3, 1)), "float32")
    file.op("CONV_2D", (start, kernel), (end,), strideW=1, strideH=1)
    return file.written((start,), (end,))


def with_open_axes() -> bytes:
    file = File()
    start, end = file.tensor((1, 1, 3), signature=(-1, -1, 3)), file.tensor((1, 1, 3))
    file.op("RELU", (start,), (end,))
    return file.written((start,), (end,))


def with_embedding() -> bytes:
    """As Keras' is converted: places may be negative, and count from the end then."""
    file = File()
    start, less, more = file.tensor((1, 6), "int32"), file.tensor((1, 6), "bool"), file.tensor((1, 6), "int32")
    places, end = file.tensor((1, 6), "int32"), file.tensor((1, 6, 4))
    file.op("LESS", (start, file.constant(0)), (less,))
    file.op("ADD", (start, file.constant(50)), (more,))
    file.op("SELECT_V2", (less, more, start), (places,))
    file.op("GATHER", (file.constant(reals((50, 4)), "float32"), places), (end,))
    return file.written((start,), (end,))


def with_state() -> bytes:
    file = File()
    start, state, end = file.tensor((1, 3)), file.tensor((1, 3), variable=True), file.tensor((1, 3))
    file.op("ADD", (start, state), (end,))
    return file.written((start,), (end,))


@pytest.mark.parametrize("signature", [None, (-1, 3)])
def test_rows_of_all_samples_are_as_many_as_are_computed(signature: tuple[int, int] | None, tmp_path: Path) -> None:
    """Of an open batch a converter writes the rows of a dense layer behind three axes as if there were one."""
    file = File()
    start, end = file.tensor((1, 5, 4), signature=(-1, 5, 4)), file.tensor((1, 5, 3), signature=(-1, 5, 3))
    rows, sums = file.tensor((1, 4), signature=(-1, 4)), file.tensor((1, 3), signature=signature)
    kernel = reals((3, 4))
    file.op("RESHAPE", (start, file.constant([5, 4])), (rows,))
    file.op("FULLY_CONNECTED", (rows, file.weights(kernel)), (sums,))
    file.op("RESHAPE", (sums, file.constant([1, 5, 3])), (end,))
    content = file.written((start,), (end,))
    if signature is None:
        assert "gives (5, 3), and the file has (1, 3)" in refused(content, tmp_path).what
        return
    x = reals((2, 5, 4))
    np.testing.assert_allclose(read(content, tmp_path).run(x).reshape(2, 5, 3), x @ kernel.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "what", "hint"),
    [
        (lambda: with_op("FLOOR"), "layer 't1' (FLOOR) has no kernel", "mcusim layers"),
        (lambda: with_op("WHILE"), "(WHILE) has no cond subgraph", "unroll=True"),
        (with_custom, "(CUSTOM:Mine", "allow_custom_ops"),
        (with_subgraphs, "2 subgraphs", "fixed shapes"),
        (lambda: with_op("RELU", dtype="uint8"), "computes with uint8", "inference_input_type"),
        (lambda: with_op("GELU", dtype="int8"), "(GELU) computes with int8", "float32: TensorFlow Lite Micro, whose"),
        (lambda: with_op("ABS", dtype="int16"), "(ABS) computes with int16", "float32 or int8: mcusim has no such"),
        (lambda: with_op("RELU", (1, 2, 2, 2, 2)), "has shape (1, 2, 2, 2, 2)", "three fixed axes"),
        (lambda: with_op("RELU", (1, 2**25)), "has shape", "fixed axes"),
        (lambda: with_op("CONV_2D"), "has no input 1", "convert it again"),
        (lambda: with_op("RELU", count=5000), "more than 4096 layers", "smaller"),
        (with_computed_weights, "computes its weights", "constants"),
        (with_wrong_shapes, "gives (5, 5, 1), and the file has (1, 9, 9, 1)", "convert it again"),
        (with_open_axes, "has shape (None, None, 3)", "fixed shapes"),
        (with_embedding, "input 't0' is int32", "look its rows up outside"),
        (with_state, "keeps its numbers from one sample to the next", "whole series"),
    ],
)
def test_what_is_refused(make: Callable[[], bytes], what: str, hint: str, tmp_path: Path) -> None:
    error = refused(make(), tmp_path)
    assert what in error.what and hint in str(error.hint) and error.what.isprintable()


def test_all_reasons_are_told_at_once(tmp_path: Path) -> None:
    file = File()
    start, ends = file.tensor((1, 4)), [file.tensor((1, 4), name=f"end_{number}") for number in range(4)]
    file.op("FLOOR", (start,), (ends[0],))
    file.op("FLOOR", (start,), (ends[1],))
    file.op("COS", (ends[0],), (ends[2],))
    file.op("CONV_2D", (start,), (ends[3],))
    error = refused(file.written((start,), ends), tmp_path)
    assert error.what.startswith("4 layers cannot be read: layers 'end_0', 'end_1' (FLOOR, 2 times) have no kernel; ")
    assert "layer 'end_2' (COS) has no kernel" in error.what and "'end_3' (CONV_2D) has no input 1" in error.what


def test_all_inputs_that_cannot_be_read_are_told_at_once(tmp_path: Path) -> None:
    file = File()
    starts = [file.tensor((1, 2, 2, 2, 2), name="a"), file.tensor((1, 1), signature=(1, -1), name="b")]
    end = file.tensor((1, 2, 2, 2, 2))
    file.op("ADD", starts, (end,))
    what = refused(file.written(starts, (end,)), tmp_path).what
    assert "'a' has shape (1, 2, 2, 2, 2)" in what and "'b' has shape (1, None)" in what


def test_a_shape_that_is_told(tmp_path: Path) -> None:
    read(dense_file(), tmp_path, **{"": (4,)})
    assert "tells (5,), and the file has (4,)" in refused(dense_file(), tmp_path, **{"": (5,)}).what
    assert "no such input" in refused(dense_file(), tmp_path, other=(4,)).what


def test_weights_of_a_file_with_real_activations(tmp_path: Path) -> None:
    """TFLite quantizes activations while it runs; here they stay reals, which a note tells."""
    file = File()
    start, end = file.tensor((1, 4)), file.tensor((1, 3))
    stored = np.random.default_rng(0).integers(-127, 128, (3, 4))
    kernel = file.constant(stored, "int8", scale=[0.1, 0.2, 0.3])
    file.op("FULLY_CONNECTED", (start, kernel), (end,))
    graph, x = read(file.written((start,), (end,)), tmp_path), reals((5, 4))
    expected = x @ (stored * np.array([[0.1], [0.2], [0.3]])).astype(np.float32).T
    np.testing.assert_allclose(graph.run(x), expected, rtol=1e-5)
    assert any("integer weights" in note for note in graph.notes)
