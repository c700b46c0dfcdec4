"""ONNX files for tests, built with the package `onnx`, and what onnxruntime makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.models.onnx.convert import Converted, converted
from mcusim.models.onnx.messages import model_of
from mcusim.models.onnx.tensor import counted, lying
from mcusim.models.onnx.tensors import TensorReader
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of, records_of

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx onnxruntime")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")

PLANE, SERIES, VECTOR = (1, 4, 7, 6), (1, 4, 11), (1, 12)


@dataclass
class File:
    """Adds one node after the other. Weights come from a seeded generator."""

    shape: tuple[Any, ...]
    opset: int = 17
    seed: int = 0
    nodes: list[Any] = field(default_factory=list)
    weights: dict[str, Array] = field(default_factory=dict)
    last: str = "x"
    inputs: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.inputs = {"x": self.shape, **self.inputs}

    def numbers(self, *shape: int, spread: float = 1.0) -> Array:
        return np.asarray(self.random.normal(size=shape) * spread, np.float32)

    def constant(self, array: Any, dtype: Any = np.float32) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = np.asarray(array, dtype)
        return name

    def add(self, kind: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> str:
        """Append a node; -> the name of its first output. Arrays among the inputs become constants, `...` is the last
        output, None is left out.
        """
        given = inputs or (...,)
        names = [
            self.last
            if one is ...
            else ""
            if one is None
            else one
            if isinstance(one, str)
            else self.constant(one, one.dtype)
            for one in given
        ]
        made = [f"{kind.lower()}{len(self.nodes)}_{number}" for number in range(outputs)]
        self.nodes.append(onnx.helper.make_node(kind, names, made, name=f"{kind}{len(self.nodes)}", **attributes))
        self.last = made[0]
        return self.last

    def append(self, other: File) -> None:
        """The nodes of another file, which read the last output in place of its input."""
        renamed = {"x": self.last} | {name: self.constant(array, array.dtype) for name, array in other.weights.items()}
        for node in other.nodes:
            own = onnx.NodeProto()
            own.CopyFrom(node)
            own.name = f"own_{node.name}"
            renamed |= {name: f"own_{name}" for name in node.output}
            own.input[:] = [renamed.get(name, name) for name in node.input]
            own.output[:] = [renamed[name] for name in node.output]
            self.nodes.append(own)
        self.last = renamed[other.last]

    def model(self, *outputs: str) -> Any:
        helper = onnx.helper
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info(name, 1, shape) for name, shape in self.inputs.items()],
            [helper.make_empty_tensor_value_info(name) for name in outputs or (self.last,)],
            [onnx.numpy_helper.from_array(array, name) for name, array in self.weights.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        made.ir_version = 8
        return made

    def data(self, *outputs: str) -> bytes:
        return bytes(self.model(*outputs).SerializeToString())

    def write(self, path: Path, *outputs: str) -> Path:
        path.write_bytes(self.data(*outputs))
        return path

    def samples(self, count: int = 4) -> list[Array]:
        """Of each input, as the file has them."""
        random = np.random.default_rng(self.seed + 1)
        fixed = [[size if isinstance(size, int) else 1 for size in shape] for shape in self.inputs.values()]
        return [np.asarray(random.normal(size=(count, *shape[1:])), np.float32) for shape in fixed]


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


def one(shape: tuple[int, ...], kind: str, *inputs: Any, opset: int = 17, **attributes: Any) -> File:
    file = File(shape, opset)
    file.add(kind, ..., *inputs, **attributes)
    return file


def w(*shape: int, seed: int = 3) -> np.ndarray[Any, Any]:
    return np.asarray(np.random.default_rng(seed).normal(size=shape) / 2, np.float32)


def read(data: bytes, folder: Path = Path(), **shapes: Any) -> Converted:
    return converted(model_of(memoryview(data), TensorReader(folder)), "model", shapes)


def onnxruntime_of(data: bytes, samples: list[Array], *, optimized: bool = False) -> list[Array]:
    """(N, ..) of each output, one sample after the other."""
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_BASIC if optimized else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    batches = {one.name: one.shape[0] if isinstance(one.shape[0], int) else 1 for one in session.get_inputs()}
    found = []
    for number in range(len(samples[0])):
        given = zip(batches.items(), samples, strict=True)
        rows = {name: np.repeat(field[number : number + 1], batch, axis=0) for (name, batch), field in given}
        found.append([row[: len(row) // max(batches.values())] for row in session.run(None, rows)])
    return [np.stack(rows) for rows in zip(*found, strict=True)]


def graph_of(made: Converted, samples: list[Array]) -> list[Array]:
    """What the graph computes of samples as the file has them, in the file's order: (N, ..) of each output."""
    given = {}
    for layer, place, field_ in zip(made.source.graph.inputs, made.inputs, samples, strict=True):
        given[layer.name] = np.stack([lying(place, one[None]) for one in field_]).reshape(-1, *layer.shape)
    x = next(iter(given.values())) if len(given) == 1 else records_of(given)
    answers = fields_of(made.source.graph.run(x)).values()
    return [np.stack([counted(place, one) for one in part]) for place, part in zip(made.outputs, answers, strict=True)]


def assert_equal(file: File, *outputs: str, tolerance: float = 2e-5, samples: list[Array] | None = None) -> Converted:
    """The graph computes what onnxruntime does, but for rounding."""
    data, x = file.data(*outputs), samples or file.samples()
    made = read(data)
    for ours, theirs in zip(graph_of(made, x), onnxruntime_of(data, x), strict=True):
        assert ours.shape == theirs.shape
        scale = max(1.0, float(np.abs(theirs).max(initial=0)))
        assert np.abs(ours - theirs).max(initial=0) <= tolerance * scale
    return made


def onnx_shape(file: File) -> tuple[int, ...]:
    """Of the last output. The inference of the package `onnx` counts a last window in `ceil_mode` that there is not."""
    return tuple(onnxruntime_of(file.data(), file.samples(1))[0].shape[1:])


def mutated(model: Any, random: np.random.Generator) -> bytes:
    """The model with one to three of its parts changed: inputs, kinds, attributes, weights."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for _ in range(random.integers(1, 4)):
        node = made.graph.node[random.integers(len(made.graph.node))]
        MUTATIONS[random.integers(len(MUTATIONS))](made, node, random)
    return bytes(made.SerializeToString())


def _any(values: Any, random: np.random.Generator) -> Any:
    return values[random.integers(len(values))]


def _other_input(made: Any, node: Any, random: np.random.Generator) -> None:
    if node.input:
        names = [
            *(name for other in made.graph.node for name in other.output),
            *(w.name for w in made.graph.initializer),
        ]
        node.input[random.integers(len(node.input))] = _any([*names, "", "nowhere"], random)


def _fewer(made: Any, node: Any, random: np.random.Generator) -> None:
    names = _any([node.input, node.output], random)
    if names:
        del names[random.integers(len(names))]


def _other_kind(made: Any, node: Any, random: np.random.Generator) -> None:
    other = made.graph.node[random.integers(len(made.graph.node))]
    node.op_type, node.domain = other.op_type, other.domain


def _other_attribute(made: Any, node: Any, random: np.random.Generator) -> None:
    if node.attribute:
        attribute = _any(node.attribute, random)
        values = (0, -1, 7, 2**40, [1, 2], [0, 0, 0], "x", 1.5, float("nan"), [0.5], ["a"])
        attribute.CopyFrom(onnx.helper.make_attribute(attribute.name, _any(values, random)))


def _other_weights(made: Any, node: Any, random: np.random.Generator) -> None:
    if made.graph.initializer:
        tensor = _any(made.graph.initializer, random)
        shape = _any([(), (0,), (1,), (3,), (2, 3), (1, 1, 1, 1)], random)
        dtype = _any(["float32", "int8", "uint8", "int64", "float64", "bool"], random)
        array = np.full(shape, _any([0, 1, -1, np.nan, np.inf, 1e38], random)) if dtype[0] == "f" else np.zeros(shape)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array.astype(dtype), tensor.name))


def _other_dimensions(made: Any, node: Any, random: np.random.Generator) -> None:
    if made.graph.initializer:
        _any(made.graph.initializer, random).dims[:] = random.choice(
            [0, 1, 3, 2**33, -1], random.integers(0, 5)
        ).tolist()


MUTATIONS = (_other_input, _fewer, _other_kind, _other_attribute, _other_weights, _other_dimensions)
