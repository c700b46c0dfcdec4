"""Report -> JUnit XML: a test case for each run, a failure for each broken budget, an error for a run that failed.

Figures are properties of the test case, where pytest puts them too and where CI systems look for them.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from junit_xml import TestCase, TestSuite, to_xml_report_string

from mcusim.reports.report import Report, Run
from mcusim.system.names import printable

# Of a run's keys those that are one value; tables within (`rom_bytes`) become `rom_bytes.total`.
FIGURES = (
    *("data_type", "scheme", "rounding", "kernels", "engine", "engine_version", "compiler", "elf_sha256", "clock_hz"),
    *("parameters", "macs", "samples", "accuracy", "accuracy_float", "mismatches", "output_difference_max"),
    *("instructions", "cycles", "latency_ms", "energy_uwh", "rom_bytes", "ram_bytes"),
    *("arena_bytes", "arena_lower_bound_bytes", "arena_buffers_bytes", "emulated_mips"),
)


def render(report: Report) -> str:
    cases = [_case(report, run) for run in report.runs]
    if not report.complete:
        cases.append(_unfinished(report))
    suite = _Suite(f"mcusim: {printable(report.experiment)}", cases, timestamp=printable(report.started))
    suite.figures = [_properties(run) for run in report.runs]
    text: str = to_xml_report_string([suite])
    return text


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


def _case(report: Report, run: Run) -> Any:
    name = printable(run.label)
    if sum(other.label == run.label for other in report.runs) > 1:
        name = f"{name} ({printable(run.id)})"
    case = TestCase(
        name, classname=printable(report.experiment), elapsed_sec=run.wall_s, allow_multiple_subelements=True
    )
    if run.error:
        where = f"in: {printable(run.error.where)}\n" if run.error.where else ""
        hint = f"hint: {printable(run.error.hint)}" if run.error.hint else ""
        case.add_error_info(printable(run.error.message), where + hint, printable(run.error.kind))
        return case
    if not run.complete:
        case.add_error_info(f"interrupted after {run.samples} samples", error_type="interrupted")
    for check in report.checks_of(run):
        if not check.passed:
            case.add_failure_info(printable(str(check)), failure_type=printable(check.name))
    return case


def _unfinished(report: Report) -> Any:
    """Half a report must not look like a good one."""
    case = TestCase("all runs", classname=printable(report.experiment))
    case.add_error_info(f"the experiment was interrupted after {len(report.runs)} runs", error_type="interrupted")
    return case


def _properties(run: Run) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name in FIGURES:
        value = getattr(run, name)
        inner = vars(value) if hasattr(value, "__dataclass_fields__") else None
        for key, figure in {f"{name}.{k}": v for k, v in inner.items()}.items() if inner else [(name, value)]:
            if figure not in (None, ""):
                flat[key] = printable(str(figure))
    return flat
