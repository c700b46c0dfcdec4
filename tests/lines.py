"""An experiment whose parts are stand-ins: no training, no compiler, no emulator, and every failure on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.datasets.dataset import Dataset
from mcusim.engines import ENGINES
from mcusim.engines.engine import Engine, Execution, Facts, Job, Ready, records
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import DatasetChoice, General, Model, Target
from mcusim.graph import Graph
from mcusim.line import bench
from mcusim.line.build import Firmware
from mcusim.line.float_proof import Proved, Proving
from mcusim.line.sources import Sources
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from mcusim.system.errors import EngineError, MissingToolError
from mcusim.system.image import Image
from mcusim.system.progress import Progress
from mcusim.system.tool import Tool
from tests.graphs import Builder

SAMPLES, CLASSES = 40, 3


class RememberedGraph(Graph):
    """A Graph that leaves its answers where FakeEngine finds them: outputs by the bytes of the samples."""

    answers: ClassVar[dict[bytes, Array]] = {}

    def run(self, x: Array, first: int = 0, end: int | None = None) -> Array:
        outputs = super().run(x, first, end)
        self.answers[self.encode(x)[first:end].tobytes()] = outputs
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


FACTS = Facts("host", "host", "a stand-in", "stdio", None, frozenset({"outputs"}))


@dataclass
class FakeEngine:
    """Answers what the model computes, changed by `answer`; `trouble` is called before each run."""

    FACTS: Facts = FACTS
    answer: Callable[[Array], Array] = lambda outputs: outputs
    trouble: Callable[[int], None] = lambda number: None
    finished: int | None = None
    left: EngineError | None = None  # why no more than these were
    absent: MissingToolError | None = None
    runs: int = 0
    opened: int = 0
    closed: int = 0

    def missing(self) -> MissingToolError | None:
        return self.absent

    def version(self) -> str:
        return "fake 1"

    def tools(self) -> tuple[Tool, ...]:
        return ()

    @contextmanager
    def open(self, jobs: int) -> Iterator[Ready]:
        self.opened += 1
        try:
            yield self
        finally:
            self.closed += 1

    def run(self, job: Job) -> Execution:
        self.runs += 1
        self.trouble(self.runs)
        total = len(job.samples)
        count = total if self.finished is None else self.finished
        if job.progress:
            job.progress(count, total)
        return Execution(
            answers=records(self.answer(RememberedGraph.answers[job.samples.tobytes()])[:count]),
            indices=np.arange(count),
            instructions=None,
            total_instructions=0,
            wall_s=0.5,
            emulated_mips=None,
            stack_bytes=None,
            engine=self.FACTS.name,
            engine_version="fake 1",
            complete=count == total,
            trouble=self.left,
            notes=("made up",),
        )


def make_firmware(library: Sources, facts: Facts, board: Board | None, folder: Path) -> Firmware:
    image = Image(folder / "x.elf", None if board is None else board.name, 0, None, 4, 3, {}, {})
    return Firmware(image, "cc 1", ("-O2",), library.digest, None, None, None)


@dataclass
class FakeStages:
    """Stands in for everything slow. Models are files that hold nothing; every one is `graph()`."""

    engine: FakeEngine
    load_dataset: Callable[[str, Path, Progress | None], Dataset] = lambda *_: dataset()
    read_model: Callable[[Path, str], Source] = lambda path, name: Source(graph(name))
    start_proof: Callable[[Path, Source, Array, ExitStack], Proving] = lambda *_: lambda: Proved(reason="a stand-in")
    check_tools: Callable[[Facts, Board | None], object] = lambda facts, board: None
    make_firmware: Callable[[Sources, Facts, Board | None, Path], Firmware] = make_firmware

    @property
    def engines(self) -> Mapping[str, Engine]:
        return {**ENGINES, "host": self.engine}


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> FakeStages:
    fake = FakeStages(FakeEngine())
    monkeypatch.setattr(bench, "STAGES", fake)
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
