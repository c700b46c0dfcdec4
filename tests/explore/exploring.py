"""Experiments to explore that cost nothing: a network of one layer, a few samples, no compiler."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcusim.experiment.experiment import Experiment
from mcusim.experiment.read import read_experiment
from mcusim.explore.axes import Axis, Genes, Space, space_of
from mcusim.explore.front import Limits
from mcusim.explore.point import Point
from mcusim.explore.searches.search import Search, Wanted
from mcusim.system.toml_file import read_toml
from tests.tflite_files import dense_file

AXES = '"quantization.data_type" = ["int8", "int16", "float32"]\n"target.kernels" = ["auto", "plain"]\n'
EXPERIMENT = """\
[experiment]
name = "tiny"
[dataset]
file = "data.npz"  # mine
[[model]]
file = "tiny.tflite"
[target]
boards = ["nucleo_l452re_p"]
"""


def write(folder: Path, explore: str = "", axes: str = AXES, *, tests: int = 20) -> Path:
    """An experiment of 80 training and some test samples."""
    random = np.random.default_rng(0)
    (folder / "tiny.tflite").write_bytes(dense_file())
    x, y = random.normal(size=(100, 4)).astype(np.float32), random.integers(0, 3, 100)
    np.savez(folder / "data.npz", x_train=x[:80], y_train=y[:80], x_test=x[100 - tests :], y_test=y[100 - tests :])
    path = folder / "exp.toml"
    path.write_text(f"{EXPERIMENT}[explore]\nvalidation = 0.5\n{explore}\n[explore.axes]\n{axes}")
    return path


def opened(path: Path) -> tuple[Experiment, Space]:
    experiment = read_experiment(path)
    return experiment, space_of(experiment, read_toml(path)[0])


def line_of_space(*sizes: int) -> Space:
    axes = tuple(Axis(("target", f"key{place}"), tuple(range(size))) for place, size in enumerate(sizes))
    return Space(axes, {}, {})


def toy(genes: Genes) -> Point:
    """Less time costs accuracy, on every axis by another rate."""
    cost = sum((place + 1) * gene for place, gene in enumerate(genes))
    figures = {"accuracy": 0.9 - 0.001 * cost**1.5, "latency_ms": 20.0 - sum(genes)}
    return Point(genes, {}, figures=figures)


def searched(search: Search, space: Space, evaluations: int = 60, seed: int = 0) -> list[Genes]:
    """What a search asks for, each once, in the order in which it does."""
    wanted = Wanted(space, ("accuracy", "latency_ms"), Limits({}), 6, seed, evaluations)
    asking, asked = search.ask(wanted), list[Genes]()
    batch = next(asking, None)
    while batch is not None:
        asked += batch
        try:
            batch = asking.send([toy(genes) for genes in batch])
        except StopIteration:
            batch = None
    return asked
