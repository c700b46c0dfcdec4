"""MLPerf Tiny's `.tflite` of integers -> samples that differ from TensorFlow Lite Micro, cycles, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.graph import Graph, Shape
from mcusim.line.front import read_model
from mcusim.models.tflite import reference
from mcusim.numbers.affine import Affine
from mcusim.system.arrays import Array
from mcusim.system.errors import DataError
from tools.bars import experiments
from tools.bars.group import Group, NotHere, Place

FILES = ("ic_resnet8_int8", "kws_int8", "ad01_int8", "vww_96_int8", "sww_int8")
SAMPLES, SEED = 1_000, 7
EXPERIMENT = """
[dataset]
file = "{name}.npz"
[[model]]
file = "{model}"
[target]
boards = ["nucleo_l452re_p", "sparkfun_edge"]
timing_samples = 2
"""


def _measure(place: Place) -> Mapping[str, float]:
    if place.data is None:
        raise NotHere("--data names no folder with models/")
    if reference.version() is None:
        raise NotHere(reference.install())
    figures: dict[str, float] = {}
    for name in FILES:
        path = place.data / "models" / f"{name}.tflite"
        if not path.is_file():
            raise NotHere(f"{path} is not there")
        figures |= _file(name, path, place.work)
    return figures


def _file(name: str, path: Path, work: Path) -> dict[str, float]:
    graph = read_model(path).graph
    numbers = _numbers_of(graph, path)
    raw = _samples(graph.inputs[0].shape, numbers)
    (wanted,) = reference.values(path, [raw], []).outputs
    decoded = numbers.decode(raw)
    differing = int(np.any(graph.run(decoded) != wanted.reshape(SAMPLES, -1), axis=-1).sum())
    np.savez(work / f"{name}.npz", x_test=decoded)
    runs = experiments.run(name, EXPERIMENT.format(name=name, model=path.resolve()), work)
    return {f"{name} differing from TFLM": differing + sum(run["mismatches"] for run in runs), **_costs(name, runs)}


def _costs(name: str, runs: list[dict[str, Any]]) -> dict[str, float]:
    run = next(run for run in runs if run["board"] == "nucleo_l452re_p")
    return {
        f"{name} cycles": run["cycles"]["mean"],
        f"{name} ROM": run["rom_bytes"]["total"],
        f"{name} RAM": run["ram_bytes"]["total"],
    }


def _numbers_of(graph: Graph, path: Path) -> Affine:
    """Those of its only input. Raises DataError for another model."""
    numbers = graph.inputs[0].numbers
    if len(graph.inputs) != 1 or not isinstance(numbers, Affine):
        raise DataError("no model of one input of integers", where=str(path), hint="give MLPerf Tiny's own file")
    return numbers


def _samples(shape: Shape, numbers: Affine) -> Array:
    """(SAMPLES, *shape) raw numbers: random, extreme, constant, and near zero, in turn."""
    random = np.random.default_rng(SEED)
    low, high = numbers.minimum, numbers.maximum
    kinds: tuple[Callable[[], Array], ...] = (
        lambda: np.full(shape, low),
        lambda: np.full(shape, high),
        lambda: random.choice([low, high], shape),
        lambda: np.full(shape, random.integers(low, high + 1)),
        lambda: np.clip(numbers.zero + random.integers(-3, 4, shape), low, high),
        *[lambda: random.integers(low, high + 1, shape)] * 5,
    )
    return np.array([kinds[index % len(kinds)]() for index in range(SAMPLES)]).astype(numbers.dtype)


GROUPS = (Group("models of MLPerf Tiny", is_long=True, is_compiled=True, measure=_measure),)
