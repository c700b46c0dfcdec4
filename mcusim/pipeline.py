"""Experiment -> Report: the straight line, on one page. What a stage does is told in its module."""

from __future__ import annotations

import datetime
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import mcusim
from mcusim.boards.board import Board
from mcusim.datasets import Normalization, load_dataset
from mcusim.engines import ENGINES, PROFILERS
from mcusim.engines.engine import Execution
from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.tables import Model, Quantization
from mcusim.graph import Graph
from mcusim.line import budgets
from mcusim.line.build import Firmware, build
from mcusim.line.emit import emit_library
from mcusim.line.emit_firmware import emit_for
from mcusim.line.lower import Program, lower
from mcusim.line.measure import Timing, accuracy, check_fits, compare_executions, measure
from mcusim.line.optimize import optimize
from mcusim.line.preflight import board_of, check_line, check_out
from mcusim.line.quantize import calibration_subset, quantize
from mcusim.line.sources import Sources
from mcusim.line.trained import train_model, trained_before
from mcusim.line.watcher import Watcher
from mcusim.models.keras import from_keras, load_keras
from mcusim.numbers.power_of_two import Array
from mcusim.reports.report import FORMAT, Report, Run, RunError
from mcusim.system.errors import ConfigurationError, EngineError, McusimError
from mcusim.system.once import Once
from mcusim.timing.timing import time_firmware
from mcusim.training.normalization_file import load_normalization


@dataclass(frozen=True)
class FloatModel:
    """A model before quantization, N test samples for it (`positions` in the test set), and what it makes of them."""

    graph: Graph
    normalization: Normalization | None
    x: Array
    labels: Array
    positions: Array
    outputs: Array


@dataclass(frozen=True)
class QuantizedModel:
    """A model as C, what its firmware reads (N, ...) and what it should answer (N, outputs)."""

    graph: Graph
    program: Program
    library: Sources
    inputs: Array
    expected: Array
    origin: FloatModel


def run(experiment: Experiment, out: Path, watcher: Watcher, *, may_train: bool = True) -> Report:
    """Every case of the experiment. `report.json` in `out` is written after each one, so nothing finished is lost.

    A case that fails becomes a run with an error, and the others go on. Raises McusimError for what concerns all of
    them (tools, boards, data set), OSError when `out` cannot be written, KeyboardInterrupt after Ctrl-C.
    """
    began, started = time.monotonic(), datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    check_line(experiment)
    check_out(out)
    line = Line(experiment, out, watcher, may_train=may_train)
    report = Report(FORMAT, mcusim.__version__, experiment.name, started, 0.0, False)
    cases = list(experiment.cases())
    for number, case in enumerate(cases, start=1):
        result = line.attempt(case)
        interrupted = result.error is None and not result.complete
        report = replace(
            report,
            runs=(*report.runs, result),
            checks=(*report.checks, *budgets.check(result, experiment.limits(case))),
            wall_s=round(time.monotonic() - began, 3),
            complete=number == len(cases) and not interrupted,
        )
        report.write(out / "report.json")
        watcher.finished(result, number, len(cases))
        if interrupted:
            raise KeyboardInterrupt  # the engine swallowed it, to give what it had
    return report


class Line:
    """The stages of one experiment, in order. What several runs share is done once, the data set at once: DataError."""

    def __init__(self, experiment: Experiment, out: Path, watcher: Watcher, *, may_train: bool = True) -> None:
        self.experiment, self.out, self.watcher, self.may_train = experiment, out, watcher, may_train
        watcher.stage(f"data set {experiment.dataset.name or experiment.dataset.file}")
        self.before: tuple[object, Execution] | None = None
        self.jobs = experiment.target.jobs or len(os.sched_getaffinity(0))
        self.once = Once()
        self.dataset = load_dataset(experiment.dataset.name or experiment.dataset.file or "", experiment.path.parent)

    def model_file(self, model: Model, repeat: int, *, again: bool = False) -> Path:
        """Model -> the file that holds it, trained."""
        if model.file:
            return model.file
        folder = self.out / "models"
        before = None if again else trained_before(self.experiment, model, repeat, self.dataset, folder)
        if before:
            return before
        if not self.may_train:
            raise ConfigurationError(
                f"model {model.name!r} has not been trained with the settings of this experiment",
                where=str(folder),
                hint=f"mcusim train {self.experiment.path} --out {self.out}",
            )
        self.watcher.training(f"training {model.name}" + (f" #{repeat}" if repeat else ""))
        return train_model(self.experiment, model, repeat, self.dataset, folder, progress=self.watcher.interactive)

    def float_model(self, model: Model, repeat: int) -> FloatModel:
        """File -> Graph, and what it makes of the test samples."""
        path = self.model_file(model, repeat)
        self.watcher.stage(f"reading {model.name}")
        graph = optimize(from_keras(load_keras(path), model.name, where=str(path)))
        check_fits(graph, self.dataset)
        normalization = load_normalization(path)
        if normalization is None and self.experiment.dataset.normalize == "z-score":
            normalization = Normalization.fit(self.dataset.x_train)
        positions = evenly(len(self.dataset.x_test), self.experiment.target.samples)
        x, labels = normalized(self.dataset.x_test[positions], normalization), self.dataset.y_test[positions]
        return FloatModel(graph, normalization, x, labels, positions, graph.run(x))

    def quantized_model(self, model: Model, repeat: int, chosen: Quantization) -> QuantizedModel:
        """Graph -> quantized Graph -> Program -> Sources."""
        origin = self.once.do(("float", model.name, repeat), lambda: self.float_model(model, repeat))
        self.watcher.stage(f"quantizing {model.name} as {chosen.label}")
        graph = quantize(
            origin.graph,
            normalized(calibration_subset(self.dataset.x_train, chosen.calibration_samples), origin.normalization),
            chosen.data_type,
            scheme=chosen.scheme,
            fraction=chosen.fraction,
            rounding=chosen.rounding,
        )
        program = lower(graph)
        mean, deviation = (origin.normalization.mean, origin.normalization.std) if origin.normalization else ((), ())
        library = emit_library(program, mean=mean, deviation=deviation)
        expected = origin.outputs if graph is origin.graph else graph.run(origin.x)
        return QuantizedModel(graph, program, library, graph.encode(origin.x), expected, origin)

    def ready(self, case: Case) -> QuantizedModel:
        model, repeat, chosen = case.model, case.repeat, case.quantization
        return self.once.do(("c", model.name, repeat, chosen), lambda: self.quantized_model(model, repeat, chosen))

    def firmware(self, case: Case) -> Firmware:
        """Sources -> Firmware."""
        library, board = self.ready(case).library, board_of(case)
        self.watcher.stage(f"building {case.label}")
        return build(emit_for(case.engine, library, board), board, self.out / case.id, host=case.engine == "host")

    def evaluate(self, case: Case) -> Run:
        """Firmware -> Execution -> Measurements -> Run."""
        model, firmware, board = self.ready(case), self.firmware(case), board_of(case)
        target = self.experiment.target
        timing = self.timing(case, model, firmware, board)
        self.watcher.stage(f"running {case.label}")
        execution = ENGINES[case.engine].run(
            firmware,
            board,
            model.inputs,
            model.graph.number_dtype,
            model.program.output_elements,
            folder=self.out / case.id,
            jobs=self.jobs,
            stall_s=target.stall_s,
            progress=self.watcher.progress,
            cycles_per_instruction=timing.cycles_per_instruction if timing else None,
        )
        origin = model.origin
        figures = measure(execution, origin.labels, model.program, firmware, model.expected, origin.positions, timing)
        return replace(
            self.identity(case),
            **vars(figures),
            engine_version=execution.engine_version,
            compiler=firmware.compiler,
            flags=firmware.flags,
            elf_sha256=firmware.elf_sha256,
            clock_hz=None if case.engine == "host" else board.clock_hz,
            parameters=model.graph.parameters,
            macs=model.graph.macs,
            accuracy_float=accuracy(origin.outputs, origin.labels),
            notes=(*model.graph.notes, *execution.notes),
            error=self.disagreement(case, execution, origin.positions),
        )

    def disagreement(self, case: Case, execution: Execution, positions: Array) -> RunError | None:
        """What this engine did otherwise than the first that ran the case: outputs or instructions, of any sample."""
        if self.before is None or self.before[0] != case.work:
            self.before = case.work, execution
        difference = compare_executions(self.before[1], execution, positions)
        return None if difference is None else RunError.of(EngineError(difference, where=case.label))

    def timing(self, case: Case, model: QuantizedModel, firmware: Firmware, board: Board) -> Timing | None:
        """Firmware + a few samples -> cycles. First, because a run that was interrupted has its outputs, or nothing."""
        samples = evenly(len(model.inputs), self.experiment.target.timing_samples)
        if case.engine not in PROFILERS or board.chip.timing is None or not len(samples):
            return None
        self.watcher.stage(f"timing {case.label}")
        inputs, folder, profiler = model.inputs[samples], self.out / case.id, PROFILERS[case.engine]
        return time_firmware(firmware, board, inputs, folder, self.jobs, self.watcher.progress, profiler)

    def attempt(self, case: Case) -> Run:
        """A Run in any case: of figures, or of the error."""
        try:
            return self.evaluate(case)
        except McusimError as error:
            return replace(self.identity(case), error=RunError.of(error))

    def identity(self, case: Case) -> Run:
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


def normalized(x: Array, normalization: Normalization | None) -> Array:
    return x if normalization is None else normalization.apply(x)


def evenly(total: int, samples: int | str) -> Array:
    """Positions of the test samples to run: all, or that many from all over the set (which may be sorted)."""
    count = total if samples == "all" else min(int(samples), total)
    return np.arange(count) * total // max(count, 1)
