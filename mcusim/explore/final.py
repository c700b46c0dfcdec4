"""Exploration -> the same, its frozen front on the test set, each point as the experiment that gives it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mcusim import pipeline
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.read import read_experiment
from mcusim.explore.axes import Space
from mcusim.explore.evaluate import figures_of, trouble_of
from mcusim.explore.exploration import Exploration, Tested
from mcusim.explore.explore import files_of, task_of
from mcusim.explore.point import Point
from mcusim.explore.save import save
from mcusim.line.watcher import Watcher
from mcusim.reports.decisions import decisions
from mcusim.reports.report import Run

BASE, FRONT = "base", "point-{:02}"


def saved(
    exploration: Exploration, experiment: Experiment, space: Space, out: Path, folder: Path
) -> list[tuple[Point, Path]]:
    """The base and each point of the front, and its experiment file below `folder`. Trained models lie beside it."""
    assert exploration.base is not None
    base, files = exploration.base, files_of(experiment)
    others = [point for point in exploration.front if point.genes != base.genes]
    names = [BASE, *(FRONT.format(number) for number in range(1, len(others) + 1))]
    found = []
    for name, point in zip(names, (base, *others), strict=True):
        models = task_of(experiment, space, out, point.genes, point.fidelity, files).models
        if models.is_dir():
            shutil.copytree(models, folder / name / "models", dirs_exist_ok=True)
        found.append((point, save(experiment, space, point, folder / name)))
    return found


def tested(
    exploration: Exploration, files: list[tuple[Point, Path]], out: Path, watcher: Watcher
) -> Iterator[Exploration]:
    """The exploration as it grows: runs of whole test sets may take long. The base is the first of `files`."""
    found: list[Tested] = []
    base: Run | None = None
    for point, path in files:
        folder = path.parent
        [run] = pipeline.run(read_experiment(path), folder, watcher).runs
        base = base or run
        found.append(
            _tested(point, run, base, folder.relative_to(out).as_posix() if folder.is_relative_to(out) else str(folder))
        )
        yield replace(exploration, tested=tuple(found))


def _tested(point: Point, run: Run, base: Run, folder: str) -> Tested:
    own = replace(point, fidelity="test", figures=figures_of(run), error=trouble_of(run, folder))
    changed = decisions(base, run) if run is not base else ()
    if len(changed) != 1:
        return Tested(own, folder)
    return Tested(own, folder, len(changed[0].worse), len(changed[0].better), changed[0].p)
