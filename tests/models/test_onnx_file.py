"""An ONNX file is hostile until proved otherwise: what is wrong is told, in bounded time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.models import read_model
from mcusim.models.onnx.wire import Message, encoded
from mcusim.system.errors import McusimError, ModelError
from tests.onnx_files import File, assert_equal, mutated, onnx, read


def small() -> File:
    file = File((1, 3, 6, 6))
    file.add("Conv", ..., file.numbers(4, 3, 3, 3), file.numbers(4))
    file.add("Relu")
    file.add("Flatten")
    file.add("Gemm", ..., file.numbers(5, 64), transB=1)
    return file


def refused(data: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        read(data)
    assert caught.value.hint
    return caught.value.what


def changed(change: Any, file: File | None = None) -> bytes:
    model = (file or small()).model()
    change(model)
    return bytes(model.SerializeToString())


# -- bytes -------------------------------------------------------------------------------------------------------------


def test_truncated_files_are_refused() -> None:
    data = small().data()
    for end in range(0, len(data), 7):
        with pytest.raises(McusimError):
            read(data[:end])


def test_files_with_broken_bytes_are_read_or_refused() -> None:
    """A quarter of a second each at most, and never a traceback."""
    data, random = small().data(), np.random.default_rng(0)
    for _ in range(400):
        broken = bytearray(data)
        for place in random.integers(0, len(data), random.integers(1, 4)):
            broken[place] = random.integers(0, 256)
        start = time.monotonic()
        try:
            read(bytes(broken))
        except McusimError as error:
            assert error.hint
        assert time.monotonic() - start < 2


@pytest.mark.parametrize("opset", [9, 13, 20])
def test_mutated_models_are_read_or_refused(opset: int) -> None:
    """Inputs, kinds, attributes and weights that do not belong together: a ModelError, and soon."""
    model, random = every_kind(opset).model(), np.random.default_rng(opset)
    for _ in range(200):
        start = time.monotonic()
        try:
            read(mutated(model, random))
        except McusimError as error:
            assert error.hint
        assert time.monotonic() - start < 3


def every_kind(opset: int) -> File:
    file = small()
    file.opset = opset
    axes = np.array([1], np.int64)
    x = file.add("Reshape", ..., np.array([1, 5, 1], np.int64))
    file.add("BatchNormalization", ..., *(np.ones(5, np.float32) for _ in range(4)))
    file.add("Add", ..., x)
    file.add("Transpose", perm=[2, 0, 1])
    weights = (file.numbers(1, 12, 5), file.numbers(1, 12, 3), file.numbers(1, 24))
    file.add("LSTM", ..., *weights, hidden_size=3, outputs=2)
    file.add("Concat", ..., ..., axis=3)
    file.add("Slice", ..., axes, axes + 3, axes + 2)
    file.add("Softmax", axis=3)
    file.add("ReduceMean", axes=[0]) if opset < 18 else file.add("ReduceMean", ..., axes - 1)
    file.add("QuantizeLinear", ..., np.float32(0.1), np.int8(3))
    file.add("DequantizeLinear", ..., np.float32(0.1), np.int8(3))
    return file


def test_what_is_no_protobuf_is_refused(tmp_path: Path) -> None:
    for number, data in enumerate([b"", b"\xff" * 100, b"PK\x03\x04", b"version https://git-lfs.github.com/spec/v1\n"]):
        path = tmp_path / f"{number}.onnx"
        path.write_bytes(data)
        with pytest.raises(ModelError) as caught:
            read_model(path, "model")
        assert caught.value.where == str(path) and caught.value.hint


def test_millions_of_empty_messages_are_not_kept() -> None:
    graph = encoded(1, b"") * 1_000_000
    assert "parts" in refused(encoded(8, b"\x10\x11") + encoded(7, graph))


def test_numbers_without_end_and_fields_beyond_the_end() -> None:
    for data in (b"\x08" + b"\xff" * 20, b"\x0a\x7fabc", b"\x0b", b"\x02\x01\x00", b"\x09\x01"):
        with pytest.raises(ModelError):
            Message(memoryview(data))


def test_graphs_inside_of_graphs_are_not_read() -> None:
    """A thousand levels of If: the first one is refused by its name."""
    inner = b""
    for _ in range(1000):
        node = encoded(4, b"If") + encoded(5, encoded(1, b"then_branch") + encoded(6, inner) + b"\xa0\x01\x05")
        inner = encoded(1, node)
    data = encoded(8, b"\x10\x11") + encoded(7, inner)
    assert "no inputs" in refused(data)


# -- tensors -----------------------------------------------------------------------------------------------------------


def test_dimensions_that_are_not_there() -> None:
    for dims in ([2**31, 2**31], [-1, 3], [2**62, 0, 5], [4, 3, 3, 4], [1] * 20, []):
        model = small().model()
        model.graph.initializer[0].dims[:] = dims
        assert refused(model.SerializeToString())


def test_types_that_no_kernel_has() -> None:
    def make(model: Any) -> None:
        model.graph.initializer[0].data_type = 14

    assert "type 14" in refused(changed(make))


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "uint8", "int32", "int64", "uint32"])
@pytest.mark.parametrize("raw", [True, False])
def test_weights_of_all_types_are_read(dtype: str, raw: bool) -> None:
    array = np.arange(-6, 6).astype(dtype).reshape(3, 4)

    def make(model: Any) -> None:
        made = onnx.numpy_helper.from_array(array, "w")
        if not raw:
            number = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
            made = onnx.helper.make_tensor("w", number, array.shape, array.reshape(-1).tolist())
        model.graph.initializer.append(made)

    from mcusim.models.onnx.messages import model_of
    from mcusim.models.onnx.tensors import TensorReader

    found = model_of(memoryview(changed(make)), TensorReader(Path())).constants["w"]
    assert found.dtype == array.dtype and (found == array).all()


def test_four_bits_and_bfloat16() -> None:
    from mcusim.models.onnx.messages import model_of
    from mcusim.models.onnx.tensors import TensorReader

    helper, kinds = onnx.helper, onnx.TensorProto

    def make(model: Any) -> None:
        model.graph.initializer.append(helper.make_tensor("a", kinds.INT4, (3,), [-8, 7, -1]))
        model.graph.initializer.append(helper.make_tensor("b", kinds.UINT4, (4,), [0, 15, 8, 1]))
        model.graph.initializer.append(helper.make_tensor("c", kinds.BFLOAT16, (2,), [1.5, -2.0]))

    found = model_of(memoryview(changed(make)), TensorReader(Path())).constants
    assert found["a"].tolist() == [-8, 7, -1] and found["b"].tolist() == [0, 15, 8, 1]
    assert found["c"].tolist() == [1.5, -2.0] and found["c"].dtype == np.float32


def external(tmp_path: Path, location: str, **told: Any) -> Path:
    model = small().model()
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "weights.bin").write_bytes(b"1234" + data)
    (tmp_path / "weights.bin").write_bytes(b"1234" + data)
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    for key, value in {"location": location, "offset": 4, "length": len(data), **told}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = tmp_path / "inner" / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_may_lie_beside_the_model(tmp_path: Path) -> None:
    from tests.onnx_files import graph_of, onnxruntime_of

    path = external(tmp_path, "weights.bin")
    made, x = read(path.read_bytes(), path.parent), small().samples()
    assert np.allclose(graph_of(made, x)[0], onnxruntime_of(small().data(), x)[0], atol=1e-5)


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/etc/passwd", "", "a/../../weights.bin", "link", "..\\x", "\0"]
)
def test_weights_outside_of_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    path = external(tmp_path, location)
    (path.parent / "link").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(ModelError, match="outside"):
        read_model(path, "model")


@pytest.mark.parametrize("told", [{"offset": 2**40}, {"offset": -4}, {"length": 8}, {"offset": "x"}, {"length": 2**50}])
def test_weights_that_are_not_in_their_file(tmp_path: Path, told: dict[str, Any]) -> None:
    path = external(tmp_path, "weights.bin", **told)
    with pytest.raises(ModelError, match=r"weights\.bin"):
        read_model(path, "model")


# -- graphs ------------------------------------------------------------------------------------------------------------


def test_all_problems_are_told_at_once() -> None:
    file = small()
    file.add("Einsum", ..., equation="ij->ij")
    file.add("Relu")
    file.nodes.append(onnx.helper.make_node("Magic", ["x"], ["m"], name="trick", domain="com.example"))
    file.add("ArgMax")
    file.add("Cast", to=1)
    file.add("Relu")
    told = refused(file.data(file.last, "m"))
    for name in ("'Einsum4' (Einsum)", "'trick' (com.example.Magic)", "'ArgMax7' (ArgMax)"):
        assert name in told


@pytest.mark.parametrize("opset", [0, 99])
def test_opsets_that_are_not_known(opset: int) -> None:
    def make(model: Any) -> None:
        model.opset_import[0].version = opset

    assert f"opset {opset}" in refused(changed(make))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda file: file.add("Softmax", ..., axis=0), "works along the batch of 3"),
        (lambda file: file.add("ReduceSum", ..., np.array([0, 1])), "works along the batch of 3"),
        (lambda file: file.add("Add", ..., file.numbers(3, 4)), "other constants for each of 3 samples"),
        (lambda file: file.add("Concat", ..., "x", axis=0), "works along the batch of 3"),
    ],
)
def test_samples_of_a_batch_that_are_mixed(make: Callable[[File], object], expected: str) -> None:
    file = File((3, 4), opset=13)
    file.add("Relu")
    make(file)
    assert expected in refused(file.data())


def test_integers_without_a_scale() -> None:
    file = File((1, 4))
    file.add("Gemm", ..., np.ones((4, 3), np.int8))
    assert "int8 that no scale is told of" in refused(file.data())


def test_a_table_whose_rows_are_looked_up() -> None:
    file = File((1, 4))
    file.add("Gather", file.numbers(9, 3), "x")
    with pytest.raises(ModelError) as caught:
        read(file.data())
    assert "rows of a table" in caught.value.what and "outside" in str(caught.value.hint)


def test_outputs_that_are_not_computed() -> None:
    file = File((1, 2, 6, 6))
    file.add("MaxPool", ..., outputs=2, kernel_shape=[2, 2])
    assert "gives 'maxpool0_1', too" in refused(file.data("maxpool0_0", "maxpool0_1"))


def test_circles_and_missing_tensors() -> None:
    def circle(model: Any) -> None:
        model.graph.node[0].input[0] = model.graph.node[1].output[0]

    def missing(model: Any) -> None:
        model.graph.node[0].input[0] = "nowhere\x1b[31m"

    assert "nothing writes" in refused(changed(circle))
    told = refused(changed(missing))
    assert "nothing writes" in told and "\x1b" not in told


def test_nodes_in_any_order_are_read() -> None:
    file = small()
    file.nodes.reverse()
    assert_equal(file)


def test_absurd_names_are_made_printable() -> None:
    def make(model: Any) -> None:
        for node in model.graph.node:
            node.name = "\n\x1b[31m" + "x" * 10_000

    names = [layer.name for layer in read(changed(make)).source.graph]
    assert len(set(names)) == len(names) and all(name.isprintable() and len(name) < 300 for name in names)


@pytest.mark.parametrize("batch", [0, -1])
def test_an_open_batch_that_is_a_number(batch: int) -> None:
    """As some exporters write it."""

    def make(model: Any) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch

    assert read(changed(make)).source.graph.inputs[0].shape == (6, 6, 3)


@pytest.mark.parametrize(
    "shape", [(2, 3, 0, 6), (1, 3, None, 6), (1, 3, 6, 6, 6, 6), (1, 3, 0, 6), (1, 2**40, 6, 6), ()]
)
def test_inputs_that_no_kernel_has(shape: tuple[Any, ...]) -> None:
    def make(model: Any) -> None:
        model.graph.input[0].CopyFrom(onnx.helper.make_tensor_value_info("x", 1, shape))

    assert refused(changed(make))


def test_open_axes_are_told_by_the_user() -> None:
    file = File(("N", 3, "height", 6))
    file.add("Conv", ..., file.numbers(4, 3, 3, 3))
    assert read(file.data(), input=(3, 8, 6)).source.graph.inputs[0].shape == (8, 6, 3)
    for told, why in (({"input": (3, 8, 7)}, "has shape"), ({"other": (1,)}, "has none")):
        with pytest.raises(ModelError, match=why):
            read(file.data(), **told)


def test_all_inputs_that_cannot_be_read_are_told_at_once() -> None:
    file = File((1, "length"), inputs={"y": (1, 2, 2, 2, 2), "z": (1, 4)})
    file.add("Add", ..., "y")
    file.add("Mul", ..., "z")
    told = refused(file.data())
    assert told.startswith("2 layers cannot be read: ")
    assert "'x' has shape (1, open)" in told and "'y' has shape (1, 2, 2, 2, 2)" in told


SETTINGS = {
    "Conv": {"pads": [-1, 0, 0, 0], "strides": [0, 1], "dilations": [2**40, 1], "group": 7, "auto_pad": "ODD"},
    "Gemm": {"alpha": float("nan"), "transB": 0},
}


@pytest.mark.parametrize("kind, key", [(kind, key) for kind, settings in SETTINGS.items() for key in settings])
def test_settings_without_meaning_are_refused(kind: str, key: str) -> None:
    def make(model: Any) -> None:
        node = next(node for node in model.graph.node if node.op_type == kind)
        del node.attribute[:]
        node.attribute.append(onnx.helper.make_attribute(key, SETTINGS[kind][key]))

    assert kind in refused(changed(make))


def test_an_attribute_that_is_not_known_is_refused() -> None:
    def make(model: Any) -> None:
        model.graph.node[1].attribute.append(onnx.helper.make_attribute("magic", 1))

    assert "'magic'" in refused(changed(make))


def test_constants_beyond_all_sizes_are_not_made() -> None:
    file = File((1, 4))
    shape = np.array([2**40, 2**20], np.int64)
    file.add("ConstantOfShape", shape)
    file.add("Add", "x", ...)
    assert "shape" in refused(file.data())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value: float) -> None:
    file = File((1, 4))
    file.add("MatMul", ..., np.full((4, 2), value, np.float32))
    assert "NaN or infinite" in refused(file.data())
