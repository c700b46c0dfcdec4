"""An experiment whose parts are stand-ins: no training, no compiler, no emulator, and every failure on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mcusim import case
from mcusim.boards.board import Board
from mcusim.datasets.dataset import Dataset
from mcusim.engines import ENGINES
from mcusim.engines.engine import Engine, Execution
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.tables import DatasetChoice, General, Model, Quantization, Target
from mcusim.graph import Graph
from mcusim.line.build import Firmware
from mcusim.line.sources import Sources
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from mcusim.system.errors import MissingToolError
from mcusim.system.progress import Progress
from tests.graphs import Builder

SAMPLES, CLASSES = 40, 3


class RememberedGraph(Graph):
    """A Graph that leaves its answers where FakeEngine finds them: outputs by the bytes of the samples."""

    answers: ClassVar[dict[bytes, Array]] = {}

    def run(self, x: Array) -> Array:
        outputs = super().run(x)
        self.answers[self.encode(x).tobytes()] = outputs
        return outputs


def graph(name: str = "model") -> Graph:
    builder = Builder((4,), seed=1)
    builder.add("Dense", units=CLASSES, arrays=(builder.weights(4, CLASSES, fan_in=4), np.zeros(CLASSES, np.float32)))
    return RememberedGraph(**vars(builder.graph(name)))


def dataset() -> Dataset:
    random = np.random.default_rng(0)
    x = random.normal(size=(SAMPLES, 4)).astype(np.float32)
    y = random.integers(0, CLASSES, SAMPLES).astype(np.int64)
    return Dataset("mine", x, y, x, y, ("a", "b", "c"))


@dataclass
class FakeEngine:
    """Answers what the model computes, changed by `answer`; `trouble` is called before each run."""

    NAME: str = "host"
    NEEDS_BOARD: bool = False
    MEASURES: frozenset[str] = frozenset({"outputs"})
    answer: Callable[[Array], Array] = lambda outputs: outputs
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
            outputs=self.answer(RememberedGraph.answers[inputs.tobytes()])[:count],
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


def make_firmware(engine: str, library: Sources, board: Board, folder: Path) -> Firmware:
    none = (None, None, None)
    return Firmware(folder / "x.elf", "host", "cc 1", ("-O2",), library.digest, {}, {}, *none, 4, 3, engine == "host")


@dataclass
class FakeStages:
    """Stands in for everything slow. Models are files that hold nothing; every one is `graph()`."""

    engine: FakeEngine
    load_dataset: Callable[[str, Path, Progress | None], Dataset] = lambda *_: dataset()
    read_model: Callable[[Path, str], Source] = lambda path, name: Source(graph(name))
    make_firmware: Callable[[str, Sources, Board, Path], Firmware] = make_firmware

    @property
    def engines(self) -> Mapping[str, Engine]:
        return {"host": self.engine}


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> FakeStages:
    fake = FakeStages(FakeEngine())
    monkeypatch.setattr(case, "STAGES", fake)
    monkeypatch.setattr("mcusim.system.toolchain.host_toolchain", lambda: None)
    monkeypatch.setitem(ENGINES, "host", fake.engine)  # type: ignore[misc]
    return fake


@pytest.fixture
def engine(stages: FakeStages) -> FakeEngine:
    return stages.engine


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
