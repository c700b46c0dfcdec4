"""Task -> Point: one point of the space, quantized, its kernels chosen and judged. A pure function of picklable values.

What points share (data set, float model) is kept from one to the next of a process; what approximations learn of the
model, in files that all processes read.
"""

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.approximate.approximation import Memory
from mcusim.datasets import Dataset
from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.exploration import CROSS_ENTROPY
from mcusim.experiment.read import read_tables
from mcusim.explore.point import Fidelity, Point
from mcusim.line.bench import Bench
from mcusim.line.case import model_file, place_of, ready_model, run_case
from mcusim.line.destination import ABOUT
from mcusim.line.knapsack import flash_bytes
from mcusim.line.offers import whole_cycles, whole_ram_bytes
from mcusim.line.part import Span
from mcusim.line.ready import ReadyModel, Setting
from mcusim.line.score import score
from mcusim.line.stages import STAGES
from mcusim.line.validation import judged_by_validation, share_of
from mcusim.line.watcher import Silent, Watcher
from mcusim.reports.figures import REGRESS
from mcusim.reports.report import Run, RunError
from mcusim.system.errors import EngineError, McusimError
from mcusim.system.kept_files import KeptArrays, KeptFiles
from mcusim.system.memory import keep_freed
from mcusim.system.once import Once, Shared
from mcusim.system.own_code import own_code
from mcusim.system.records import fields_of
from mcusim.timing.profile import energy_uwh

# Keys of Once, of whatever is no point's own.
APPROXIMATIONS = "approximations"
SHARED = ("data set", "source", "float", "doubt", "board", "sha256", APPROXIMATIONS)
OF_MODELS = ("experiment", "dataset", "task", "training", "model", "model_template")
POINTS, LEARNED = "points", "learned"
MOST_LEARNED_BYTES = 2**30
MOST_KEPT = 3  # models at a time


@dataclass(frozen=True)
class Task:
    """`tables` of an experiment of one case, from the file `path`; `files`: digests of what it reads.

    Below `out` each point has a folder of its own.
    """

    path: Path
    tables: Mapping[str, Any]
    out: Path
    genes: tuple[int, ...]
    chosen: Mapping[str, Any]
    fidelity: Fidelity
    files: tuple[str, ...]

    @property
    def key(self) -> str:
        """Of all that its Point depends on."""
        told = {name: table for name, table in self.tables.items() if name not in ("explore", "expect", "regress")}
        return _digest([own_code(), told, self._judged, self.fidelity, self.files])

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.key[:16]

    @property
    def model(self) -> str:
        """Digest of all that a float model and its samples depend on: points of one share them."""
        told = {name: self.tables.get(name) for name in OF_MODELS}
        return _digest([own_code(), told, self._judged, self.files])[:16]

    @property
    def _judged(self) -> dict[str, Any]:
        """What chooses the samples that judge."""
        return {name: self.tables.get("explore", {}).get(name) for name in ("validation", "samples")}

    @property
    def models(self) -> Path:
        """Folder of trained models."""
        return self.out / "models" / self.model

    @property
    def memory(self) -> Memory:
        """Of approximations of its model; what is dear to learn is there for all processes."""
        return Memory(numbers=KeptArrays(learned(self.out), self.model))


def learned(out: Path) -> KeptFiles:
    """What approximations learn of models."""
    return KeptFiles(out / LEARNED, f".{LEARNED}", MOST_LEARNED_BYTES)


def _digest(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


_kept: OrderedDict[str, Once] = OrderedDict()


def evaluate(task: Task) -> Point:
    """A Point in any case: of figures, or of the error that makes it none."""
    keep_freed()
    point = Point(task.genes, task.chosen, task.fidelity)
    try:
        setting, case = _case(task)
        with _bench(task, setting.experiment, Silent()) as bench:
            figures, digest = (_ran if task.fidelity == "firmware" else _estimated)(setting, case, bench)
        known = {name: value for name, value in figures.items() if math.isfinite(value)}
        return replace(point, figures=known, digest=digest)
    except McusimError as error:
        return replace(point, error=RunError.of(error))


def train(task: Task, watcher: Watcher) -> bool:
    """What `evaluate` finds trained, for all points of that model. False where this point cannot be.

    Raises McusimError for what is in the way of all.
    """
    try:
        setting, case = _case(task)
    except McusimError:
        return False
    if case.model.is_trained:
        with _bench(task, setting.experiment, watcher) as bench:
            model_file(replace(setting, may_train=True), case.model, case.repeat, bench)
    return True


def _case(task: Task) -> tuple[Setting, Case]:
    experiment = read_tables(task.path, dict(task.tables), "")
    [case] = experiment.cases()
    folder = task.out / POINTS / task.name
    tunes = case.approximation is not None and case.approximation.tuning is not None
    return Setting(experiment, folder, may_train=tunes, models=task.models), case


def _bench(task: Task, experiment: Experiment, watcher: Watcher) -> Bench:
    """Judged by validation samples."""
    common = _kept.setdefault(task.model, Once())
    common.do(APPROXIMATIONS, lambda: task.memory)
    _kept.move_to_end(task.model)
    while len(_kept) > MOST_KEPT:
        _kept.popitem(last=False)
    share, seed = share_of(experiment.models[0], experiment), experiment.general.seed

    def load(name: str, base: Path, progress: Any) -> Dataset:
        return judged_by_validation(STAGES.load_dataset(name, base, progress), share, seed)

    return Bench(watcher, replace(STAGES, load_dataset=load), Shared(common, SHARED))


def _estimated(setting: Setting, case: Case, bench: Bench) -> tuple[dict[str, float], str]:
    """Accuracy from `Graph.run`; cycles and bytes as kernels are chosen by."""
    model = ready_model(_judged(setting), case, bench)
    choice, figures = model.generated.choice, judged(model)
    _, board = place_of(case, bench)
    if board is not None:
        count, ram = whole_cycles(choice), whole_ram_bytes(choice) + ABOUT.ram_bytes
        figures |= {
            "cycles": count,
            "latency_ms": 1000 * count / board.clock_hz,
            "energy_uwh": energy_uwh(count, board, board.clock_hz),
            "rom_bytes": float(flash_bytes(choice.selected) + ABOUT.flash_bytes),
            "ram_bytes": float(ram),
        }
    return figures, model.generated.library.digest


def _judged(setting: Setting) -> Setting:
    samples = setting.experiment.explore.samples
    return replace(setting, experiment=setting.experiment.with_options(samples=samples, jobs=1))


def judged(model: ReadyModel) -> dict[str, float]:
    """What the quantized model is worth on the samples that judge."""
    program, origin = model.generated.program, model.origin
    wanted = origin.wanted(model.expected, program, Span.whole(len(origin.positions)))
    scored = score(fields_of(model.expected), wanted, origin.positions)
    run = Run(id="", model="", data_type="", board="", engine="", **vars(scored))
    return figures_of(run) | _cross_entropy(model, wanted)


def figures_of(run: Run) -> dict[str, float]:
    values = {name: figure.value(run) for name, figure in REGRESS.items()}
    return {name: float(value) for name, value in values.items() if value is not None}


def trouble_of(run: Run, where: str) -> RunError | None:
    """What ended it, or that its outputs are wrong."""
    if run.error or not run.mismatches:
        return run.error
    what = f"{run.mismatches} of {run.samples} outputs are not those of the model"
    return RunError.of(EngineError(what, where=where, hint="please report it: this is a bug of mcusim"))


def _cross_entropy(model: ReadyModel, wanted: Mapping[str, Any]) -> dict[str, float]:
    """Of a classifier with an output for each class: finer than accuracy where few samples judge."""
    if len(wanted) != 1:
        return {}
    [entry] = wanted.values()
    if entry.judge.task.NAME != "classification" or entry.labels is None or entry.expected.shape[1] < 2:
        return {}
    real = entry.expected if entry.numbers is None else entry.numbers.decode(entry.expected)
    logits = np.asarray(real, np.float64)
    if logits.min() >= 0 and np.abs(logits.sum(axis=1) - 1).max() < 0.1:  # probabilities
        logits = np.log(np.maximum(logits, 1e-6))
    logits -= logits.max(axis=1, keepdims=True)
    own = logits[np.arange(len(logits)), entry.labels] - np.log(np.exp(logits).sum(axis=1))
    return {CROSS_ENTROPY: float(-own.mean())}


def _ran(setting: Setting, case: Case, bench: Bench) -> tuple[dict[str, float], str]:
    """Of a firmware that was built and ran on the samples that judge. McusimError where its outputs are wrong."""
    setting = _judged(setting)
    outcome = run_case(setting, replace(case, model=case.model.model_copy(update={"proof": False})), bench)
    run, model = outcome.run, ready_model(setting, case, bench)
    if trouble := trouble_of(run, str(setting.out / case.id)):
        raise trouble.again()
    return judged(model) | figures_of(run), model.generated.library.digest
