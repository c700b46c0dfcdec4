"""Report -> JUnit XML: a test case for each run and one for each of its budgets; errors of runs that failed.

Figures are properties of the run's test case, where pytest puts them too and where CI systems look for them. A budget
has the `file` and `line` of the experiment where it stands.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mcusim.reports.figures import PROPERTIES
from mcusim.reports.report import Check, Report, Run, RunError
from mcusim.system.names import printable
from mcusim.tasks.figure import Figure

KINDS = {"failures": "failure", "errors": "error", "skipped": "skipped"}


def render(report: Report) -> str:
    cases = [case for group in groups(report) for case in group]
    counts = {"disabled": "0", **counted(cases), "time": seconds(sum(run.wall_s or 0 for run in report.runs))}
    told = {**counts, "name": f"mcusim: {printable(report.experiment)}", "timestamp": printable(report.started)}
    suite = Element("testsuite", told)
    suite.extend(cases)
    del counts["skipped"]
    return document([suite], **counts)


def document(suites: Sequence[Element], **counts: str) -> str:
    """All of a file."""
    top = Element("testsuites", counts)
    top.extend(suites)
    indent(top, "\t")
    return f'<?xml version="1.0" ?>\n{tostring(top, encoding="unicode")}\n'


def counted(cases: Sequence[Element]) -> dict[str, str]:
    """Attributes of a suite of these test cases."""
    found = {name: str(sum(case.find(kind) is not None for case in cases)) for name, kind in KINDS.items()}
    return {"tests": str(len(cases)), **found}


def seconds(number: float) -> str:
    """With three decimals: more are refused by some."""
    return f"{number:.3f}"


def place(file: str | None, line: int | None) -> dict[str, str]:
    """Attributes of a test case: where the experiment asks for it, as far as that is known."""
    return ({"file": printable(file)} if file else {}) | ({"line": str(line)} if line else {})


def names(runs: Sequence[tuple[str, str]]) -> list[str]:
    """Of the test cases of runs, by label and id: labels, with the id where several have one."""
    labels = Counter(label for label, _ in runs)
    return [printable(label if labels[label] == 1 else f"{label} ({own})") for label, own in runs]


def groups(report: Report) -> Iterator[list[Element]]:
    """The test cases of each run, its own first; in the end what is missing."""
    for run, name in zip(report.runs, names([(run.label, run.id) for run in report.runs]), strict=True):
        yield [_of_run(report, run, name), *(_of_budget(report, run, check, name) for check in report.checks_of(run))]
    if not report.complete:
        yield [_unfinished(report)]


def properties(run: Run) -> Iterator[tuple[str, str]]:
    """What is known of it: name and value. Of a run that failed halfway no figure: it would be read as that of all."""
    rows = (row for row in PROPERTIES if not (run.failed_halfway and isinstance(row, Figure)))
    for row in rows:
        if (value := row.value(run)) not in (None, ""):
            yield row.key, printable(str(value))


def _of_run(report: Report, run: Run, name: str) -> Element:
    case = _case(report, name, run.wall_s or 0)
    told = SubElement(case, "properties")
    for key, value in properties(run):
        SubElement(told, "property", {"name": key, "value": value})
    if run.error:
        return _with_error(case, run.error)
    if not run.complete:
        SubElement(case, "error", {"type": "interrupted", "message": f"interrupted after {run.samples} samples"})
    return case


def _of_budget(report: Report, run: Run, check: Check, name: str) -> Element:
    """Of a run that failed it is skipped: one verdict is enough."""
    case = _case(report, f"{name}: {printable(check.name)}", 0, check.line)
    if run.error:
        SubElement(case, "skipped", {"message": "the run failed"})
    elif not check.passed:
        told = {"type": printable(check.name), "message": printable(str(check))}
        place = f"{report.file}:{check.line}: " if report.file and check.line else ""
        SubElement(case, "failure", told).text = printable(f"{place}{run.label}: {check}")
    return case


def _case(report: Report, name: str, time_s: float, line: int | None = None) -> Element:
    told = {"name": name, "time": seconds(time_s), "classname": printable(report.experiment)}
    return Element("testcase", {**told, **place(report.file, line)})


def _with_error(case: Element, error: RunError) -> Element:
    where = f"in: {printable(error.where)}\n" if error.where else ""
    hint = f"hint: {printable(error.hint)}" if error.hint else ""
    told = {"type": printable(error.kind), "message": printable(error.message)}
    SubElement(case, "error", told).text = where + hint
    return case


def _unfinished(report: Report) -> Element:
    """Half a report must not look like a good one."""
    case = _case(report, "all runs", 0)
    if report.error:
        return _with_error(case, report.error)
    of = "" if report.planned is None else f" of {report.planned}"
    told = f"the experiment was interrupted after {len(report.runs)}{of} runs"
    SubElement(case, "error", {"type": "interrupted", "message": told})
    return case
