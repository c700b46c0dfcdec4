"""ONNX file -> what onnxruntime computes, node by node. Only files that our own reader has accepted whole get here."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.models.onnx.convert import Converted, converted
from mcusim.models.onnx.messages import model_in
from mcusim.models.onnx.model import Model
from mcusim.models.onnx.series import samples_first
from mcusim.models.onnx.tensor import Tensor, counted, lying
from mcusim.models.onnx.wire import encoded
from mcusim.models.reference import Values
from mcusim.models.source import Origin
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.tool import installed

NOT_OF_INTEGERS = "onnxruntime rounds integers otherwise than TensorFlow Lite Micro, whose arithmetic this is"
HALF, SINGLE = 2.0**-10, float(np.finfo(np.float32).eps)  # relative rounding errors of floats
GRAPH, OUTPUT, NAME = 7, 12, 1  # fields of protobuf


def version() -> str | None:
    found = installed("onnxruntime")
    return f"onnxruntime {found}" if found else None


def install() -> str:
    return "onnxruntime is not installed: pip install mcusim[proof]"


def values(path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
    """One sample at a time, each node as the file has it."""
    model = model_in(path)
    read = _read_for(samples_first(model), samples)
    there = {output for node in model.nodes for output in node.outputs}  # some nodes are others here than in the file
    looked_into = {
        origin: read.computed[origin].name
        for origin in wanted
        if origin in read.computed and read.computed[origin].name in there
    }
    told = {one.name for one in model.outputs}
    names = list(dict.fromkeys([*(one.name for one in read.model.outputs), *looked_into.values()]))
    session = _session(path, [name for name in names if name not in told])
    kinds = {one.name: one.dtype or "float32" for one in model.inputs}

    def run(given: Sequence[Array]) -> Mapping[str, Array]:
        feeds = {name: array.astype(kind) for (name, kind), array in zip(kinds.items(), given, strict=True)}
        return dict(zip(names, session.run(names, feeds), strict=True))

    return run_one_by_one(run, read, samples, looked_into, _unit(model))


def run_one_by_one(
    run: Callable[[Sequence[Array]], Mapping[str, Array]],
    read: Converted,
    samples: Sequence[Array],
    looked_into: Mapping[Origin, str],
    unit: float = SINGLE,
) -> Values:
    """`run`: arrays of all inputs as in the file -> those of tensors by name.

    In a batch of several others stand around each sample: who works along the batch, unseen, answers otherwise.
    """
    batch = next((one.shape[0] for one in read.model.inputs if one.shape and one.shape[0]), 1)
    places = [*read.outputs, *(read.computed[origin].tensor for origin in looked_into)]
    names = [*(one.name for one in read.model.outputs), *looked_into.values()]
    found: list[list[Array]] = []
    for number in range(len(samples[0])):
        pairs = zip(read.model.inputs, read.inputs, samples, strict=True)
        rows = [(number + row - batch // 2) % len(samples[0]) for row in range(batch)]
        given = [(one, np.concatenate([counted(place, field[row]) for row in rows])) for one, place, field in pairs]
        arrays = run([field.swapaxes(0, 1) if one.name in read.model.turned else field for one, field in given])
        found.append([_lying(arrays.get(name), place) for name, place in zip(names, places, strict=True)])
    stacked = [np.stack(rows) for rows in zip(*found, strict=True)]
    count = len(read.outputs)
    layers = {origin: rows for origin, rows in zip(looked_into, stacked[count:], strict=True) if rows.size}
    return Values(stacked[:count], layers, unit)


def _lying(array: Array | None, place: Tensor) -> Array:
    """Of a batch the sample in its middle; nothing where there is no such tensor."""
    if array is None or array.ndim != len(place.shape):
        return np.zeros(0, np.float32)
    for axis, size in enumerate(place.shape):
        array = array if array.shape[axis] == size else np.take(array, [array.shape[axis] // 2], axis=axis)
    return lying(place, array).astype(np.float32)


def _read_for(model: Model, samples: Sequence[Array]) -> Converted:
    """Axes that the file leaves open are as long as those of the samples, which may have their channels last."""
    shapes = [sample.shape[1:] for sample in samples]
    error: ModelError | None = None
    for told in (shapes, [(shape[-1], *shape[:-1]) for shape in shapes]):
        names = ["input"] if len(model.inputs) == 1 else [one.name for one in model.inputs]
        open_ones = {
            name: shape
            for name, one, shape in zip(names, model.inputs, told, strict=True)
            if None in (one.shape or ())[1:]
        }
        try:
            read = converted(model, "model", open_ones)
        except ModelError as one_error:
            error = one_error
            continue
        if [layer.shape for layer in read.source.graph.inputs] == shapes:
            return read
    raise error or ModelError("the samples have other shapes than the model's inputs", hint="check the data set")


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
    return HALF if halves or any(one.dtype == "float16" for one in model.inputs) else SINGLE
