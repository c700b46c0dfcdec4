"""Case -> Run: one model, quantized, built, run and measured.

What comes out depends on nothing but `Setting` and `Case`, which are values that another process could be given. A
`Bench` only saves time: what several cases share is done once, and kept open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mcusim.boards.board import Board
from mcusim.datasets import Dataset, Normalization, load_dataset
from mcusim.engines import ENGINES, PROFILERS
from mcusim.engines.engine import Engine, Execution
from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.tables import Model
from mcusim.front import Generated, generate, read_model
from mcusim.line.build import Firmware
from mcusim.line.measure import check_fits, measure
from mcusim.line.preflight import board_of
from mcusim.line.sources import Sources
from mcusim.line.trained import trained_model
from mcusim.line.watcher import Watcher
from mcusim.models.source import Source
from mcusim.reports.report import Run, RunError
from mcusim.system.arrays import Array
from mcusim.system.errors import McusimError
from mcusim.system.once import Once
from mcusim.system.progress import Progress
from mcusim.tasks.classification import accuracy
from mcusim.timing.parameters import CORTEX_M4F
from mcusim.timing.time_counts import time_counts
from mcusim.timing.timing import Timing
from mcusim.workloads.generated import make_firmware


@dataclass(frozen=True)
class Setting:
    """What all cases of an experiment share."""

    experiment: Experiment
    out: Path
    may_train: bool = True

    @property
    def jobs(self) -> int:
        return self.experiment.target.jobs or len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Stages:
    """The stages that leave this process: for tests, others may stand in."""

    load_dataset: Callable[[str, Path, Progress | None], Dataset] = load_dataset
    read_model: Callable[[Path, str], Source] = read_model
    make_firmware: Callable[[str, Sources, Board, Path], Firmware] = make_firmware
    engines: Mapping[str, Engine] = field(default_factory=lambda: ENGINES)


STAGES = Stages()


class Bench:
    """What a process keeps from one case to the next."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher, self.stages = watcher, STAGES
        self.once = Once()


@dataclass(frozen=True)
class FloatModel:
    """A model before quantization, N test samples for it (`positions` in the test set), and what it makes of them."""

    source: Source
    x: Array
    labels: Array
    positions: Array
    outputs: Array


@dataclass(frozen=True)
class ReadyModel:
    """A model as C, what its firmware reads (N, ...) and what it should answer (N, outputs)."""

    generated: Generated
    inputs: Array
    expected: Array
    origin: FloatModel


@dataclass(frozen=True)
class Outcome:
    """What became of a case. `execution` is what the engine saw of the samples at `positions`; None when it failed."""

    case: Case
    run: Run
    execution: Execution | None = None
    positions: Array | None = None


def run_case(setting: Setting, case: Case, bench: Bench) -> Outcome:
    """An Outcome in any case: of figures, or of the error."""
    try:
        return _run(setting, case, bench)
    except McusimError as error:
        return Outcome(case, replace(_identity(case), error=RunError.of(error)))


def _run(setting: Setting, case: Case, bench: Bench) -> Outcome:
    """Firmware -> Execution -> Measurements -> Run."""
    model, firmware, board = ready_model(setting, case, bench), firmware_of(setting, case, bench), board_of(case)
    graph, program, origin = model.generated.graph, model.generated.program, model.origin
    timing = timing_of(setting, case, bench)
    bench.watcher.stage(f"running {case.label}")
    execution = bench.stages.engines[case.engine].run(
        firmware,
        board,
        model.inputs,
        program.outputs[0].dtype,
        program.outputs[0].elements,
        folder=setting.out / case.id,
        jobs=setting.jobs,
        stall_s=setting.experiment.target.stall_s,
        progress=bench.watcher.progress,
        cycles_per_instruction=timing.cycles_per_instruction if timing else None,
    )
    figures = measure(execution, origin.labels, program, firmware, model.expected, origin.positions, timing)
    run = replace(
        _identity(case),
        **vars(figures),
        engine_version=execution.engine_version,
        compiler=firmware.compiler,
        flags=firmware.flags,
        elf_sha256=firmware.elf_sha256,
        clock_hz=None if case.engine == "host" else board.clock_hz,
        parameters=graph.parameters,
        macs=graph.macs,
        accuracy_float=accuracy(origin.outputs, origin.labels),
        notes=(*graph.notes, *execution.notes),
    )
    return Outcome(case, run, execution, origin.positions)


def dataset_of(setting: Setting, bench: Bench) -> Dataset:
    """Raises DataError when it cannot be had."""
    experiment = setting.experiment
    name = experiment.dataset.name or experiment.dataset.file or ""

    def load() -> Dataset:
        bench.watcher.stage(f"data set {name}")
        return bench.stages.load_dataset(name, experiment.path.parent, bench.watcher.downloading)

    return bench.once.do("data set", load)


def model_file(setting: Setting, model: Model, repeat: int, bench: Bench, *, again: bool = False) -> Path:
    """Model -> the file that holds it, trained. `again`: also when it was trained before."""
    if model.file:
        return model.file
    dataset, folder = dataset_of(setting, bench), setting.out / "models"
    return trained_model(
        setting.experiment, model, repeat, dataset, folder, bench.watcher, may_train=setting.may_train, again=again
    )


def float_model(setting: Setting, model: Model, repeat: int, bench: Bench) -> FloatModel:
    """File -> Source, and what it makes of the test samples."""

    def make() -> FloatModel:
        dataset, path = dataset_of(setting, bench), model_file(setting, model, repeat, bench)
        bench.watcher.stage(f"reading {model.name}")
        source = bench.stages.read_model(path, model.name)
        check_fits(source.graph, dataset)
        if not source.normalizations and setting.experiment.dataset.normalize == "z-score":
            source = replace(source, normalizations={"": Normalization.fit(dataset.x_train)})
        positions = evenly(len(dataset.x_test), setting.experiment.target.samples)
        x, labels = source.normalized(dataset.x_test[positions]), dataset.y_test[positions]
        return FloatModel(source, x, labels, positions, source.graph.run(x))

    return bench.once.do(("float", model.name, repeat), make)


def ready_model(setting: Setting, case: Case, bench: Bench) -> ReadyModel:
    """Source -> quantized Graph -> Program -> Sources."""

    def make() -> ReadyModel:
        origin, dataset = float_model(setting, case.model, case.repeat, bench), dataset_of(setting, bench)
        bench.watcher.stage(f"quantizing {case.model.name} as {case.quantization.label}")
        generated = generate(origin.source, dataset.x_train, case.quantization)
        graph = generated.graph
        expected = origin.outputs if graph is origin.source.graph else graph.run(origin.x)
        return ReadyModel(generated, graph.encode(origin.x), expected, origin)

    return bench.once.do(("c", case.model.name, case.repeat, case.quantization), make)


def firmware_of(setting: Setting, case: Case, bench: Bench) -> Firmware:
    """Sources -> Firmware."""
    library, board = ready_model(setting, case, bench).generated.library, board_of(case)
    bench.watcher.stage(f"building {case.label}")
    return bench.stages.make_firmware(case.engine, library, board, setting.out / case.id)


def timing_of(setting: Setting, case: Case, bench: Bench) -> Timing | None:
    """Firmware + a few samples -> cycles. First, because a run that was interrupted has its outputs, or nothing."""
    board, inputs = board_of(case), ready_model(setting, case, bench).inputs
    samples = evenly(len(inputs), setting.experiment.target.timing_samples)
    if case.engine not in PROFILERS or board.chip.timing is None or not len(samples):
        return None
    firmware = firmware_of(setting, case, bench)
    bench.watcher.stage(f"timing {case.label}")
    folder, profile, progress = setting.out / case.id, PROFILERS[case.engine], bench.watcher.progress
    counts = profile(firmware, board, inputs[samples], folder=folder, jobs=setting.jobs, progress=progress)
    return time_counts(counts, firmware.elf, board, folder, CORTEX_M4F)


def _identity(case: Case) -> Run:
    """What a run is, whatever becomes of it."""
    chosen = case.quantization
    is_float = chosen.data_type == "float32"
    return Run(
        id=case.id,
        model=case.model.name,
        repeat=case.repeat,
        data_type=chosen.data_type,
        scheme="" if is_float else chosen.format or chosen.scheme,
        rounding="" if is_float else chosen.rounding,
        calibration_samples=None if is_float else chosen.calibration_samples,
        board=case.board_name,
        engine=case.engine,
    )


def evenly(total: int, samples: int | str) -> Array:
    """Positions of the test samples to run: all, or that many from all over the set (which may be sorted)."""
    count = total if samples == "all" else min(int(samples), total)
    return np.arange(count) * total // max(count, 1)
