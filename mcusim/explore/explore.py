"""Experiment -> Exploration: points are estimated, the best of them built and run, and the front frozen."""

import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mcusim.experiment.experiment import Experiment, files_of_model
from mcusim.explore.axes import Genes, Space, space_of
from mcusim.explore.evaluate import Task, learned, train
from mcusim.explore.exploration import Exploration
from mcusim.explore.front import Limits, front_of, nearest
from mcusim.explore.point import Fidelity, Point
from mcusim.explore.searches import search_named
from mcusim.explore.searches.search import Wanted
from mcusim.explore.store import EVALUATIONS, Store
from mcusim.explore.workers import Workers
from mcusim.line.validation import seen
from mcusim.line.watcher import Watcher
from mcusim.reports.report import RunError
from mcusim.system.errors import ConfigurationError, DataError, EngineError, McusimError, MissingToolError
from mcusim.system.files import sha256_of
from mcusim.system.validation import short
from mcusim.system.version import VERSION

OF_THE_MACHINE = (MissingToolError.__name__, EngineError.__name__)  # errors that another try may not meet
MOST_ROUNDS = 10  # in which points of the front are built, until it stays


@dataclass
class Explorer:
    """An exploration on its way. `known`: what was asked for, by fidelity and genes."""

    experiment: Experiment
    space: Space
    out: Path
    workers: Workers
    watcher: Watcher
    store: Store

    def __post_init__(self) -> None:
        self.known: dict[Fidelity, dict[Genes, Point]] = {"estimate": {}, "firmware": {}}
        self.reused = 0
        self._untrained: dict[str, RunError | None] = {}  # of each model that was tried: what is in the way
        self._task = partial(task_of, self.experiment, self.space, self.out, files=files_of(self.experiment))

    def evaluated(self, batch: Sequence[Genes], fidelity: Fidelity) -> Iterator[Point]:
        """As they come, those that were known first."""
        tasks = [self._task(genes=genes, fidelity=fidelity) for genes in batch]
        known = {task.key: self._kept(task) for task in tasks}
        for task in tasks:
            if point := known[task.key]:
                self.reused += task.genes not in self.known[fidelity]
                yield self._learned(replace(point, genes=task.genes, chosen=task.chosen))
        new = [task for task in tasks if known[task.key] is None]
        for task in new:
            self._train(task)
        self.watcher.stage("building the front" if fidelity == "firmware" else f"exploring {self.experiment.name}")
        for task, point in self.workers.run([task for task in new if not self._untrained.get(task.model)]):
            if point.error is None or point.error.kind not in OF_THE_MACHINE:
                self.store.keep(task.key, point)
            yield self._learned(point)
        for task in new:
            if error := self._untrained.get(task.model):
                yield self._learned(Point(task.genes, task.chosen, fidelity, error=error))

    def _kept(self, task: Task) -> Point | None:
        """None where nobody evaluated it, or its line is of something else."""
        point = self.store.get(task.key)
        return point if point and point.fidelity == task.fidelity else None

    def _train(self, task: Task) -> None:
        """Its model, unless it was tried before."""
        if task.model not in self._untrained:
            try:
                if train(task, self.watcher):
                    self._untrained[task.model] = None
            except McusimError as error:
                self._untrained[task.model] = RunError.of(error)

    def _learned(self, point: Point) -> Point:
        """One that lacks what points are compared by is none; of the base `_demand_figures` tells it."""
        chosen = self.experiment.explore
        wanted = (*chosen.objectives, *(["accuracy"] if chosen.max_drop else []))
        lacking = [name for name in wanted if name not in point.figures]
        if lacking and not point.error and point.genes != self.space.base:
            error = DataError(f"it has no {', '.join(lacking)}", hint="name objectives that all points have")
            point = replace(point, figures={}, error=RunError.of(error))
        self.known[point.fidelity][point.genes] = point
        return point

    def all(self, batch: Sequence[Genes], fidelity: Fidelity) -> list[Point]:
        """In the order of `batch`."""
        for _ in self.evaluated(batch, fidelity):
            pass
        return [self.known[fidelity][genes] for genes in batch]


def task_of(
    experiment: Experiment, space: Space, out: Path, genes: Genes, fidelity: Fidelity, files: tuple[str, ...]
) -> Task:
    """`files`: `files_of` the experiment."""
    tables = space.at(genes)
    told = tables if experiment.explore.tuning else without_tuning(tables)
    return Task(experiment.path, told, out, genes, space.chosen(genes), fidelity, files)


def without_tuning(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Minutes of each point: only what is frozen is tuned, by its own experiment."""
    own = {name: value for name, value in tables.get("approximation", {}).items() if name != "tuning"}
    return {**tables, "approximation": own} if "approximation" in tables else tables


def files_of(experiment: Experiment) -> tuple[str, ...]:
    """Digests of what points are made of. Of the experiment itself only tables count, which each Task has."""
    there = {*filter(Path.is_file, experiment.files), *filter(Path.is_file, _models_of_axes(experiment))}
    paths = sorted(there - {experiment.path})
    return tuple(sha256_of(path) for path in paths)


def _models_of_axes(experiment: Experiment) -> Iterator[Path]:
    """Those of the experiment's own models are among its files."""
    for path, values in experiment.explore.axes:
        for name in values if path == ("model", "file") else ():
            yield from files_of_model(experiment.path.parent / str(name))


def explorations(
    experiment: Experiment, tables: Mapping[str, Any], out: Path, workers: Workers, watcher: Watcher
) -> Iterator[Exploration]:
    """The exploration as it grows, its file written after each batch: nothing that was evaluated is lost.

    Raises ConfigurationError where there is nothing to explore, what is in the way of the base, and KeyboardInterrupt
    after Ctrl-C.
    """
    began, chosen = time.monotonic(), experiment.explore
    space = space_of(experiment, tables)
    explorer = Explorer(experiment, space, out, workers, watcher, Store(out / EVALUATIONS))
    now = _begun(experiment, space, explorer)
    limits = Limits(experiment.expect.limits, chosen.drop)
    [base] = explorer.all([space.base], "estimate")
    if base.error:
        raise base.error.again("the base, of the first values of all axes, cannot be")
    _demand_figures(base, chosen.objectives, chosen.max_drop)
    limits = replace(limits, base=base.figures.get("accuracy"))
    for _ in _searched(explorer, limits):
        now = _grown(now, explorer, limits, "estimate", began)
        now.write(out)
        yield now
    for _ in _built(explorer, limits) if chosen.fidelity == "firmware" else ():
        now = _grown(now, explorer, limits, "firmware", began)
        now.write(out)
        yield now
    learned(out).forget()
    now = replace(now, notes=(*now.notes, *_noticed(explorer, limits, now)), complete=True)
    now.write(out)
    yield now


def _begun(experiment: Experiment, space: Space, explorer: Explorer) -> Exploration:
    chosen = experiment.explore
    told = [seen(model) for model in experiment.models]
    if count := explorer.store.ignored:
        lines = "one line is" if count == 1 else f"{count} lines are"
        told.append(f"{EVALUATIONS}: {lines} not used, damaged or of another mcusim")
    return Exploration(
        experiment=experiment.name,
        mcusim=VERSION,
        started=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        search=search_named(chosen.search, space, chosen.evaluations).NAME,
        objectives=chosen.objectives,
        axes={axis.name: axis.values for axis in space.axes},
        limits=experiment.expect.limits | ({"max_drop": chosen.max_drop} if chosen.max_drop else {}),
        seed=experiment.general.seed,
        samples=chosen.samples,
        notes=(*filter(None, told), *explorer.workers.notes),
    )


def _demand_figures(base: Point, objectives: Sequence[str], drop: str | None) -> None:
    """Raises ConfigurationError for one that points do not have."""
    if drop is not None and "accuracy" not in base.figures:
        hint = "leave it out, or give a budget in [expect]"
        raise ConfigurationError("points have no accuracy to drop", where="[explore] max_drop", hint=hint)
    lacking = [name for name in objectives if name not in base.figures]
    if lacking:
        hint = f"choose among {', '.join(sorted(base.figures))}"
        hint += "; a data set without y_train has no accuracy" if "accuracy" in lacking else ""
        raise ConfigurationError(f"points have no {', '.join(lacking)}", where="[explore] objectives", hint=hint)


def _searched(explorer: Explorer, limits: Limits) -> Iterator[None]:
    """Each time that something was learned."""
    chosen = explorer.experiment.explore
    search = search_named(chosen.search, explorer.space, chosen.evaluations)
    if missing := search.missing():
        raise missing
    seed = explorer.experiment.general.seed
    wanted = Wanted(explorer.space, chosen.objectives, limits, chosen.population, seed, chosen.evaluations)
    asking, total = search.ask(wanted), min(chosen.evaluations, explorer.space.size)
    batch = next(asking, None)
    while batch is not None:
        for _ in explorer.evaluated(batch, "estimate"):
            explorer.watcher.progress(len(explorer.known["estimate"]), total)
        yield
        try:
            batch = asking.send([explorer.known["estimate"][genes] for genes in batch])
        except StopIteration:
            batch = None


def _built(explorer: Explorer, limits: Limits) -> Iterator[None]:
    """The front of what is estimated is built and run; what that moves may bring others to the front."""
    objectives, space = explorer.experiment.explore.objectives, explorer.space
    for _ in range(MOST_ROUNDS):
        front = {point.genes for point in _front(explorer, limits, objectives)} | {space.base}
        new = sorted(front - explorer.known["firmware"].keys())
        if not new:
            return
        for done, _ in enumerate(explorer.evaluated(new, "firmware"), start=1):
            explorer.watcher.progress(done, len(new))
        yield


def best_known(explorer: Explorer) -> list[Point]:
    """Of each point what is known best."""
    return [explorer.known["firmware"].get(genes, point) for genes, point in explorer.known["estimate"].items()]


def _front(explorer: Explorer, limits: Limits, objectives: Sequence[str]) -> list[Point]:
    keeping = [point for point in best_known(explorer) if point.figures and not limits.broken(point)]
    return front_of(keeping, objectives)


def _grown(now: Exploration, explorer: Explorer, limits: Limits, fidelity: Fidelity, began: float) -> Exploration:
    chosen = explorer.experiment.explore
    points = best_known(explorer)
    front = _front(explorer, limits, chosen.objectives)
    possible = [point for point in points if point.figures]
    closest = None if front else nearest(possible, limits)
    return replace(
        now,
        base=explorer.known[fidelity].get(explorer.space.base) or explorer.known["estimate"][explorer.space.base],
        points=tuple(sorted(points, key=lambda point: point.genes)),
        front=tuple(front),
        nearest=closest,
        missed=tuple(limits.broken(closest)) if closest else (),
        evaluations=len(points),
        reused=explorer.reused,
        wall_s=round(time.monotonic() - began, 3),
    )


def _noticed(explorer: Explorer, limits: Limits, now: Exploration) -> Iterator[str]:
    """What is odd about what was asked for."""
    yield from without_effect(explorer)
    yield from impossible(explorer)
    for name in limits.unasked(now.base) if now.base else ():
        yield f"{name} in [expect] was asked of no point: they have no such figure"
    if explorer.experiment.expect_for:
        yield "[[expect_for]] was asked of no point: an exploration keeps the budgets of [expect]"


def impossible(explorer: Explorer) -> Iterator[str]:
    """Values with which no point can be: a typo, rather than one that does not go with another."""
    known = explorer.known["estimate"]
    for place, axis in enumerate(explorer.space.axes):
        for gene, value in enumerate(axis.values):
            errors = [point.error for genes, point in known.items() if genes[place] == gene]
            first = errors[0] if errors and all(errors) else None
            if first:
                hint = f" ({first.hint})" if first.hint else ""
                yield f"axis {axis.name!r}: no point with {short(value)} can be: {first.message}{hint}"


def without_effect(explorer: Explorer) -> list[str]:
    """Axes whose values all gave the same library, wherever points that differ in nothing else are known."""
    found = []
    points = {genes: point.digest for genes, point in explorer.known["estimate"].items() if point.digest}
    for place, axis in enumerate(explorer.space.axes):
        same: dict[Genes, set[tuple[int, str]]] = {}
        for genes, digest in points.items():
            same.setdefault((*genes[:place], *genes[place + 1 :]), set()).add((genes[place], digest))
        compared = [group for group in same.values() if len({gene for gene, _ in group}) > 1]
        if (
            axis.path != ("board",)
            and compared
            and all(len({digest for _, digest in group}) == 1 for group in compared)
        ):
            untuned = axis.path[:2] == ("approximation", "tuning") and not explorer.experiment.explore.tuning
            why = "[explore] tuning = true tunes points" if untuned else "its values give the same firmware"
            found.append(f"axis {axis.name!r} had no effect: {why}")
    return found
