"""PyTorch file -> what PyTorch computes, node by node. Only files that our own reader has accepted whole get here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.models.onnx.convert import converted
from mcusim.models.onnx.reference import run_one_by_one
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
    read = converted(model_of(program_in(path)), "model", NO_SHAPES)
    looked_into = {origin: read.computed[origin].name for origin in wanted if origin in read.computed}
    return run_one_by_one(_runner(path), read, samples, looked_into)


def _runner(path: Path) -> Any:
    """-> a function of arrays that gives those of all tensors, by name."""
    import torch

    program = torch.export.load(str(path))
    torch.set_num_threads(1)

    class Looking(torch.fx.Interpreter):  # type: ignore[misc,unused-ignore]
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
