from dataclasses import replace

import numpy as np

from mcusim.experiment.tables import Expect
from mcusim.line.budgets import judged
from mcusim.line.score import Wanted, score
from mcusim.reports.report import Budget, Report
from mcusim.reports.to_junit import render as to_junit
from mcusim.reports.to_markdown import render
from mcusim.tasks import counting, judge_of
from tests.reports.reports import full_report, good_run
from tests.tasks.asking import asked


def test_from_outputs_to_report() -> None:
    outputs, judge = np.array([[1.1], [2.6]], np.float32), judge_of(asked(1, [1, 2]), "counting")
    assert judge.task is counting
    found = score({"": outputs}, {"": Wanted(judge, outputs, None, judge.labels)}, np.arange(2))
    run = replace(good_run(), accuracy_float=None, **vars(found))
    checks = judged(run, [Budget(name, run.id, limit) for name, limit in Expect(counted_min=0.9).limits.items()])
    assert [(entry.name, entry.value, entry.passed) for entry in checks] == [("counted_min", 0.5, False)]
    report = Report.from_json(replace(full_report(), runs=(run,), checks=checks).to_json())
    assert "| model | type | board | counted % |" in render(report) and "50.00 |" in render(report)
    assert 'name="scores.counted" value="0.5' in to_junit(report)
