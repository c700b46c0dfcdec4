"""Model file + samples -> what the framework that wrote it computes, layer by layer: what `Graph.run` is held against.

A format names the module of its family that imports the framework, as a `Reference`. That module runs in a process of
its own (`python -m mcusim.models.reference FOLDER`): frameworks are slow to start, hungry and sometimes fall.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from mcusim.models.source import Origin
from mcusim.system.arrays import Array

REQUEST, SAMPLES, ANSWERS, TOLD = "request.json", "samples.npz", "answers.npz", "told.json"


@dataclass(frozen=True)
class Values:
    """Of N samples: the `outputs` of the model in their order, and of its `layers` those that could be looked into.

    Arrays are (N, ..) float32. `unit`: relative rounding error of the coarsest type that the framework computed in.
    """

    outputs: Sequence[Array]
    layers: Mapping[Origin, Array] = field(default_factory=dict)
    unit: float = float(np.finfo(np.float32).eps)


class Reference(Protocol):
    """What such a module is. Only `values` imports the framework.

    One that proves no models of integers says why: NOT_OF_INTEGERS.
    """

    def version(self) -> str | None:
        """What computes, for people: `keras 3.12.0 (tensorflow 2.20.0)`. None when it is not installed."""

    def install(self) -> str:
        """What is not installed, and how to get it."""

    def values(self, path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> Values:
        """`samples`: (N, *shape) float32 of each input. May raise whatever the framework raises."""


def write_request(folder: Path, name: str, path: Path, samples: Sequence[Array], wanted: Sequence[Origin]) -> None:
    """What a process finds in its folder. `name`: of the format."""
    told = {"format": name, "path": str(path), "wanted": [[origin.path, origin.calls] for origin in wanted]}
    (folder / REQUEST).write_text(json.dumps(told), encoding="utf-8")
    np.savez(folder / SAMPLES, *samples)


def read_answers(folder: Path) -> Values | str:
    """What it left there; a text when it could not run the model, or ended before it had."""
    try:
        told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
        if "failed" in told:
            return str(told["failed"])
        with np.load(folder / ANSWERS, allow_pickle=False) as arrays:
            outputs = [arrays[f"output{number}"] for number in range(told["outputs"])]
            layers = {
                Origin(tuple(path), tuple(calls)): arrays[f"layer{number}"]
                for number, (path, calls) in enumerate(told["layers"])
            }
        return Values(outputs, layers, float(told["unit"]))
    except (OSError, ValueError, KeyError, TypeError):
        return "its process ended without an answer"


def serve(folder: Path, reference: Reference, path: Path, wanted: Sequence[Origin]) -> None:
    """The other side. TOLD comes last: answers without it are not believed."""
    with np.load(folder / SAMPLES, allow_pickle=False) as arrays:
        samples = [arrays[f"arr_{number}"] for number in range(len(arrays.files))]
    try:
        values = reference.values(path, samples, wanted)
        named = {f"output{number}": array for number, array in enumerate(values.outputs)}
        named |= {f"layer{number}": array for number, array in enumerate(values.layers.values())}
        np.savez(folder / ANSWERS, **named)  # type: ignore[arg-type]
        layers = [[origin.path, origin.calls] for origin in values.layers]
        told = {"outputs": len(values.outputs), "layers": layers, "unit": values.unit}
    except Exception as error:  # frameworks raise many kinds, and any of them only means: no proof
        lines = str(error).strip().splitlines()
        told = {"failed": f"{type(error).__name__}: {' '.join(lines)[:300]}" if lines else type(error).__name__}
    part = folder / f"{TOLD}.part"
    part.write_text(json.dumps(told), encoding="utf-8")
    part.replace(folder / TOLD)
