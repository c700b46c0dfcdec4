"""An experiment whose parts are stand-ins: no training, no compiler, no emulator, and every failure on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim import pipeline
from mcusim.boards.board import Board
from mcusim.datasets.dataset import Dataset
from mcusim.engines import ENGINES
from mcusim.engines.engine import Execution, Progress
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.tables import DatasetChoice, General, Model, Quantization, Target
from mcusim.graph import Graph
from mcusim.line.build import Firmware
from mcusim.line.sources import Sources
from mcusim.numbers.power_of_two import Array
from mcusim.system.errors import MissingToolError
from tests.graphs import Builder

SAMPLES, CLASSES = 40, 3


def graph(name: str = "model") -> Graph:
    builder = Builder((4,), seed=1)
    builder.add("Dense", units=CLASSES, arrays=(builder.weights(4, CLASSES, fan_in=4), np.zeros(CLASSES, np.float32)))
    return builder.graph(name)


def dataset() -> Dataset:
    random = np.random.default_rng(0)
    x = random.normal(size=(SAMPLES, 4)).astype(np.float32)
    y = random.integers(0, CLASSES, SAMPLES).astype(np.int64)
    return Dataset("mine", x, y, x, y, ("a", "b", "c"))


@dataclass
class FakeEngine:
    """Answers what `answers` (model's C digest -> outputs) holds; `trouble` is called before each run."""

    NAME: str = "host"
    NEEDS_BOARD: bool = False
    MEASURES: frozenset[str] = frozenset({"outputs"})
    answers: dict[str, Array] = field(default_factory=dict)
    trouble: Callable[[int], None] = lambda number: None
    finished: int | None = None
    absent: MissingToolError | None = None
    runs: int = 0

    def missing(self) -> MissingToolError | None:
        return self.absent

    def version(self) -> str:
        return "fake 1"

    def run(
        self,
        firmware: Firmware,
        board: Board,
        inputs: Array,
        output_dtype: np.dtype[Any],
        output_elements: int,
        *,
        folder: Path,
        jobs: int,
        stall_s: float = 60.0,
        progress: Progress | None = None,
        cycles_per_instruction: float | None = None,
    ) -> Execution:
        self.runs += 1
        self.trouble(self.runs)
        count = len(inputs) if self.finished is None else self.finished
        if progress:
            progress(count, len(inputs))
        return Execution(
            outputs=self.answers[firmware.elf_sha256][:count].astype(output_dtype),
            indices=np.arange(count),
            instructions=None,
            total_instructions=0,
            wall_s=0.5,
            emulated_mips=None,
            stack_bytes=None,
            engine=self.NAME,
            engine_version="fake 1",
            complete=count == len(inputs),
            notes=("made up",),
        )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    """Stand-ins for everything slow. Models are files that hold nothing; every one is `graph()`."""
    fake = FakeEngine()

    def build(sources: Sources, board: Board, folder: Path, *, host: bool = False) -> Firmware:
        return Firmware(
            folder / "x.elf", "host", "cc 1", ("-O2",), sources.digest, {}, {}, None, None, None, 4, 3, host
        )

    ready = pipeline.Line.ready

    def remember(line: pipeline.Line, case: Any) -> pipeline.QuantizedModel:
        model = ready(line, case)
        fake.answers[model.library.digest] = model.expected
        return model

    monkeypatch.setitem(ENGINES, "host", fake)  # type: ignore[misc]
    monkeypatch.setattr(pipeline, "build", build)
    monkeypatch.setattr(pipeline, "emit_for", lambda engine, library, board: library)
    monkeypatch.setattr(pipeline.Line, "ready", remember)
    monkeypatch.setattr(pipeline, "load_keras", lambda path: path)
    monkeypatch.setattr(pipeline, "from_keras", lambda model, name, where: graph(name))
    monkeypatch.setattr(pipeline, "load_dataset", lambda name, base: dataset())
    monkeypatch.setattr("mcusim.system.toolchain.host_toolchain", lambda: None)
    return fake


def experiment(folder: Path, *names: str, **changes: Any) -> Experiment:
    """Models from files, float32 and int8, on the host engine."""
    for name in names or ("a",):
        (folder / f"{name}.keras").write_bytes(b"")
    values: dict[str, Any] = {
        "path": folder / "test.toml",
        "general": General(name="test"),
        "dataset": DatasetChoice(name="digits", normalize="none"),
        "models": tuple(Model(name=name, file=folder / f"{name}.keras") for name in names or ("a",)),
        "quantizations": (Quantization(data_type="float32"), Quantization(data_type="int8")),
        "target": Target(engine="host", jobs=1),
    }
    return Experiment(**{**values, **changes})
