"""Study -> Reproduction: its experiments, each run as any other, and what came out of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcusim import pipeline
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.read import open_experiment
from mcusim.line.preflight import check_out
from mcusim.line.ready import Setting
from mcusim.line.watcher import Watcher
from mcusim.reports.report import Report, Run
from mcusim.reproduce.scored import scored
from mcusim.reproduce.study import Part, Study
from mcusim.system.errors import OK, Problems, TooBigError
from mcusim.system.once import Once

CACHE = "cache"


@dataclass(frozen=True)
class Reproduced:
    """What came out of a part: `boards` ran on them. `scored` has accuracies, where those ran a few samples only."""

    part: Part
    boards: Report | None = None
    scored: tuple[Run, ...] | None = None

    @property
    def runs(self) -> tuple[Run, ...]:
        """All that boards were asked for, also what failed."""
        return self.boards.runs if self.boards else ()

    @property
    def done(self) -> tuple[Run, ...]:
        """What ran on boards."""
        return tuple(run for run in self.runs if not run.error)

    @property
    def with_accuracy(self) -> tuple[Run, ...]:
        return self.done if self.scored is None else self.scored


def is_too_big(run: Run) -> bool:
    return run.error is not None and run.error.kind == TooBigError.__name__


@dataclass(frozen=True)
class Reproduction:
    study: Study
    quick: bool
    parts: tuple[Reproduced, ...] = ()

    @property
    def exit_code(self) -> int:
        """The worst. That a network is too big for a board is what was found, and no failure."""
        reports = (part.boards for part in self.parts if part.boards)
        judged = (replace(one, runs=tuple(run for run in one.runs if not is_too_big(run))) for one in reports)
        return max((report.exit_code for report in judged), default=OK)

    @property
    def ran(self) -> bool:
        """Is there anything to show?"""
        return any(part.runs for part in self.parts)

    def _with(self, one: Reproduced) -> "Reproduction":
        others = tuple(part for part in self.parts if part.part.name != one.part.name)
        return replace(self, parts=(*others, one))


def reproductions(
    study: Study, parts: Sequence[Part], out: Path, watcher: Watcher, *, quick: bool, train: bool, jobs: int | None
) -> Iterator[Reproduction]:
    """The reproduction as it grows: after each run, so nothing finished is lost.

    A part that cannot run at all leaves the others alone. Raises McusimError at the end, of all that could not;
    ConfigurationError for experiments that are none, before anything runs; KeyboardInterrupt after Ctrl-C.
    """
    check_out(out, (CACHE, *(part.name for part in parts)))
    ending = "_train" if train else ""
    experiments = [(part, open_experiment(study.folder / f"{part.name}{ending}.toml", jobs=jobs)) for part in parts]
    now, problems = Reproduction(study, quick), Problems()
    for part, experiment in experiments:
        with problems.caught():
            for found in _of_part(Reproduced(part), experiment, out, watcher, quick=quick, cache=out / CACHE):
                now = now._with(found)
                yield now
    problems.tell()


def _of_part(
    found: Reproduced, experiment: Experiment, out: Path, watcher: Watcher, *, quick: bool, **options: Any
) -> Iterator[Reproduced]:
    folder = out / found.part.name
    if not quick:
        for report in pipeline.reports(experiment, folder, watcher, **options):
            yield replace(found, boards=report)
        return
    experiment = experiment.with_options(models=found.part.quick_models)
    unproved = [model.model_copy(update={"proof": False}) for model in experiment.models]
    experiment = experiment.model_copy(update={"models": tuple(unproved)})
    on_boards = experiment.with_options(samples=found.part.quick_on_boards, timing_samples=1)
    found, once = replace(found, scored=()), Once()
    for report in pipeline.reports(on_boards, folder, watcher, once=once, **options):
        found = replace(found, boards=report)
        yield found
    setting = Setting(experiment.with_options(samples=found.part.quick_samples or "all"), folder)
    for run in scored(setting, watcher, once):
        found = replace(found, scored=(*(found.scored or ()), run))
        yield found
