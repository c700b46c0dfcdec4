"""What the schema of Jenkins' xUnit plug-in (junit-10.xsd of its version 3.1.6) has no place for is not there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from mcusim.reports.report import Report
from mcusim.reports.to_xunit import render
from tests.reports.reports import empty_report, full_report, good_run, hostile_report

Golden = Callable[[str, str], None]
# Element: attributes that it may have, and elements that may be in it.
SCHEMA = {
    "testsuites": ("name time tests failures errors", "testsuite"),
    "testsuite": (
        "name tests failures errors group time skipped timestamp hostname id package file log url version",
        "testsuite properties testcase system-out system-err",
    ),
    "properties": ("", "property"),
    "property": ("name value", ""),
    "testcase": ("name time classname group", "skipped error failure system-out system-err"),
    **dict.fromkeys(("skipped", "error", "failure"), ("type message", "")),
}
REQUIRED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}, "property": {"name", "value"}}
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?")


def test_golden(golden: Golden) -> None:
    golden("full.xml", render(placed()))


def placed() -> Report:
    checks = tuple(dataclasses.replace(check, line=number) for number, check in enumerate(full_report().checks, 5))
    return dataclasses.replace(full_report(), file="nets/exp.toml", checks=checks)


@pytest.mark.parametrize("make", [placed, full_report, hostile_report, empty_report])
def test_the_schema_has_a_place_for_all_of_it(make: Callable[[], Report]) -> None:
    top = ElementTree.fromstring(render(make()).encode())
    for element in top.iter():
        attributes, inside = (set(words.split()) for words in SCHEMA[element.tag])
        assert set(element.keys()) <= attributes and {inner.tag for inner in element} <= inside
        assert REQUIRED.get(element.tag, set()) <= set(element.keys())
        assert element.tag != "testsuite" or TIME.fullmatch(element.get("time", ""))


def test_a_suite_for_each_run_has_its_figures_and_counts() -> None:
    suites = ElementTree.fromstring(render(placed()).encode())
    assert suites[0].get("name") == good_run().label
    told = [tuple(int(suite.get(key, "")) for key in ("tests", "failures", "errors", "skipped")) for suite in suites]
    assert told == [(2, 0, 0, 0), (1, 0, 0, 0), (4, 3, 0, 0), (2, 0, 1, 1)]
    assert all(suite.find("properties/property[@name='engine']") is not None for suite in suites)
    [first, *_] = suites[2].iter("failure")
    assert suites[2].get("file") == "nets/exp.toml" and (first.text or "").startswith("nets/exp.toml:6: ")
