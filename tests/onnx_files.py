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
