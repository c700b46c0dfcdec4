"""Report -> workflow commands of GitHub: what is wrong, shown at its line of the experiment file in a pull request."""

from collections.abc import Iterable, Iterator

from mcusim.reports.report import Report, RunError
from mcusim.system.names import printable, shortened

MOST = 10  # errors of a step: GitHub drops what comes after them


def render(report: Report) -> str:
    return lines(_annotations(report), report.file)


def lines(annotations: Iterable[str], file: str | None = None) -> str:
    """As many as GitHub shows; the last tells how many more there are."""
    found = list(annotations)
    rest = len(found) - MOST + 1
    if rest > 1:
        found[MOST - 1 :] = [annotation("mcusim", f"{rest} more: see the report", file)]
    return "".join(f"{line}\n" for line in found)


def _annotations(report: Report) -> Iterator[str]:
    if report.error:
        yield annotation("mcusim", _told(report.error), report.file)
    for run in report.runs:
        if run.error:
            yield annotation(run.label, _told(run.error), report.file)
        elif not run.complete:
            yield annotation(run.label, f"interrupted after {run.samples} samples", report.file)
        else:
            broken = (check for check in report.checks_of(run) if not check.passed)
            yield from (annotation(run.label, str(check), report.file, check.line) for check in broken)


def _told(error: RunError) -> str:
    hint = f"; {error.hint}" if error.hint else ""
    return f"{error.message}{hint}"


def annotation(title: str, message: str, file: str | None = None, line: int | None = None) -> str:
    """`line` of the file: GitHub takes the first where there is none."""
    places = {"file": file, "line": line if file else None, "title": title}
    told = {key: _data(str(value)) for key, value in places.items() if value is not None}
    given = ",".join(f"{key}={value.replace(':', '%3A').replace(',', '%2C')}" for key, value in told.items())
    return f"::error {given}::{_data(message)}"


def _data(text: str) -> str:
    """A command ends with its line, which no name does once it is printable."""
    return shortened(printable(text)).replace("%", "%25")
