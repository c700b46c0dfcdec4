"""Report -> JUnit XML: a test case for each run, a failure for each broken budget, an error for a run that failed.

Figures are properties of the test case, where pytest puts them too and where CI systems look for them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from xml.etree import ElementTree

from junit_xml import TestCase, TestSuite

from mcusim.reports.figures import PROPERTIES
from mcusim.reports.report import Report, Run, RunError
from mcusim.system.names import printable

TOTALS = ("disabled", "errors", "failures", "tests", "time")  # of all suites: there is one


def render(report: Report) -> str:
    named = Counter(run.label for run in report.runs)
    cases = [_case(report, run, unique=named[run.label] == 1) for run in report.runs]
    if not report.complete:
        cases.append(_unfinished(report))
    suite = _Suite(f"mcusim: {printable(report.experiment)}", cases, timestamp=printable(report.started))
    suite.figures = [_properties(run) for run in report.runs]
    return _written(suite)


def _written(suite: _Suite) -> str:
    """As junit-xml writes it, which takes minutes for many runs."""
    inside = suite.build_xml_doc()
    top = ElementTree.Element("testsuites", {name: inside.get(name, "0") for name in TOTALS})
    top.append(inside)
    ElementTree.indent(top, "\t")
    return f'<?xml version="1.0" ?>\n{ElementTree.tostring(top, encoding="unicode")}\n'


class _Suite(TestSuite):  # type: ignore[misc]
    """junit-xml knows properties of a suite only; this adds those of the test cases."""

    figures: list[dict[str, str]]

    def build_xml_doc(self, encoding: str | None = None) -> ElementTree.Element:
        element: ElementTree.Element = super().build_xml_doc(encoding)
        for case, figures in zip(element.iter("testcase"), self.figures, strict=False):
            properties = ElementTree.Element("properties")
            for name, value in figures.items():
                ElementTree.SubElement(properties, "property", {"name": name, "value": value})
            case.insert(0, properties)
        return element


def _case(report: Report, run: Run, *, unique: bool) -> Any:
    name = printable(run.label) if unique else f"{printable(run.label)} ({printable(run.id)})"
    case = TestCase(
        name, classname=printable(report.experiment), elapsed_sec=run.wall_s, allow_multiple_subelements=True
    )
    if run.error:
        return _with_error(case, run.error)
    if not run.complete:
        case.add_error_info(f"interrupted after {run.samples} samples", error_type="interrupted")
    for check in report.checks_of(run):
        if not check.passed:
            case.add_failure_info(printable(str(check)), failure_type=printable(check.name))
    return case


def _with_error(case: Any, error: RunError) -> Any:
    where = f"in: {printable(error.where)}\n" if error.where else ""
    hint = f"hint: {printable(error.hint)}" if error.hint else ""
    case.add_error_info(printable(error.message), where + hint, printable(error.kind))
    return case


def _unfinished(report: Report) -> Any:
    """Half a report must not look like a good one."""
    case = TestCase("all runs", classname=printable(report.experiment))
    if report.error:
        return _with_error(case, report.error)
    of = "" if report.planned is None else f" of {report.planned}"
    case.add_error_info(f"the experiment was interrupted after {len(report.runs)}{of} runs", error_type="interrupted")
    return case


def _properties(run: Run) -> dict[str, str]:
    values = {row.key: row.value(run) for row in PROPERTIES}
    return {key: printable(str(value)) for key, value in values.items() if value not in (None, "")}
