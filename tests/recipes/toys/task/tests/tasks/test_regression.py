from dataclasses import replace

import numpy as np

from mcusim.experiment.experiment import Expect
from mcusim.line.budgets import check
from mcusim.line.score import Wanted, score
from mcusim.reports.report import Report
from mcusim.reports.to_junit import render as to_junit
from mcusim.reports.to_markdown import render
from mcusim.tasks import regression
from tests.reports.reports import full_report, good_run


def test_from_outputs_to_report() -> None:
    outputs = np.array([[1.0], [2.0]], np.float32)
    found = score({"": outputs}, {"": Wanted(regression, outputs, np.array([1.5, 2.0]), None)}, np.arange(2))
    run = replace(good_run(), accuracy_float=None, **vars(found))
    checks = check(run, Expect(mae_max=0.2).limits)
    assert [(entry.name, entry.value, entry.passed) for entry in checks] == [("mae_max", 0.25, False)]
    report = Report.from_json(replace(full_report(), runs=(run,), checks=checks).to_json())
    assert "| model | type | board | MAE | mismatches |" in render(report) and "| 0.250 |" in render(report)
    assert 'name="scores.mae" value="0.25"' in to_junit(report)
