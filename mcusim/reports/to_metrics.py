"""Report -> OpenMetrics text: every figure of every run, a gauge each, and whether budgets were kept."""

from collections.abc import Iterator, Sequence

from mcusim.reports.figures import FIGURES
from mcusim.reports.report import Report, Run, known
from mcusim.system.names import printable

Series = Sequence[tuple[str, int | float]]  # labels and value


def render(report: Report) -> str:
    lines: list[str] = []
    for figure in FIGURES.values():
        told = [(_labels(report, run), value) for run in report.runs if (value := known(run, figure)) is not None]
        unit = f"in {figure.unit}" if figure.unit else ""
        lines += _gauge(figure.key.replace(".", "_"), ": ".join(filter(None, (unit, figure.doc))), told)
    budgets = [(_labels(report, report.run(one.run), budget=one.name), int(one.passed)) for one in report.checks]
    lines += _gauge("budget_kept", "1 of a budget that was kept", budgets)
    return "\n".join([*lines, "# EOF", ""])


def _gauge(name: str, doc: str, series: Series) -> Iterator[str]:
    """Nothing where no run knows it."""
    if series:
        yield f"# TYPE mcusim_{name} gauge"
        yield f"# HELP mcusim_{name} {_escaped(doc)}"
        for labels, value in series:
            yield f"mcusim_{name}{labels} {value}"


def _labels(report: Report, run: Run, **more: str) -> str:
    """`run` is its id: no two series are alike."""
    of = {"experiment": report.experiment, "run": run.id, "model": run.model, "data_type": run.data_type}
    of |= {"board": run.board, "engine": run.engine, **more}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in of.items()) + "}"


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')
