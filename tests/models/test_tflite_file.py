"""A `.tflite` file is hostile until proved otherwise: each is read, or refused by a ModelError, within bounds."""

from __future__ import annotations

import resource
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcusim.models import read_model
from mcusim.models.tflite import schema as own
from mcusim.models.tflite.file import described, read_file
from mcusim.models.tflite.flatbuffer import MOST_TABLES
from mcusim.system.errors import ModelError
from tests.tflite_files import File, dense_file, flatbuffers, quantized_file, schema

GOOD = {"dense": dense_file(), "quantized": quantized_file()}
# How the schema calls options of ours.
SPELLED = {
    **{"activation": "fusedactivationfunction", "dilation_h": "dilationhfactor", "dilation_w": "dilationwfactor"},
    **{"filter_h": "filterheight", "filter_w": "filterwidth"},
}
MOST_BYTES = 2**29  # beyond what the tests had before


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_BYTES


def refused(content: bytes) -> ModelError:
    with pytest.raises(ModelError) as caught:
        described(content)
    assert caught.value.hint and caught.value.what.isprintable() and len(caught.value.what) < 1000
    return caught.value


def read_or_refused(content: bytes, folder: Path) -> None:
    """As a whole: nothing but a ModelError comes out."""
    path = folder / "m.tflite"
    path.write_bytes(content)
    try:
        read_model(path, "m")
    except ModelError as error:
        assert error.hint and error.what.isprintable() and len(error.what) < 2000


# -- what is in a file -------------------------------------------------------------------------------------------------


def test_what_the_file_says() -> None:
    model = described(GOOD["dense"])
    start, kernel, bias, inner, end = model.tensors
    assert (start.shape, start.signature, start.dtype, start.data) == ((1, 4), (-1, 4), "float32", None)
    np.testing.assert_array_equal(kernel.values, np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32))
    first, second = model.operations
    assert (first.kind, first.inputs, first.outputs) == ("FULLY_CONNECTED", (0, 1, 2), (3,))
    assert first.options["activation"] == 1 and second.options["beta"] == 1.0
    assert (model.inputs, model.outputs, model.subgraphs) == ((0,), (4,), 1)
    assert bias.shape == (3,) and inner.name.endswith("BiasAdd") and end.name == "StatefulPartitionedCall:0"


def test_scales() -> None:
    start, kernel, bias, end = described(GOOD["quantized"]).tensors
    assert start.quantized and (float(start.scales[0]), int(start.zero_points[0])) == (np.float32(0.1), 3)
    np.testing.assert_array_equal(kernel.scales, np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    assert kernel.axis == 0 and bias.dtype == "int32" and int(end.zero_points[0]) == -128


def test_numbers_of_four_bits_lie_two_to_a_byte() -> None:
    file = File()
    start, end = file.tensor((1, 2)), file.tensor((1, 2))
    packed = file.tensor((3,), "int8", scale=0.5)
    file.graph.tensors[packed].type, file.graph.tensors[packed].buffer = (
        schema.TensorType.INT4,
        file.buffer(b"\x7f\x08"),
    )
    file.op("RELU", (start,), (end,))
    assert described(file.written((start,), (end,))).tensors[packed].values.tolist() == [-1, 7, -8]


def test_buffers_behind_the_flatbuffer() -> None:
    """Large models keep them there."""
    file = File()
    start, end, far = file.tensor((1, 2)), file.tensor((1, 2)), file.tensor((2,))
    file.graph.tensors[far].buffer = file.buffer(b"")
    file.model.buffers[-1].offset, file.model.buffers[-1].size = 2**20, 8
    file.op("ADD", (start, far), (end,))
    content = file.written((start,), (end,))
    refused(content)
    longer = content.ljust(2**20, b"\0") + struct.pack("<2f", 1, 2)
    assert described(longer).tensors[far].values.tolist() == [1, 2]
    refused(longer[:-1])


def test_the_schema_is_that_of_tflite() -> None:
    """Names of operators and types, and where each option lies."""
    numbers = schema.BuiltinOperator
    assert all(getattr(numbers, kind) == number for number, kind in enumerate(own.OPERATORS))
    assert all(getattr(schema.TensorType, kind.upper()) == number for number, kind in enumerate(own.TYPES))
    for kind, options in own.OPTIONS.items():
        names = [name for name, number in vars(schema.BuiltinOptions).items() if number == options.number]
        assert len(names) == 1, kind
        table = getattr(schema, names[0])
        places = {
            name: code.co_consts for name, reader in vars(table).items() if (code := getattr(reader, "__code__", None))
        }
        for name, (slot, _, default) in options.fields.items():
            readers = [
                consts
                for reader, consts in places.items()
                if reader.lower() == SPELLED.get(name, name.replace("_", ""))
            ]
            assert len(readers) == 1 and 4 + 2 * slot in readers[0], (kind, name)
            assert default in readers[0] or not default, (kind, name)


# -- damage ------------------------------------------------------------------------------------------------------------


def with_tensor(change: Callable[[object], None]) -> bytes:
    file = File()
    start, end = file.tensor((1, 2), "int8", scale=0.5), file.tensor((1, 2), "int8", scale=0.5)
    change(file.graph.tensors[end])
    file.op("RELU", (start,), (end,))
    return file.written((start,), (end,))


def set_quantization(**told: object) -> Callable[[object], None]:
    def change(tensor: object) -> None:
        for key, value in told.items():
            setattr(tensor.quantization, key, value)  # type: ignore[attr-defined]

    return change


def set_field(**told: object) -> Callable[[object], None]:
    def change(tensor: object) -> None:
        for key, value in told.items():
            setattr(tensor, key, value)

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (set_quantization(scale=[float("nan")]), "a scale of nan"),
        (set_quantization(scale=[float("inf")]), "a scale of inf"),
        (set_quantization(scale=[-0.5]), "a scale of -0.5"),
        (set_quantization(scale=[0.0]), "a scale of 0.0"),
        (set_quantization(scale=[0.5, 0.5], zeroPoint=[0, 0], quantizedDimension=7), "2 scales along axis 7"),
        (set_quantization(scale=[0.5, 0.5, 0.5], zeroPoint=[0, 0, 0]), "3 scales along axis 0"),
        (set_quantization(zeroPoint=[0, 0]), "1 scales and 2 zero points"),
        (set_quantization(zeroPoint=[300]), "a zero point outside of its type"),
        (set_quantization(zeroPoint=[-(2**63)]), "a zero point outside of its type"),
        (set_field(shape=[2**31 - 1, 2**31 - 1]), "has the shape"),
        (set_field(shape=[1, -2]), "has the shape"),
        (set_field(shape=[1] * 5000), "a list of 5000 numbers"),
        (set_field(shape=[1] * 9), "has the shape"),
        (set_field(buffer=7), "no buffer 7"),
    ],
)
def test_tensors_that_cannot_be(change: Callable[[object], None], told: str) -> None:
    assert told in refused(with_tensor(change)).what


def test_tensors_and_buffers_that_do_not_agree() -> None:
    file = File()
    start, end, kernel = file.tensor((1, 2)), file.tensor((1, 2)), file.tensor((2, 3), data=np.zeros((2, 2)))
    file.op("FULLY_CONNECTED", (start, kernel), (end,))
    assert "shape (2, 3) has a buffer of 16 bytes" in refused(file.written((start,), (end,))).what


def operations(
    *parts: tuple[list[int], list[int]], inputs: tuple[int, ...] = (0,), outputs: tuple[int, ...] = (1,)
) -> bytes:
    file = File()
    for _ in range(4):
        file.tensor((1, 2))
    for read, written in parts:
        file.op("ADD", read, written)
    return file.written(inputs, outputs)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (operations(([2], [1]), ([1], [2])), "reads tensor 2 before it is written"),
        (operations(([1], [1])), "reads tensor 1 before it is written"),
        (operations(([0], [1]), ([0], [1])), "writes tensor 1, which is written already"),
        (operations(([0], [0])), "writes tensor 0, which is written already"),
        (operations(([0, 99], [1])), "names the tensor 99, and there are 4"),
        (operations(([0, -2], [1])), "names the tensor -2"),
        (operations(([0], [-1])), "names the tensor -1"),
        (operations(([0], [1]), outputs=(3,)), "is an output of the model, and nothing writes it"),
        (operations(([0], [1]), outputs=(99,)), "the model names the tensor 99"),
        (operations(([0] * 200, [1])), "has 200 inputs"),
        (operations(([0], [1]), inputs=(0, 0)), "written already"),
        (b"", "does not begin with 'TFL3'"),
        (b"\x04\0\0\0TFL3", "an offset leads outside of the file"),
        (GOOD["dense"][:4] + b"TFL2" + GOOD["dense"][8:], "does not begin with 'TFL3'"),
    ],
)
def test_files_that_cannot_be(content: bytes, told: str) -> None:
    assert told in refused(content).what


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    with path.open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(ModelError, match="does not fit into memory"):
        read_file(path)


@pytest.mark.parametrize("name", GOOD)
def test_every_truncation(name: str, tmp_path: Path) -> None:
    for length in range(0, len(GOOD[name]), 3):
        read_or_refused(GOOD[name][:length], tmp_path)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(sorted(GOOD)))
def test_mutations(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str) -> None:
    """Single bytes, and words of four that look like offsets, lengths and indices."""
    content = bytearray(GOOD[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 4))
        words = st.sampled_from([0, 1, 2, 127, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, len(content), place])
        if data.draw(st.booleans()):
            content[place] = data.draw(st.integers(0, 255))
        else:
            content[place : place + 4] = struct.pack("<I", data.draw(words))
    read_or_refused(bytes(content), tmp_path_factory.getbasetemp())


def test_vectors_that_share_their_place_take_no_memory() -> None:
    """Thousands of tensors with one name, one shape, one list of scales."""
    builder = flatbuffers.Builder(1024)
    scales = builder.CreateNumpyVector(np.ones(2**14, np.float32))
    name, shape = builder.CreateString("x" * 2**16), builder.CreateNumpyVector(np.array([2**14], np.int32))
    schema.QuantizationParametersStart(builder)
    schema.QuantizationParametersAddScale(builder, scales)
    quantization = schema.QuantizationParametersEnd(builder)
    schema.TensorStart(builder)
    for add, value in (("Name", name), ("Shape", shape), ("ShapeSignature", shape), ("Quantization", quantization)):
        getattr(schema, f"TensorAdd{add}")(builder, value)
    schema.TensorAddType(builder, schema.TensorType.INT8)
    tensor = schema.TensorEnd(builder)
    tensors = vector_of(builder, [tensor] * MOST_TABLES)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graphs = vector_of(builder, [schema.SubGraphEnd(builder)])
    schema.BufferStart(builder)
    buffers = vector_of(builder, [schema.BufferEnd(builder)])
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    content = bytes(builder.Output())
    assert len(content) < 2**18 and len(described(content).tensors) == MOST_TABLES


def vector_of(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in offsets:
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
