"""TFLite file -> what TensorFlow Lite Micro's interpreter computes. Only files that our own reader accepted get here.

It verifies nothing, and ends its process where it does not like a model: then there is no proof.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.models.reference import Values
from mcusim.models.source import Origin
from mcusim.models.tflite.decisions import with_scores
from mcusim.models.tflite.description import Model
from mcusim.models.tflite.file import read_file
from mcusim.system.arrays import Array
from mcusim.system.tool import installed

PACKAGE = "tflite-micro"
ARENA_BYTES = 2**22  # beyond what tensors take


def version() -> str | None:
    found = installed(PACKAGE)
    return f"TensorFlow Lite Micro {found}" if found else None


def install() -> str:
    return "TensorFlow Lite Micro is not installed: pip install mcusim[proof]"


def values(path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
    """An Origin's call is the index of its tensor. Integers are those of the file; each sample finds a fresh model."""
    model, _ = with_scores(read_file(path))
    interpreter, inputs = _interpreter(path, model), [model.tensors[index] for index in model.inputs]
    outputs: list[list[Array]] = [[] for _ in model.outputs]
    layers: dict[Origin, list[Array]] = {origin: [] for origin in wanted}
    for sample in zip(*samples, strict=True):
        interpreter.reset()
        steps = sample[0].size // max(inputs[0].elements, 1)  # of one: more where a state is kept from step to step
        inner: dict[Origin, list[Array]] = {origin: [] for origin in wanted}
        for step in range(steps):
            for index, (field, tensor) in enumerate(zip(sample, inputs, strict=True)):
                part = np.asarray(field, tensor.dtype).reshape(steps, *tensor.shape)[step]
                interpreter.set_input(part, index)
            interpreter.invoke()
            for origin, found in inner.items():
                found.append(np.array(interpreter.GetTensor(origin.calls[0], 0)["tensor_data"], np.float32))
        for index, found in zip(model.outputs, outputs, strict=True):
            found.append(np.array(interpreter.GetTensor(index, 0)["tensor_data"], np.float32))
        for origin, parts in inner.items():
            layers[origin].append(np.stack(parts))
    return Values([np.stack(found) for found in outputs], {origin: np.stack(found) for origin, found in layers.items()})


def _interpreter(path: Path, model: Model) -> Any:
    from tflite_micro.python.tflite_micro import runtime

    arena = ARENA_BYTES + 2 * path.stat().st_size + sum(16 * tensor.elements for tensor in model.tensors)
    keep = runtime.InterpreterConfig.kPreserveAllTensors
    return runtime.Interpreter.from_file(str(path), arena_size=arena, intrepreter_config=keep)
