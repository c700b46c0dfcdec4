"""Experiment -> Report: the straight line, on one page. What a stage does is told in its module.

    Experiment -> Source -> quantized Graph -> Program -> Sources -> Firmware -> Execution -> Measurements -> Report

`line/case.py` goes it for one case, `line/front.py` its first half.
"""

from __future__ import annotations

import datetime
import time
from dataclasses import replace
from pathlib import Path

from mcusim.experiment.experiment import Experiment
from mcusim.line import budgets
from mcusim.line.agreement import agreed
from mcusim.line.case import Bench, Outcome, Setting, dataset_of, run_case
from mcusim.line.preflight import check_line, check_out
from mcusim.line.watcher import Watcher
from mcusim.reports.report import FORMAT, Report
from mcusim.system.version import VERSION


def run(experiment: Experiment, out: Path, watcher: Watcher, *, may_train: bool = True) -> Report:
    """Every case of the experiment. `report.json` in `out` is written after each one, so nothing finished is lost.

    A case that fails becomes a run with an error, and the others go on. Raises McusimError for what concerns all of
    them (tools, boards, data set), OSError when `out` cannot be written, KeyboardInterrupt after Ctrl-C.
    """
    began, started = time.monotonic(), datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    with Bench(watcher) as bench:
        check_line(experiment, bench.stages, out, may_train=may_train)
        check_out(out, (case.id for case in experiment.cases()))
        setting = Setting(experiment, out, may_train)
        if experiment.dataset.is_there:
            dataset_of(setting, bench)
        report = Report(FORMAT, VERSION, experiment.name, started, 0.0, False)
        cases, outcomes = list(experiment.cases()), list[Outcome]()
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
            report.write(out / "report.json")
            watcher.finished(runs[-1], number, len(cases))
            if interrupted:
                raise KeyboardInterrupt  # the engine swallowed it, to give what it had
    return report
