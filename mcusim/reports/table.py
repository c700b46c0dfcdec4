"""Report -> the table, errors and remarks that people read: the same ones in the console and in Markdown."""

from collections.abc import Iterator, Sequence
from itertools import combinations, islice

from mcusim.reports.decisions import decisions
from mcusim.reports.figures import COLUMNS, FIGURES, OF_TASKS
from mcusim.reports.measured import pairs
from mcusim.reports.report import Report, Run, RunError
from mcusim.tasks.figure import Figure
from mcusim.timing.timing import plus_minus, told_error

NAMES = ("model", "type", "board")  # columns that tell which run it is
MANY = 1000  # runs, of which notes name boards alone
CACHED = "cached: not run again, an earlier run of the same firmware and samples saw this (--cache)"
BROKEN = "!"  # before a figure that broke its budget


def table(report: Report) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and rows, names as users gave them. Columns of which no run knows anything are left out."""
    columns = _columns(report)
    rows = [_row(report, run, columns) for run in report.runs]
    return (*NAMES, *(figure.heading for figure in columns)), rows


def summary(report: Report) -> str:
    """`6 runs, 360 test samples each, 0 mismatches`: what is true of all runs and needs no column."""
    counts = sorted({run.samples for run in report.runs if not run.error})
    count = len(report.runs)
    whole = count == report.planned or report.planned is None
    told = [str(report.shard)] if report.shard else []
    told += [f"{count} run{'s' if count != 1 else ''}" if whole else f"{count} of {report.planned} runs"]
    if counts:
        numbers = " to ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))
        told += [f"{numbers} test samples each"]
    told += [f"{figure.show(figure.expected)} {figure.word}" for figure in COLUMNS if _is_as_expected(report, figure)]
    return ", ".join(told)


def _columns(report: Report) -> tuple[Figure, ...]:
    """The first is there in any case: what went wrong is told in it."""
    known = tuple(figure for figure in COLUMNS if _is_known(report, figure) and not _is_as_expected(report, figure))
    known = tuple(figure for figure in known if not (figure.unless and _is_known(report, FIGURES[figure.unless])))
    scores = tuple(figure for figure in known if figure in OF_TASKS)
    return known if scores else (COLUMNS[0], *known)


def _is_known(report: Report, figure: Figure) -> bool:
    return any(figure.cell(run) for run in report.runs if not run.failed_halfway)


def _is_as_expected(report: Report, figure: Figure) -> bool:
    values = {figure.value(run) for run in report.runs if not run.error}
    return figure.expected is not None and values == {figure.expected}


def _row(report: Report, run: Run, columns: Sequence[Figure]) -> tuple[str, ...]:
    names = run.model_label, run.type_label, run.board_label
    if run.failed_halfway:
        return *names, "failed", *("" for _ in columns[1:])
    broken = {check.figure for check in report.checks_of(run) if not check.passed and not run.error}
    first, *others = (f"{BROKEN if figure in broken else ''}{figure.cell(run)}" for figure in columns)
    return *names, "failed" if run.error else first, *others


def failures(report: Report) -> dict[RunError, list[Run]]:
    """Each error once, with the runs that it ended; none where it ended all before the first."""
    found: dict[RunError, list[Run]] = {report.error: []} if report.error else {}
    for run in report.runs:
        if run.error:
            found.setdefault(run.error, []).append(run)
    return found


def error_lines(error: RunError, runs: Sequence[Run]) -> list[str]:
    """The error as the command line prints one, and where it happened."""
    lines = [f"error: {error.message}"]
    lines += [f"  in: {error.where}"] if error.where else []
    lines += [f"  hint: {error.hint}"] if error.hint else []
    return [*lines, f"  failed: {'; '.join(run.label for run in runs)}"] if runs else lines


def remarks(report: Report) -> list[str]:
    """What a reader should know beside table and errors: interruptions, mismatches, notes."""
    lines = []
    for run in report.runs:
        if run.failed_halfway or not (run.complete or run.error):
            told = "failed" if run.error else "interrupted"
            lines.append(f"{told}: {run.label} after {run.samples:,} samples")
        if run.first_mismatch:
            first = run.first_mismatch
            lines.append(
                f"first mismatch: {run.label}: sample {first.sample}, output {first.output}: "
                f"expected {_number(first.expected)}, got {_number(first.got)}"
            )
    lines += map(str, report.repeats)
    lines += _about(report, [(f"no latency: {run.no_cycles}", run) for run in report.runs if run.no_cycles])
    lines += _about(report, [told for run in report.runs for told in _of_error(run)])
    lines += _about(report, [(CACHED, run) for run in report.runs if run.cached])
    lines += _about(report, list(_of_variants(report)))
    lines += _about(report, [(f"outputs: {told}", run) for run in report.runs if (told := _of_outputs(run))])
    if report.shard:
        lines.append(f"part of an experiment: `mcusim merge` puts {report.shard.of} together, and judges budgets")
    if not report.complete and not report.error:
        lines.append("not complete: the experiment was interrupted, or is still running")
    both = list(pairs(report.runs))
    lines += _about(report, [(str(pair), pair.counted) for pair in both])
    lines += _about(report, [(told, pair.counted) for pair in both if (told := pair.of_layers)])
    lines += _of_models(report, "normalization", "normalization")
    lines += _of_models(report, "no float proof", "no_float_proof")
    return lines + _about(report, [(f"note: {note}", run) for run in report.runs for note in run.notes])


def _of_error(run: Run) -> Iterator[tuple[str, Run]]:
    """What ± is, or why there is none."""
    if run.cycles and run.cycles.error_pct:
        error = run.cycles.error_pct
        yield f"latency and energy {plus_minus(error)}: {told_error(error)}", run
    elif run.cycles and run.cycles.no_error_pct:
        yield f"latency and energy without ±: {run.cycles.no_error_pct}", run


def _of_variants(report: Report) -> Iterator[tuple[str, Run]]:
    bases: dict[tuple[object, ...], Run] = {}
    for run in report.runs:
        base = bases.setdefault((run.model_label, run.quantization, run.board_label), run)
        if base.variant != run.variant and not base.error and not run.error:
            yield from _of_variant(base, run)


def _of_variant(base: Run, run: Run) -> Iterator[tuple[str, Run]]:
    """What became of the decisions of the first of its kind. Chance is what McNemar's test says."""
    for found in decisions(base, run):
        worse, better = len(found.worse), len(found.better)
        points = f"{100 * (better - worse) / found.samples:+.2f} points"
        output = f" in {found.output!r}" if found.output else ""
        yield f"against {base.variant!r}{output}: {points}, {worse:,} worse, {better:,} better, p = {found.p:.2g}", run


def _of_models(report: Report, title: str, key: str) -> list[str]:
    """What a key says of the models: one line where it is the same for all, else one with their names for each."""
    models: dict[str, dict[str, None]] = {}
    for run in report.runs:
        if told := getattr(run, key):
            models.setdefault(told, {})[run.model] = None
    every = {run.model for run in report.runs if not run.error}
    return [
        f"{title}: {told}" if every <= names.keys() else f"{title} ({', '.join(names)}): {told}"
        for told, names in models.items()
    ]


def _about(report: Report, told: Sequence[tuple[str, Run]]) -> list[str]:
    """Each line once, with the models, data types and boards that it is told of: `note (int8): ..`."""
    runs: dict[str, list[Run]] = {}
    for line, run in told:
        runs.setdefault(line, []).append(run)
    lines, boards = [], {run.board_label for run in report.runs}
    for line, some in runs.items():
        told_of = {run.id for run in some}
        if len(report.runs) > MANY:
            own = dict.fromkeys(run.board_label for run in some)
            which = [*own] if own.keys() < boards else []
        else:
            which = _which(some, [run for run in report.runs if not run.error or run.id in told_of])
        names = ", ".join(which)
        lines.append(line.replace(":", f" ({names}):", 1) if names else line)
    return lines


def _which(some: Sequence[Run], every: Sequence[Run]) -> list[str]:
    """The fewest names that tell some runs from the others: boards, else data types, models, or several."""
    parts = {run.id: (run.board_label, run.type_label, run.model_label) for run in every}
    meant = {run.id for run in some}
    for count in range(4):
        for chosen in combinations(range(3), count):
            own = [dict.fromkeys(parts[run.id][at] for run in some) for at in chosen]
            fits = {
                one
                for one, its in parts.items()
                if all(its[at] in names for at, names in zip(chosen, own, strict=True))
            }
            if fits == meant or count == 3:
                return [name for names in reversed(own) for name in names]
    return []


def _of_outputs(run: Run) -> str:
    """Of several outputs the table has the worst: here is each, with the first score that it has."""
    told: list[str] = []
    for output in () if run.failed_halfway else run.outputs:
        of_it = (one for one in COLUMNS if one.key == "accuracy" or one.key.startswith("scores."))
        known = ((one, value) for one in of_it if (value := one.value(output)) is not None)
        for one, value in islice(known, 1):
            told.append(f"{output.name} {one.word} {one.show(value)}{' %' * (one.unit == 'share')}")
    return ", ".join(told)


def _number(value: int | float | None) -> str:
    """Nine digits tell two float32 apart."""
    return "NaN or infinity" if value is None else str(value) if isinstance(value, int) else f"{value:.9g}"
