"""A point's figures, estimated: of memory and time all is counted that a firmware takes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import mcusim.explore.evaluate as evaluate_module
from mcusim.explore.evaluate import evaluate
from mcusim.explore.explore import files_of, task_of
from mcusim.explore.point import Fidelity, Point
from mcusim.reports.report import RunError
from tests.explore.exploring import opened
from tests.keras_files import dense, layer, numbers, sequential, start, write_keras


def convolutions(folder: Path) -> None:
    """Two that call large routines in loops, so that some are worth their RAM; and their experiment."""
    common: dict[str, Any] = {"kernel_size": 3, "padding": "same", "use_bias": True, "activation": "linear"}
    layers = [start(64, 16), *(layer("Conv1D", name, filters=32, **common) for name in ("conv1", "conv2"))]
    model = sequential(*layers, layer("GlobalMaxPooling1D", "pool"), dense("dense", 5))
    shapes = ((3, 16, 32), (32,)), ((3, 32, 32), (32,)), ((32, 5), (5,))
    arrays = [[0.2 * numbers(*shape) for shape in pair] for pair in shapes]
    weights = dict(zip(("layers/conv1d", "layers/conv1d_1", "layers/dense"), arrays, strict=True))
    write_keras(folder / "net.keras", model, weights)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 64, 16)).astype(np.float32), random.integers(0, 5, 60)
    np.savez(folder / "data.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    (folder / "exp.toml").write_text(
        '[dataset]\nfile = "data.npz"\n[[model]]\nfile = "net.keras"\n[[quantization]]\ndata_type = "int8"\n'
        '[target]\nboards = ["nucleo_l452re_p"]\n[explore]\nvalidation = 0.5\n'
        '[explore.axes]\n"target.code_in_ram" = [false, true]\n'
    )


def point(folder: Path, gene: int, fidelity: Fidelity) -> Point:
    experiment, space = opened(folder / "exp.toml")
    return evaluate(task_of(experiment, space, folder / "out", (gene,), fidelity, files_of(experiment)))


def test_code_that_runs_from_ram_is_counted_before_anything_is_built(tmp_path: Path) -> None:
    convolutions(tmp_path)
    in_flash, in_ram = (point(tmp_path, gene, "estimate").figures for gene in (0, 1))
    assert in_ram["cycles"] < in_flash["cycles"] and in_ram["ram_bytes"] > in_flash["ram_bytes"] + 500


def test_a_firmware_that_does_not_fit_is_no_trouble_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so it is kept, and not built again."""
    convolutions(tmp_path)
    failed = SimpleNamespace(run=SimpleNamespace(error=RunError("TooBigError", "overflows flash", None, "less")))
    monkeypatch.setattr(evaluate_module, "run_case", lambda *_: failed)
    assert point(tmp_path, 0, "firmware").error == failed.run.error


@pytest.mark.arm
def test_a_firmware_takes_what_was_estimated(tmp_path: Path) -> None:
    convolutions(tmp_path)
    in_ram = point(tmp_path, 1, "estimate")
    built = point(tmp_path, 1, "firmware")
    assert abs(in_ram.figures["cycles"] / built.figures["cycles"] - 1) < 0.05
    assert abs(in_ram.figures["ram_bytes"] / built.figures["ram_bytes"] - 1) < 0.05
