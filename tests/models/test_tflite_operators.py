"""Every operator of TFLite that is read, in float32: `Graph.run` gives what TensorFlow Lite Micro gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.line.quantize import quantize
from mcusim.models import read_model
from mcusim.models.tflite.file import described
from mcusim.models.tflite.layers import CONVERTERS, TYPE_CHANGING, VIEWS
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of, records_of
from tests.compiled import run_compiled
from tests.tflite_cases import CASES, Make, both_ends, conv1d, dilated, halves, one, widening
from tests.tflite_files import File, reals
from tests.tflm import TFLM

SAMPLES = 3


def compare(content: bytes, folder: Path) -> Graph:
    """Of random samples. -> the graph."""
    path = folder / "m.tflite"
    path.write_bytes(content)
    source = read_model(path, "m")
    graph = source.as_read
    shapes = [layer.shape for layer in graph.inputs]
    x = [reals((SAMPLES, *shape), seed=index) * 2 for index, shape in enumerate(shapes)]
    theirs, inner = TFLM.run(content, given(graph, x, content), [o.calls[0] for o in source.origins.values()])
    named = records_of({layer.name: values for layer, values in zip(graph.inputs, x, strict=True)})
    ours = list(fields_of(graph.run(named)).values())
    for our, other in zip(ours, theirs, strict=True):
        flat = other.reshape(len(other), -1)
        np.testing.assert_allclose(our, flat, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(flat).max())))
    values = next(graph._chunks(graph.encode(named)))[1]
    for name, origin in source.origins.items():
        other = inner[origin.calls[0]].reshape(values[name].shape)
        np.testing.assert_allclose(values[name], other, rtol=1e-4, atol=1e-5 * max(1.0, float(np.abs(other).max())))
    return graph


def given(graph: Graph, x: list[Array], content: bytes) -> list[Array]:
    """In the shapes and types of the file."""
    model = described(content)
    found = []
    for layer, values, index in zip(graph.inputs, x, model.inputs, strict=True):
        stored = values if layer.numbers is None else layer.numbers.encode(values)
        found.append(stored.reshape(len(values), *model.tensors[index].shape))
    return found


# Operators, and weights, that this interpreter lacks: the same computed here.
GELU = 0.7978845608028654  # sqrt(2 / pi)
OTHERS: dict[str, tuple[Make, Callable[[Array], Array]]] = {
    "GELU": (
        one("GELU", (1, 4, 3), (1, 4, 3), approximate=True),
        lambda x: x * (1 + np.tanh(GELU * (x + 0.044715 * x**3))) / 2,
    ),
    "RELU_N1_TO_1": (one("RELU_N1_TO_1", (1, 4, 3), (1, 4, 3)), lambda x: np.clip(x, -1, 1)),
    "RELU_0_TO_1": (one("RELU_0_TO_1", (1, 4, 3), (1, 4, 3)), lambda x: np.clip(x, 0, 1)),
    "REVERSE_V2": (one("REVERSE_V2", (1, 4, 3), (1, 4, 3), (1,)), lambda x: x[:, ::-1]),
    "TILE": (one("TILE", (1, 4, 3), (1, 8, 9), (1, 2, 3)), lambda x: np.tile(x, (1, 2, 3))),
    "weights of 16 bits": (halves, lambda x: x @ reals((3, 4)).astype(np.float16).astype(np.float32).T),
}


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_tflm_computes(name: str, tmp_path: Path) -> None:
    file = File()
    compare(file.written(*CASES[name](file)), tmp_path)


@pytest.mark.parametrize("name", OTHERS)
def test_it_computes_what_it_says(name: str, tmp_path: Path) -> None:
    make, expected = OTHERS[name]
    file = File()
    (tmp_path / "m.tflite").write_bytes(file.written(*make(file)))
    graph = read_model(tmp_path / "m.tflite", "m").graph
    x = reals((SAMPLES, *graph.inputs[0].shape)) * 2
    given = x if "weights" in name else np.tanh(x)
    np.testing.assert_allclose(graph.run(x), expected(given).reshape(SAMPLES, -1), rtol=1e-5, atol=1e-6)


def test_every_operator_has_a_case() -> None:
    assert {name.split()[0] for name in (*CASES, *OTHERS)} >= {*CONVERTERS, *VIEWS} - {*TYPE_CHANGING, "SVDF"}


def test_wider_numbers_behind(tmp_path: Path) -> None:
    file = File()
    content = file.written(*widening(file))
    graph, x = compare(content, tmp_path), reals((8, 4, 5)) * 4
    numbers = graph.inputs[0].numbers
    assert numbers is not None and graph.run(x).dtype == np.int32
    (theirs,), _ = TFLM.run(content, [numbers.encode(x)[:, None]])
    np.testing.assert_array_equal(graph.run(x), theirs.reshape(8, -1))
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_other_numbers_at_both_ends(dtype: str, tmp_path: Path) -> None:
    file = File()
    content = file.written(*both_ends(dtype)(file))
    graph = compare(content, tmp_path)
    x = reals((8, 5, 3)) * 4
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))


def test_c_computes_it_too(tmp_path: Path) -> None:
    """All of them side by side, in one library; then as integers of ours."""
    file = File()
    starts, ends = zip(*(CASES[name](file) for name in CASES), strict=True)
    content = file.written([index for one in starts for index in one], [index for one in ends for index in one])
    (tmp_path / "m.tflite").write_bytes(content)
    graph = read_model(tmp_path / "m.tflite", "m").graph
    x = records_of({layer.name: reals((8, *layer.shape)) for layer in graph.inputs})
    for quantized in (graph, quantize(graph, x, "int8")):
        ours, c = quantized.run(x), run_compiled(quantized, x)
        for name in ours.dtype.names or ():
            size = float(np.abs(ours[name]).max()) if ours[name].dtype.kind == "f" else 0.0
            np.testing.assert_allclose(c[name], ours[name], rtol=0, atol=2e-5 * size, err_msg=name)


def test_series_stay_series(tmp_path: Path) -> None:
    """Keras' 1D layers are written as planes of height 1, and some of width 1."""
    file = File()
    graph = compare(file.written(*conv1d(file)), tmp_path)
    assert [layer.kind for layer in graph][:2] == ["Input", "Conv1D"]
    file = File()
    graph = compare(file.written(*dilated(True)(file)), tmp_path)
    assert [(layer.kind, layer.shape) for layer in graph] == [("Input", (9, 2)), ("Conv1D", (9, 2))]
