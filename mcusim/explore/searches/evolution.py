"""Generations of points, each from the best of those before: NSGA-II, by Optuna."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mcusim.explore.axes import Genes, Space
from mcusim.explore.front import losses
from mcusim.explore.point import Point
from mcusim.explore.searches.search import Asking, Wanted
from mcusim.system.errors import MissingToolError

if TYPE_CHECKING:
    from optuna import Study, Trial

NAME = "evolution"
SUMMARY = "generations of points, each from the best of those before (NSGA-II)"
MOST_IN_VAIN = 20  # generations without a new point: the space, or what is good of it, was seen


def missing() -> MissingToolError | None:
    """Optuna."""
    if find_spec("optuna"):
        return None
    hint = "pip install 'mcusim[explore]'; or search = \"greedy\" in [explore]"
    return MissingToolError("search 'evolution' needs Optuna, which is not installed", hint=hint)


def ask(wanted: Wanted) -> Asking:
    """The base comes first. A point that was seen is not asked for again."""
    batch = max(2, min(wanted.batch, wanted.evaluations, wanted.space.size))  # no more than there can be
    study = _study(wanted, batch)
    seen: dict[Genes, Point] = {}
    in_vain = 0
    while len(seen) < wanted.evaluations and in_vain < MOST_IN_VAIN:
        trials = [_asked(study, wanted.space) for _ in range(batch)]
        new = [genes for genes in dict.fromkeys(genes for _, genes in trials) if genes not in seen]
        new = new[: wanted.evaluations - len(seen)]
        points: list[Point] = (yield new) if new else []
        seen |= {point.genes: point for point in points}
        in_vain = 0 if new else in_vain + 1
        for trial, genes in trials:
            _tell(study, trial, seen.get(genes), wanted)


def _study(wanted: Wanted, batch: int) -> Study:
    import optuna

    optuna.logging.disable_default_handler()
    sampler = optuna.samplers.NSGAIISampler(population_size=batch, seed=wanted.seed)
    study = optuna.create_study(directions=["minimize"] * len(wanted.objectives), sampler=sampler)
    study.enqueue_trial(dict(zip(_names(wanted.space), wanted.space.base, strict=True)))
    return study


def _names(space: Space) -> list[str]:
    """Names of axes may be hostile, or the same: their places are not."""
    return [str(place) for place in range(len(space.axes))]


def _asked(study: Study, space: Space) -> tuple[Trial, Genes]:
    from optuna.distributions import CategoricalDistribution

    choices: dict[str, Any] = {
        name: CategoricalDistribution(range(len(axis.values)))
        for name, axis in zip(_names(space), space.axes, strict=True)
    }
    trial = study.ask(choices)
    return trial, tuple(trial.params[name] for name in choices)


def _tell(study: Study, trial: Trial, point: Point | None, wanted: Wanted) -> None:
    """A point that cannot be, or that there was no time for, is none."""
    from optuna.trial import TrialState

    if point is None or not point.figures:
        study.tell(trial, state=TrialState.FAIL)
        return
    broken = wanted.limits.broken(point)
    for name in wanted.limits.names:
        trial.set_constraint(name, broken.get(name, 0.0))
    study.tell(trial, losses(point, wanted.objectives))
