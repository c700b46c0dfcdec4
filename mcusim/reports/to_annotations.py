"""Report -> workflow commands of GitHub: what is wrong, shown at its line of the experiment file in a pull request."""

from collections.abc import Iterator

from mcusim.reports.report import Report, RunError
from mcusim.system.names import printable, shortened

MOST = 10  # errors of a step: GitHub drops what comes after them


def render(report: Report) -> str:
    found = list(_annotations(report))
    rest = len(found) - MOST + 1
    if rest > 1:
        found[MOST - 1 :] = [_annotation(report, "mcusim", f"{rest} more: see the report")]
    return "".join(f"{line}\n" for line in found)


def _annotations(report: Report) -> Iterator[str]:
    if report.error:
        yield _annotation(report, "mcusim", _told(report.error))
    for run in report.runs:
        if run.error:
            yield _annotation(report, run.label, _told(run.error))
        elif not run.complete:
            yield _annotation(report, run.label, f"interrupted after {run.samples} samples")
        else:
            broken = (check for check in report.checks_of(run) if not check.passed)
            yield from (_annotation(report, run.label, str(check), check.line) for check in broken)


def _told(error: RunError) -> str:
    hint = f"; {error.hint}" if error.hint else ""
    return f"{error.message}{hint}"


def _annotation(report: Report, title: str, message: str, line: int | None = None) -> str:
    """`line`: GitHub takes the first where there is none."""
    places = {"file": report.file, "line": line if report.file else None, "title": title}
    given = ",".join(f"{key}={_property(str(value))}" for key, value in places.items() if value is not None)
    return f"::error {given}::{_data(message)}"


def _data(text: str) -> str:
    """A command ends with its line, which no name does once it is printable."""
    return shortened(printable(text)).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
