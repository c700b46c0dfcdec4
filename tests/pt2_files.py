"""Files of PyTorch for tests, built by hand, as torch.export writes them, without PyTorch."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.system.arrays import Array

FLOAT = 7


def meta(*shape: Any, dtype: int = FLOAT) -> dict[str, Any]:
    sizes = [{"as_int": size} if isinstance(size, int) else {"as_expr": {"expr_str": size}} for size in shape]
    strides = [
        {"as_int": int(np.prod([size for size in shape[i + 1 :] if isinstance(size, int)]))} for i in range(len(shape))
    ]
    return {"dtype": dtype, "sizes": sizes, "strides": strides, "storage_offset": {"as_int": 0}}


class Pt2:
    """A program that grows by nodes. `inputs`: their names, of which the first is `x`."""

    def __init__(self, *shape: Any) -> None:
        self.random = np.random.default_rng(0)
        self.values = {"x": meta(*shape)}
        self.inputs = ["x"]
        self.specs: list[Any] = []
        self.nodes: list[Any] = []
        self.weights: dict[str, Array] = {}
        self.config: dict[str, Any] = {}
        self.last = "x"

    def weight(self, *shape: int) -> dict[str, Any]:
        label = f"layer{len(self.weights)}.weight"
        self.weights[label] = np.asarray(self.random.normal(size=shape), np.float32)
        self.config[label] = {
            "path_name": f"weight_{len(self.config)}",
            "use_pickle": False,
            "tensor_meta": meta(*shape),
        }
        name = f"p_{len(self.specs)}"
        self.values[name] = meta(*shape)
        self.specs.append({"parameter": {"arg": {"name": name}, "parameter_name": label}})
        return {"as_tensor": {"name": name}}

    def add(self, target: str, shape: tuple[int, ...], *, first: str = "self", **arguments: Any) -> None:
        name = f"{target.split('.')[1]}_{len(self.nodes)}"
        inputs = {first: {"as_tensor": {"name": self.last}}, **arguments}
        self.nodes.append(
            {
                "target": f"torch.ops.{target}.default",
                "inputs": [{"name": key, "arg": value, "kind": 1} for key, value in inputs.items()],
                "outputs": [{"as_tensor": {"name": name}}],
                "metadata": {},
                "name": name,
            }
        )
        self.values[name] = meta(*shape)
        self.last = name

    @property
    def graph(self) -> dict[str, Any]:
        ends = [{"user_output": {"arg": {"as_tensor": {"name": self.last}}}}]
        given = [{"user_input": {"arg": {"as_tensor": {"name": name}}}} for name in self.inputs]
        specs = [*self.specs, *given]
        graph = {"nodes": self.nodes, "tensor_values": self.values}
        return {"graph_module": {"graph": graph, "signature": {"input_specs": specs, "output_specs": ends}}}

    def entries(self) -> dict[str, bytes]:
        arrays = {f"m/data/weights/{self.config[label]['path_name']}": a.tobytes() for label, a in self.weights.items()}
        told = json.dumps({"config": self.config}).encode()
        return {
            "m/models/model.json": json.dumps(self.graph).encode(),
            "m/data/weights/model_weights_config.json": told,
            **arrays,
        }

    def write(self, path: Path, **changed: bytes) -> Path:
        path.write_bytes(zipped({**self.entries(), **changed}))
        return path


def zipped(entries: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return data.getvalue()


def network() -> Pt2:
    program = Pt2(1, 3, 6, 5)
    program.add(
        "aten.conv2d", (1, 4, 6, 5), first="input", weight=program.weight(4, 3, 3, 3), padding={"as_ints": [1, 1]}
    )
    program.add("aten.relu", (1, 4, 6, 5))
    program.add("aten.flatten", (1, 120), start_dim={"as_int": 1})
    program.add("aten.linear", (1, 2), first="input", weight=program.weight(2, 120), bias=program.weight(2))
    return program
