"""Comparison -> JUnit XML: a test case for each limit of each run; of a run without limits one that passes."""

from xml.etree.ElementTree import Element, SubElement

from mcusim.comparison.comparison import Comparison, Held, RunComparison
from mcusim.comparison.told import lines, title
from mcusim.comparison.wording import told
from mcusim.reports.to_junit import counted, document, place
from mcusim.system.names import printable


def render(comparison: Comparison) -> str:
    cases = [case for run in comparison.runs for case in _cases(run)]
    found = counted(cases)
    counts = {name: found[name] for name in ("tests", "errors", "failures")}
    named = {"name": f"mcusim compare: {printable(title(comparison))}", **counts, "skipped": found["skipped"]}
    suite = Element("testsuite", {**named, "time": "0"})
    suite.extend(cases)
    return document([suite], disabled="0", **counts, time="0")


def _cases(run: RunComparison) -> list[Element]:
    if not run.held:
        case = _case(run, "")
        if run.state in ("new", "vanished"):
            SubElement(case, "skipped", {"message": f"{run.state}: there is nothing to compare with"})
        return [case]
    return [_of_limit(run, held) for held in run.held]


def _of_limit(run: RunComparison, held: Held) -> Element:
    case = _case(run, f": {held.limit.name} {held.limit.text}")
    case.attrib.update(place(held.limit.file, held.limit.line))
    if held.passed and held.reason:
        SubElement(case, "skipped", {"message": printable(told(held))})
    if not held.passed:
        failure = SubElement(case, "failure", {"type": held.limit.name, "message": printable(told(held))})
        failure.text = "\n".join(map(printable, lines(run)))
    return case


def _case(run: RunComparison, limit: str) -> Element:
    time = {"time": "0", "classname": printable(run.experiment)}
    return Element("testcase", {"name": printable(f"{run.run.label}{limit}"), **time})
