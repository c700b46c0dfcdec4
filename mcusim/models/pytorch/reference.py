"""PyTorch file -> what PyTorch computes, node by node. Only files that our own reader has accepted whole get here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.models.onnx.convert import converted
from mcusim.models.onnx.tensor import Tensor, counted, lying
from mcusim.models.pytorch.file import program_in
from mcusim.models.pytorch.translate import model_of
from mcusim.models.reference import Values
from mcusim.models.source import NO_SHAPES, Origin
from mcusim.system.arrays import Array
from mcusim.system.tool import installed


def version() -> str | None:
    found = installed("torch")
    return f"pytorch {found}" if found else None


def install() -> str:
    return "PyTorch is not installed: pip install mcusim[pytorch]"


def values(path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
    """One sample at a time, as often as the file's batch asks for."""
    model = model_of(program_in(path))
    read = converted(model, "model", NO_SHAPES)
    batch = next((one.shape[0] for one in model.inputs if one.shape and one.shape[0]), 1)
    looked_into = {origin: read.computed[origin].name for origin in wanted if origin in read.computed}
    places = [*read.outputs, *(read.computed[origin].tensor for origin in looked_into)]
    names = [*(one.name for one in read.model.outputs), *looked_into.values()]
    run = _runner(path)
    found: list[list[Array]] = []
    for number in range(len(samples[0])):
        given = [
            np.repeat(counted(place, sample[number]), batch, axis=0)
            for place, sample in zip(read.inputs, samples, strict=True)
        ]
        arrays = run(given)
        found.append([_lying(arrays.get(name), place) for name, place in zip(names, places, strict=True)])
    stacked = [np.stack(rows) for rows in zip(*found, strict=True)]
    count = len(model.outputs)
    layers = {origin: rows for origin, rows in zip(looked_into, stacked[count:], strict=True) if rows.size}
    return Values(stacked[:count], layers)


def _lying(array: Array | None, place: Tensor) -> Array:
    """Of a batch of equal samples the first; nothing where the program has no such tensor."""
    if array is None or array.ndim != len(place.shape):
        return np.zeros(0, np.float32)
    for axis, size in enumerate(place.shape):
        array = array if array.shape[axis] == size else np.take(array, [0], axis=axis)
    return lying(place, array).astype(np.float32)


def _runner(path: Path) -> Any:
    """-> a function of arrays that gives those of all tensors, by name."""
    import torch

    program = torch.export.load(str(path))
    torch.set_num_threads(1)

    class Looking(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, node: Any) -> Any:
            value = super().run_node(node)
            if isinstance(value, torch.Tensor):
                seen[node.name] = value.detach().to(torch.float32).numpy()
            return value

    seen: dict[str, Array] = {}
    module = program.module()

    def run(arrays: Sequence[Array]) -> Mapping[str, Array]:
        seen.clear()
        with torch.no_grad():
            Looking(module).run(*(torch.from_numpy(np.ascontiguousarray(one)) for one in arrays))
        return dict(seen)

    return run
