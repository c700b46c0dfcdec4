"""Two reports, or folders of them -> Comparison."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mcusim.comparison.comparison import Comparison, RunComparison, Side
from mcusim.comparison.differences import changes, layer_changes
from mcusim.comparison.find import find
from mcusim.comparison.functions import function_changes
from mcusim.comparison.hold import hold
from mcusim.comparison.limits import Limit, read_limits
from mcusim.comparison.pairs import Pair, pairs
from mcusim.comparison.reasons import reasons
from mcusim.comparison.unlike import unlike
from mcusim.reports.decisions import decisions
from mcusim.reports.report import Report
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.system.validation import Unusable

MOST_PRICED = 5  # runs whose recordings are priced: each takes a tenth of a second


def compare(base: Path, head: Path, limits: Mapping[str, Limit]) -> Comparison:
    """`limits` by name replace those that the reports of HEAD keep.

    There may be nothing at BASE yet. Raises ConfigurationError when there is nothing at HEAD, DataError for what is no
    report.
    """
    before, after = find(base), find(head)
    if not after.reports:
        hint = "give the folder of a run, or its report.json: mcusim run writes it into --out"
        raise ConfigurationError(f"there is no report at {head.name!r}", where=str(head), hint=hint)
    return compare_sides(before, after, limits)


def compare_sides(base: Side, head: Side, limits: Mapping[str, Limit]) -> Comparison:
    """Likewise, of reports that were read."""
    kept = {id(report): {**_kept(report), **limits} for report in head.reports}
    cut_short = {
        name: limit for report in head.reports if not report.complete for name, limit in kept[id(report)].items()
    }
    every = pairs(base, head)
    runs = [_compare(pair, kept.get(id(pair.head_report), cut_short)) for pair in every]
    slower = [number for number, run in enumerate(runs) if _moved(run)]
    for number in sorted(slower, key=lambda number: -_moved(runs[number]))[:MOST_PRICED]:
        runs[number] = replace(runs[number], functions=function_changes(every[number]))
    return Comparison(base, head, tuple(runs))


def _kept(report: Report) -> dict[str, Limit]:
    try:
        limits = read_limits(report.regress)
    except Unusable as error:
        hint = f"{error.hint}; [regress] of the experiment that it is of, and a run of that, mend it"
        raise DataError(str(error), where=f"'regress' of the report of {report.experiment!r}", hint=hint) from None
    lines = report.regress_lines
    return {name: replace(limit, file=report.file, line=lines.get(name)) for name, limit in limits.items()}


def _compare(pair: Pair, limits: Mapping[str, Limit]) -> RunComparison:
    found = RunComparison(pair.experiment, pair.base, pair.head, changes(pair.base, pair.head))
    if pair.base is None:
        return found
    found = replace(found, held=hold(pair.base, pair.head, limits))
    if pair.head is None:
        return found
    found = replace(
        found,
        layers=layer_changes(pair.base, pair.head),
        decisions=decisions(pair.base, pair.head),
        unlike=unlike(pair),
    )
    return replace(found, reasons=reasons(found))


def _moved(run: RunComparison) -> float:
    """By how much cycles changed, as a share."""
    change = run.change("cycles.mean")
    return abs(change.relative or 0.0) if change else 0.0
