"""JUnit XML: readable by any parser, one test case for each run and for each budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.reports.report import Check, Report, RunError
from mcusim.reports.to_junit import render
from tests.reports.reports import empty_report, full_report, good_run, hostile_report

Golden = Callable[[str, str], None]


def parsed(report: Report) -> ElementTree.Element:
    return ElementTree.fromstring(render(report).encode())


def test_golden(golden: Golden) -> None:
    golden("full.xml", render(full_report()))


@pytest.mark.parametrize("make", [full_report, hostile_report, empty_report])
def test_any_parser_reads_it(make: Callable[[], Report]) -> None:
    assert parsed(make()).tag == "testsuites"


def test_a_test_case_for_each_run_and_one_for_each_budget() -> None:
    cases = {case.get("name", ""): case for case in parsed(full_report()).iter("testcase")}
    good, wrong, failed = (
        f"cnn{of}"
        for of in (", int8, nucleo_l452re_p", " #2, int16 Q7.9 floor, sparkfun_edge", ", int9, sparkfun_edge")
    )
    assert cases[good].get("classname") == "gestures"
    for kept in (good, f"{good}: accuracy_min", wrong):
        assert not [*cases[kept].iter("failure"), *cases[kept].iter("error")]
    broken = [cases[f"{wrong}: {name}"].find("failure") for name in ("accuracy_min", "rom_bytes_max", "latency_ms_max")]
    assert [one.get("type") for one in broken if one is not None] == ["accuracy_min", "rom_bytes_max", "latency_ms_max"]
    [error] = cases[failed].iter("error")
    assert error.get("type") == "EngineError" and "nn_dense.h:31" in (error.text or "")
    [budget] = cases[f"{failed}: accuracy_min"]
    assert budget.tag == "skipped", "one verdict is enough"


def test_the_suite_counts() -> None:
    [suite] = parsed(full_report())
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "9", "failures": "3", "errors": "1", "skipped": "1"}


def test_a_budget_has_the_file_and_line_where_it_stands() -> None:
    """Also in the text of its failure: readers look for `file:line` there."""
    kept, broken, *_ = full_report().checks
    told = dataclasses.replace(full_report(), file="nets/exp.toml", checks=(kept, dataclasses.replace(broken, line=7)))
    cases = [case for case in parsed(told).iter("testcase") if "accuracy_min" in case.get("name", "")]
    assert [(case.get("file"), case.get("line")) for case in cases] == [("nets/exp.toml", None), ("nets/exp.toml", "7")]
    [failure] = cases[1]
    assert (failure.text or "").startswith(
        "nets/exp.toml:7: cnn #2, int16 Q7.9 floor, sparkfun_edge: accuracy 92.7384 %"
    )
    assert not parsed(full_report()).findall(".//testcase[@file]"), "of older versions"


def test_figures_are_properties_of_the_test_case() -> None:
    case = next(parsed(full_report()).iter("testcase"))
    assert case[0].tag == "properties"
    figures = {entry.get("name"): entry.get("value") for entry in case[0]}
    assert figures["accuracy"] == "0.927383780115372"
    assert figures["rom_bytes.total"] == "24000" and figures["instructions.mean"] == "1234567.25"
    assert "latency_ms" not in figures, "what nobody knows is left out"


def test_runs_with_the_same_label_can_be_told_apart() -> None:
    twice = (good_run(), dataclasses.replace(good_run(), id="other", calibration_samples=5))
    names = [
        case.get("name") for case in parsed(dataclasses.replace(full_report(), runs=twice, checks=())).iter("testcase")
    ]
    assert len(set(names)) == 2


def test_half_a_report_is_no_good_one() -> None:
    [case] = parsed(empty_report()).iter("testcase")
    assert case.find("error") is not None
    interrupted = dataclasses.replace(good_run(), complete=False, samples=5)
    cases = list(parsed(dataclasses.replace(empty_report(), runs=(interrupted,))).iter("testcase"))
    errors = [(error.get("type"), error.get("message")) for case in cases for error in case.iter("error")]
    assert errors == [
        ("interrupted", "interrupted after 5 samples"),
        ("interrupted", "the experiment was interrupted after 1 runs"),
    ]


def test_an_error_tells_where_and_what_to_do_as_far_as_that_is_known() -> None:
    def text(error: RunError) -> str | None:
        failed = dataclasses.replace(good_run(), error=error)
        [found] = parsed(dataclasses.replace(full_report(), runs=(failed,), checks=())).iter("error")
        return found.text

    assert text(RunError("EngineError", "it hangs", "a.h:3", "look there")) == "in: a.h:3\nhint: look there"
    assert text(RunError("EngineError", "it hangs", None, "look there")) == "hint: look there"
    assert not text(RunError("EngineError", "it hangs"))


@given(st.text(max_size=60))
def test_any_name_is_read_by_any_parser(name: str) -> None:
    error = RunError(name, name, name, name)
    runs = (
        dataclasses.replace(good_run(), model=name, notes=(name,)),
        dataclasses.replace(good_run(), id="f", error=error),
    )
    check = Check(name, good_run().id, 1, None, False, name)
    report = dataclasses.replace(full_report(), experiment=name, started=name, runs=runs, checks=(check,))
    assert len([*parsed(report).iter("testcase")]) == 3
