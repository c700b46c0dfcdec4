"""Experiment -> Report: the straight line, on one page. What a stage does is told in its module.

    Experiment -> Source -> quantized Graph -> Program -> Sources -> Firmware -> Execution -> Measurements -> Report

`line/case.py` goes it for one case, `line/front.py` its first half.
"""

import datetime
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mcusim.experiment.experiment import Experiment
from mcusim.line import budgets
from mcusim.line.agreement import agreed
from mcusim.line.bench import Bench
from mcusim.line.case import Outcome, Setting, dataset_of, run_case
from mcusim.line.preflight import check_line, check_out
from mcusim.line.watcher import Watcher
from mcusim.reports.report import FORMAT, REPORT, Git, Report, RunError
from mcusim.system.errors import McusimError
from mcusim.system.git import commit_of
from mcusim.system.version import VERSION

BEFORE = "report-before.json"


def run(experiment: Experiment, out: Path, watcher: Watcher, *, may_train: bool = True) -> Report:
    """Every case of the experiment: the last of its `reports`."""
    [report] = deque(reports(experiment, out, watcher, may_train=may_train), maxlen=1)
    return report


def reports(experiment: Experiment, out: Path, watcher: Watcher, *, may_train: bool = True) -> Iterator[Report]:
    """The report as it grows: without runs before anything is done, then after each case, so nothing finished is lost.

    Each is `report.json` in `out`; runs that were in there before stay in BEFORE. A case that fails becomes a run with
    an error, and the others go on. Raises McusimError for what concerns all of them (tools, boards, data set), after a
    report that tells it, OSError when `out` cannot be written, KeyboardInterrupt after Ctrl-C.
    """
    began, started = time.monotonic(), datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    cases, outcomes = list(experiment.cases()), list[Outcome]()
    report = Report(FORMAT, VERSION, experiment.name, started, 0.0, False, planned=len(cases))
    commit = commit_of(experiment.path.parent)
    git, file = Git(*commit) if commit else None, _seen_from_here(experiment.path)
    limits, lines = experiment.regress.limits, experiment.regress.lines
    report = replace(report, git=git, file=file, regress=limits, regress_lines=lines)
    check_out(out, (case.id for case in cases))
    _keep_earlier(out)
    report.write(out / REPORT)
    yield report
    with Bench(watcher) as bench:
        setting = Setting(experiment, out, may_train)
        try:
            check_line(experiment, bench.stages, out, may_train=may_train)
            if experiment.dataset.is_there:
                dataset_of(setting, bench)
        except McusimError as error:
            report = replace(report, error=RunError.of(error))
            report.write(out / REPORT)
            yield report
            raise
        for number, case in enumerate(cases, start=1):
            outcomes.append(run_case(setting, case, bench))
            runs = agreed(outcomes)
            interrupted = runs[-1].error is None and not runs[-1].complete
            report = replace(
                report,
                runs=runs,
                checks=(*report.checks, *budgets.check_case(runs[-1], experiment, case)),
                wall_s=round(time.monotonic() - began, 3),
                complete=number == len(cases) and not interrupted,
            )
            report.write(out / REPORT)
            watcher.finished(runs[-1], number, len(cases))
            yield report
            if interrupted:
                raise KeyboardInterrupt  # the engine swallowed it, to give what it had


def _seen_from_here(path: Path) -> str:
    """A file of the repository is called alike on every machine."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _keep_earlier(out: Path) -> None:
    """The report of other boards or models is worth something; one without runs is not."""
    with suppress(McusimError):
        if Report.read(out / REPORT).runs:
            (out / REPORT).replace(out / BEFORE)
