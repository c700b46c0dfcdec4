"""Studies that cost nothing: networks of one layer, a few samples; and reproductions without any run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mcusim.line.build import RomBytes
from mcusim.reports.report import Report, Run
from mcusim.reproduce.microai import MICROAI
from mcusim.reproduce.run import Reproduced, Reproduction
from mcusim.reproduce.study import Part, Study
from tests.reports.reports import good_run
from tests.tflite_files import dense_file

EXPERIMENT = """\
[experiment]
name = "toy"
[dataset]
file = "data.npz"
[[model]]
name = "f4"
file = "f4.tflite"
[[quantization]]
data_type = "float32"
[[quantization]]
data_type = "int8"
scheme = "per-layer"
[target]
boards = ["nucleo_l452re_p"]
"""
NUMBERS = """\
source,experiment,metric,framework,board,data_type,ours,4,8
Table 1,toy,rom_kib,Theirs,nucleo_l452re_p,int8,int8 per-layer,50.0,60.0
Table 2,toy,accuracy_pct,Theirs,,int8,int8 per-layer,30.0,
"""


def toy(folder: Path, samples: int = 30) -> Study:
    """Two parts; the data of the first are damaged."""
    random = np.random.default_rng(0)
    (folder / "f4.tflite").write_bytes(dense_file())
    x, y = random.normal(size=(samples + 40, 4)).astype(np.float32), random.integers(0, 3, samples + 40)
    np.savez(folder / "data.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    (folder / "toy.toml").write_text(EXPERIMENT)
    (folder / "damaged.npz").write_bytes(b"no archive")
    (folder / "damaged.toml").write_text(EXPERIMENT.replace("data.npz", "damaged.npz"))
    (folder / "numbers.csv").write_text(NUMBERS)
    names = ("damaged", "toy")
    parts = tuple(Part(name, name.title(), "Figure 1", "Figure 2", 0.5, quick_samples=25) for name in names)
    told = replace(MICROAI, name="toys", title="Toys", cite="A. Toy", notes=())
    return replace(told, folder=folder, numbers=folder / "numbers.csv", parts=parts)


def run_of(size: int, data_type: str, accuracy: float, board: str = "nucleo_l452re_p", repeat: int = 0) -> Run:
    """Of MicroAI's network."""
    label = "int8 per-layer" if data_type == "int8" else data_type
    run = good_run(f"f{size}", data_type, board)
    rom = RomBytes(20_000, 40_960 - 20_000, 40_960)
    return replace(run, quantization=label, accuracy=accuracy, repeat=repeat, rom_bytes=rom, parameters=250 * size)


def reproduced(*runs: Run, study: Study = MICROAI, quick: bool = False) -> Reproduction:
    """The first part of a study, with these runs."""
    report = Report(1, "0", "toy", "2026-01-01", 1.0, True, runs=runs, planned=len(runs))
    return Reproduction(study, quick, (Reproduced(study.parts[0], report),))
