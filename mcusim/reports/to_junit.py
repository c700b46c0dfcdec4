"""Report -> JUnit XML: a test case for each run, a failure for each broken budget, an error for a run that failed.

Figures are properties of the test case, where pytest puts them too and where CI systems look for them.
"""

from collections import Counter
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mcusim.reports.figures import PROPERTIES
from mcusim.reports.report import Report, Run, RunError
from mcusim.system.names import printable


def render(report: Report) -> str:
    named = Counter(run.label for run in report.runs)
    cases = [_case(report, run, unique=named[run.label] == 1) for run in report.runs]
    if not report.complete:
        cases.append(_unfinished(report))
    counts = {f"{kind}s": str(sum(case.find(kind) is not None for case in cases)) for kind in ("error", "failure")}
    counts = {"disabled": "0", **counts}
    all_of = {"tests": str(len(cases)), "time": str(sum(run.wall_s or 0 for run in report.runs))}
    top, name = Element("testsuites", {**counts, **all_of}), f"mcusim: {printable(report.experiment)}"
    told = {**counts, "name": name, "skipped": "0", **all_of, "timestamp": printable(report.started)}
    SubElement(top, "testsuite", told).extend(cases)
    indent(top, "\t")
    return f'<?xml version="1.0" ?>\n{tostring(top, encoding="unicode")}\n'


def _case(report: Report, run: Run, *, unique: bool) -> Element:
    name = printable(run.label) if unique else f"{printable(run.label)} ({printable(run.id)})"
    time = {"time": f"{run.wall_s:f}"} if run.wall_s else {}
    case = Element("testcase", {"name": name, **time, "classname": printable(report.experiment)})
    properties = SubElement(case, "properties")
    for row in PROPERTIES:
        if (value := row.value(run)) not in (None, ""):
            SubElement(properties, "property", {"name": row.key, "value": printable(str(value))})
    if run.error:
        return _with_error(case, run.error)
    if not run.complete:
        SubElement(case, "error", {"type": "interrupted", "message": f"interrupted after {run.samples} samples"})
    for check in report.checks_of(run):
        if not check.passed:
            SubElement(case, "failure", {"type": printable(check.name), "message": printable(str(check))})
    return case


def _with_error(case: Element, error: RunError) -> Element:
    where = f"in: {printable(error.where)}\n" if error.where else ""
    hint = f"hint: {printable(error.hint)}" if error.hint else ""
    told = {"type": printable(error.kind), "message": printable(error.message)}
    SubElement(case, "error", told).text = where + hint
    return case


def _unfinished(report: Report) -> Element:
    """Half a report must not look like a good one."""
    case = Element("testcase", {"name": "all runs", "classname": printable(report.experiment)})
    if report.error:
        return _with_error(case, report.error)
    of = "" if report.planned is None else f" of {report.planned}"
    told = f"the experiment was interrupted after {len(report.runs)}{of} runs"
    SubElement(case, "error", {"type": "interrupted", "message": told})
    return case
