"""Experiment -> Report: the straight line, on one page. What a stage does is told in its module.

    Experiment -> Source -> quantized Graph -> Program -> Sources -> Firmware -> Execution -> Measurements -> Report

`line/case.py` goes it for one case, `line/front.py` its first half.
"""

import datetime
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.line import budgets, sharding
from mcusim.line.agreement import agreed
from mcusim.line.bench import Bench
from mcusim.line.case import run_case, samples_of
from mcusim.line.kept import Kept
from mcusim.line.part import Outcome
from mcusim.line.preflight import check_line, check_out
from mcusim.line.ready import Setting
from mcusim.line.sharding import Which
from mcusim.line.watcher import Watcher
from mcusim.reports.repeats import repeated
from mcusim.reports.report import FORMAT, REPORT, Budget, Git, Report, Run, RunError
from mcusim.system.errors import McusimError
from mcusim.system.git import commit_of
from mcusim.system.once import Once
from mcusim.system.version import VERSION

BEFORE = "report-before.json"


def run(experiment: Experiment, out: Path, watcher: Watcher, **choices: Any) -> Report:
    """Every case of the experiment: the last of its `reports`."""
    [report] = deque(reports(experiment, out, watcher, **choices), maxlen=1)
    return report


def reports(
    experiment: Experiment,
    out: Path,
    watcher: Watcher,
    *,
    may_train: bool = True,
    shard: Which | None = None,
    cache: Path | None = None,
    once: Once | None = None,
) -> Iterator[Report]:
    """The report as it grows: without runs before anything is done, then after each case, so nothing finished is lost.

    Each is `report.json` in `out`; runs that were in there before stay in BEFORE. A case that fails becomes a run with
    an error, and the others go on. `shard`: only what is its own, for `merge`. `cache`: a folder of what engines saw.
    `once`: the caller's. Raises McusimError for what concerns all of them (tools, boards, data set), after a report of
    it, OSError when `out` or `cache` cannot be written, KeyboardInterrupt after Ctrl-C.
    """
    began, cases, outcomes = time.monotonic(), list(experiment.cases()), list[Outcome]()
    report, setting = _begun(experiment, cases, shard), Setting(experiment, out, may_train)
    check_out(out, (case.id for case in cases))
    keep_earlier(out)
    report.write(out / REPORT)
    yield report
    with Bench(watcher, once=once, kept=Kept(cache) if cache else None) as bench:
        try:
            check_line(experiment, bench.stages, out, may_train=may_train)
            samples = samples_of(setting, bench)
        except McusimError as error:
            report = replace(report, error=RunError.of(error))
            report.write(out / REPORT)
            yield report
            raise
        tasks = sharding.tasks(cases, samples, shard) if shard else [(case, None) for case in cases]
        report = replace(report, planned=len(tasks), complete=not tasks)
        for number, (case, span) in enumerate(tasks, start=1):
            outcome = run_case(setting, case, bench, span)
            outcomes.append(sharding.kept(outcome, span, out) if span else outcome)
            report = _grown(report, agreed(outcomes), budgets.budgets_of(outcome.run, experiment, case))
            run = report.runs[-1]
            interrupted = run.error is None and not run.complete
            complete = number == len(tasks) and not interrupted
            report = replace(report, wall_s=round(time.monotonic() - began, 3), complete=complete)
            report.write(out / REPORT)
            watcher.finished(run, number, len(tasks))
            yield report
            if interrupted:
                raise KeyboardInterrupt  # the engine swallowed it, to give what it had
        if not tasks:  # fewer samples than shards
            report.write(out / REPORT)
            yield report


def _begun(experiment: Experiment, cases: Sequence[Case], shard: Which | None) -> Report:
    started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    commit = commit_of(experiment.path.parent)
    return Report(
        FORMAT,
        VERSION,
        experiment.name,
        started,
        0.0,
        False,
        planned=len(cases),
        shard=sharding.begun(shard, experiment, cases) if shard else None,
        git=Git(*commit) if commit else None,
        file=seen_from_here(experiment.path),
        regress=experiment.regress.limits,
        regress_lines=experiment.regress.lines,
    )


def _grown(report: Report, runs: tuple[Run, ...], held: tuple[Budget, ...]) -> Report:
    """Budgets are judged, but of a shard: nobody knows yet what the whole run is."""
    if report.shard:
        return replace(report, runs=runs, shard=replace(report.shard, budgets=(*report.shard.budgets, *held)))
    checks = (*report.checks, *budgets.judged(runs[-1], held))
    return replace(report, runs=runs, checks=checks, repeats=tuple(repeated(runs)))


def seen_from_here(path: Path) -> str:
    """A file of the repository is called alike on every machine."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def keep_earlier(out: Path) -> None:
    """The report of other boards or models is worth something; one without runs is not."""
    with suppress(McusimError):
        if Report.read(out / REPORT).runs:
            (out / REPORT).replace(out / BEFORE)
