"""ONNX file -> what onnxruntime computes, node by node. Only files that our own reader has accepted whole get here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.graph import Shape
from mcusim.models.onnx.convert import Converted, converted
from mcusim.models.onnx.messages import model_in
from mcusim.models.onnx.model import Model
from mcusim.models.onnx.tensor import counted, lying
from mcusim.models.onnx.wire import encoded
from mcusim.models.reference import Values
from mcusim.models.source import Origin
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.tool import installed

NOT_OF_INTEGERS = "onnxruntime rounds integers otherwise than TensorFlow Lite Micro, whose arithmetic this is"
HALF = 2.0**-10  # relative rounding error of float16
GRAPH, OUTPUT, NAME = 7, 12, 1  # fields of protobuf


def version() -> str | None:
    found = installed("onnxruntime")
    return f"onnxruntime {found}" if found else None


def install() -> str:
    return "onnxruntime is not installed: pip install mcusim[proof]"


def values(path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
    """One sample at a time, each node as the file has it."""
    model = model_in(path)
    read = _read_for(model, samples)
    there = {output for node in model.nodes for output in node.outputs}  # some nodes are others here than in the file
    looked_into = {
        origin: read.computed[origin].name
        for origin in wanted
        if origin in read.computed and read.computed[origin].name in there
    }
    names, told = [one.name for one in read.model.outputs], {one.name for one in model.outputs}
    session = _session(path, [name for name in dict.fromkeys([*names, *looked_into.values()]) if name not in told])
    batch = next((one.shape[0] for one in model.inputs if one.shape and one.shape[0]), 1)
    places = [*read.outputs, *(read.computed[origin].tensor for origin in looked_into)]
    found: list[list[Array]] = []
    for number in range(len(samples[0])):
        feeds = {
            one.name: np.repeat(counted(place, sample[number]), batch, axis=0).astype(one.dtype or "float32")
            for one, place, sample in zip(model.inputs, read.inputs, samples, strict=True)
        }
        arrays = session.run([*names, *looked_into.values()], feeds)
        found.append([lying(place, _one(array, place.shape)) for place, array in zip(places, arrays, strict=True)])
    stacked = [np.stack(rows) for rows in zip(*found, strict=True)]
    layers = dict(zip(looked_into, stacked[len(names) :], strict=True))
    return Values(stacked[: len(names)], layers, _unit(model))


def _one(array: Array, shape: Shape) -> Array:
    """Of a batch of equal samples the first."""
    apart = [axis for axis, pair in enumerate(zip(array.shape, shape, strict=True)) if pair[0] != pair[1]]
    return np.take(array, [0], axis=apart[0]).astype(np.float32) if apart else array.astype(np.float32)


def _read_for(model: Model, samples: Sequence[Array]) -> Converted:
    """Axes that the file leaves open are as long as those of the samples, which may have their channels last."""
    shapes = [sample.shape[1:] for sample in samples]
    error: ModelError | None = None
    for told in (shapes, [(shape[-1], *shape[:-1]) for shape in shapes]):
        names = ["input"] if len(model.inputs) == 1 else [one.name for one in model.inputs]
        open_ones = {
            name: shape for name, one, shape in zip(names, model.inputs, told, strict=True) if _is_open(one.shape)
        }
        try:
            read = converted(model, "model", open_ones)
        except ModelError as one_error:
            error = one_error
            continue
        if [layer.shape for layer in read.source.graph.inputs] == shapes:
            return read
    raise error or ModelError("the samples have other shapes than the model's inputs", hint="check the data set")


def _is_open(shape: Shape | tuple[int | None, ...] | None) -> bool:
    return None in (shape or ())[1:]


def _session(path: Path, more: Sequence[str]) -> Any:
    """With the outputs of inner nodes, which are written behind the end of the file: protobuf merges them into it."""
    import onnxruntime

    added = b"".join(encoded(OUTPUT, encoded(NAME, name.encode())) for name in more)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    data = path.read_bytes() + (encoded(GRAPH, added) if added else b"")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _unit(model: Model) -> float:
    halves = [array for array in model.constants.values() if array.dtype == np.float16]
    return HALF if halves or any(one.dtype == "float16" for one in model.inputs) else float(np.finfo(np.float32).eps)
