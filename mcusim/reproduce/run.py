"""Study -> Reproduction: its experiments, each run as any other, and what came out of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mcusim import pipeline
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.read import open_experiment
from mcusim.line.preflight import check_out
from mcusim.line.watcher import Watcher
from mcusim.reports.report import Report, Run
from mcusim.reproduce.study import Part, Study
from mcusim.system.errors import OK, Problems, TooBigError

QUICK_SAMPLES = 10  # of each network on each board
ON_THIS_MACHINE = "host"
CACHE = "cache"


@dataclass(frozen=True)
class Reproduced:
    """What came out of a part: `boards` ran on them, `scored` has accuracies. The same report, but of a quick one."""

    part: Part
    boards: Report | None = None
    scored: Report | None = None

    @property
    def reports(self) -> tuple[Report, ...]:
        """Those there are, each once."""
        every = (self.scored, self.boards if self.boards is not self.scored else None)
        return tuple(report for report in every if report)


def done(report: Report | None) -> tuple[Run, ...]:
    return tuple(run for run in report.runs if not run.error) if report else ()


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
        reports = (report for part in self.parts for report in part.reports)
        judged = (replace(one, runs=tuple(run for run in one.runs if not is_too_big(run))) for one in reports)
        return max((report.exit_code for report in judged), default=OK)

    @property
    def ran(self) -> bool:
        """Is there anything to show?"""
        return any(report.runs for part in self.parts for report in part.reports)

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
            yield replace(found, boards=report, scored=report)
        return
    unproved = [model.model_copy(update={"proof": False}) for model in experiment.models]
    experiment = experiment.model_copy(update={"models": tuple(unproved)})
    on_boards = experiment.with_options(samples=QUICK_SAMPLES, timing_samples=1)
    for report in pipeline.reports(on_boards, folder, watcher, **options):
        found = replace(found, boards=report)
        yield found
    here = experiment.with_options(engine=ON_THIS_MACHINE, samples=found.part.quick_samples or "all")
    for report in pipeline.reports(here, folder / ON_THIS_MACHINE, watcher, **options):
        found = replace(found, scored=report)
        yield found
