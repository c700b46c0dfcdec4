"""Report -> JUnit XML that is valid for the xUnit plug-in of Jenkins: a suite for each run, with its figures.

Its schema knows no properties, `file` or `line` of a test case. Properties and file are those of the suite; the line
stands in the text of a failure.
"""

from xml.etree.ElementTree import Element, SubElement

from mcusim.reports.report import Report
from mcusim.reports.to_junit import counted, document, groups
from mcusim.system.names import printable


def render(report: Report) -> str:
    return document([_suite(report, cases) for cases in groups(report)])


def _suite(report: Report, cases: list[Element]) -> Element:
    own = cases[0]
    told = {"name": own.get("name", ""), **counted(cases), "time": own.get("time", "0")}
    place = {"file": printable(report.file)} if report.file else {}
    suite = Element("testsuite", {**told, **place, "timestamp": printable(report.started)})
    if (figures := own.find("properties")) is not None:
        own.remove(figures)
        SubElement(suite, "properties").extend(figures)
    for case in cases:
        for name in ("file", "line"):
            case.attrib.pop(name, None)
    suite.extend(cases)
    return suite
