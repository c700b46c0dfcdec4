"""OpenMetrics: a gauge for each figure, a line for each run that has it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mcusim.reports.report import Report
from mcusim.reports.to_metrics import render
from tests.reports.reports import empty_report, full_report, hostile_report

Golden = Callable[[str, str], None]
LABEL = r'[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"mcusim_[a-z0-9_]+\{{{LABEL}(?:,{LABEL})*\}} -?[0-9.]+(?:e[-+]?[0-9]+)?")
COMMENT = re.compile(r"# (?:TYPE mcusim_[a-z0-9_]+ gauge|HELP mcusim_[a-z0-9_]+ .*|EOF)")


def test_golden(golden: Golden) -> None:
    golden("full.txt", render(full_report()))


@pytest.mark.parametrize("make", [full_report, hostile_report, empty_report])
def test_every_line_is_one_of_the_format(make: Callable[[], Report]) -> None:
    text = render(make())
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    lines = text.splitlines()
    assert not [line for line in lines if not (SAMPLE.fullmatch(line) or COMMENT.fullmatch(line))]
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series)), "no two are alike"
    kinds = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(kinds) == len(set(kinds))


def test_what_nobody_knows_is_left_out() -> None:
    lines = [line for line in render(full_report()).splitlines() if line.startswith("mcusim_latency_ms{")]
    [line] = lines
    assert line.endswith(" 41.7") and 'data_type="float32"' in line and 'run="cnn-float32-nucleo_l452re_p"' in line


def test_budgets_are_kept_or_not() -> None:
    lines = [line for line in render(full_report()).splitlines() if line.startswith("mcusim_budget_kept{")]
    assert [line[-1] for line in lines] == ["1", "0", "0", "0", "0"] and 'budget="rom_bytes_max"' in lines[2]
