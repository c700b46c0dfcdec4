"""Comparison -> what people read of it: the same words and rows in the console, in Markdown and in JUnit."""

from collections.abc import Iterator, Sequence

from mcusim.comparison.comparison import Change, Comparison, RunComparison
from mcusim.comparison.wording import difference, exact, relative
from mcusim.comparison.wording import told as told_of_limit
from mcusim.reports.decisions import Decisions
from mcusim.reports.figures import FIGURES
from mcusim.tasks.figure import Value

HEADINGS = ("model", "type", "board", "figure", "before", "now", "change", "%")
NAMES = 4  # columns that are no numbers
MOST_RUNS, MOST_NAMED, MOST_SAMPLES, MOST_FUNCTIONS = 100, 3, 10, 5
SHORT_COMMIT = 12


def title(comparison: Comparison) -> str:
    names = dict.fromkeys(report.experiment for report in comparison.head.reports)
    return ", ".join([*names][:MOST_NAMED]) + (", .." if len(names) > MOST_NAMED else "")


def summary(comparison: Comparison) -> str:
    """`6 runs: 1 better, 2 worse, 3 equal`"""
    count = len(comparison.runs)
    if comparison.is_first:
        return f"there is no report at {str(comparison.base.path)!r} to compare with yet: nothing is held, all is new"
    states = ((len(comparison.of(state)), state) for state in ("changed", "new", "vanished", "equal"))
    told = ", ".join(f"{number:,} {state}" for number, state in states if number)
    return f"{count:,} run{'s' if count != 1 else ''}: {told}" if count else "no runs on either side"


def commits(comparison: Comparison) -> str:
    """`commit 0123456789ab -> 89abcdef0123 (with changes)`; empty where nobody knows."""
    sides = (comparison.base.commits, comparison.head.commits)
    one, other = (", ".join(map(_commit, side[:MOST_NAMED])) or "not known" for side in sides)
    if sides[0] == sides[1]:
        return f"commit {one} on both sides" if sides[0] else ""
    return f"commit {one} -> {other}"


def _commit(commit: str) -> str:
    return commit[:SHORT_COMMIT] + (" (with changes)" if commit.endswith("+") else "")


def changed_runs(comparison: Comparison) -> Sequence[RunComparison]:
    """Those that broke a limit first, then in the order of HEAD."""
    return sorted(comparison.of("changed"), key=lambda run: all(held.passed for held in run.held))[:MOST_RUNS]


def rows(run: RunComparison) -> Iterator[tuple[str, ...]]:
    """One for each figure that people know by a word and that changed; names stand in the first."""
    names: tuple[str, ...] = (run.run.model_label, run.run.type_label, run.run.board_label)
    if _failed(run):
        before, now = ("failed" if one and one.error else "ran" for one in (run.base, run.head))
        yield *names, "", before, now, "", ""
    for change in known_changes(run):
        before, now = (_number(change.key, value) for value in (change.base, change.head))
        yield *names, _label(change.key), before, now, difference(change), relative(change).removesuffix(" %")
        names = ("", "", "")


def known_changes(run: RunComparison) -> Sequence[Change]:
    """Of the figures that people know by a word; none of a run that failed."""
    return [] if _failed(run) else [change for change in run.changed if change.figure.word or change.figure.heading]


def _failed(run: RunComparison) -> bool:
    """What did not run has no figures to compare."""
    return any(one is not None and one.error for one in (run.base, run.head))


def _label(key: str) -> str:
    name, unit = FIGURES[key].name, _unit(key)
    return name if not unit or unit in name else f"{name} {unit}"


def _number(key: str, value: Value) -> str:
    if value is None:
        return "-"
    return exact(FIGURES[key], value).removesuffix(f" {_unit(key)}")


def _unit(key: str) -> str:
    """As `exact` writes it."""
    unit = FIGURES[key].unit
    return "%" if unit == "share" else unit


def lines(run: RunComparison) -> Iterator[str]:
    """What explains a run's changes."""
    if run.head and run.head.error:
        yield f"failed now: {run.head.error.message}"
    if run.base and run.base.error:
        yield f"failed before: {run.base.error.message}"
    if _failed(run):
        return
    yield from run.reasons
    for found in run.decisions:
        if found.worse or found.better:
            yield of_decisions(found)
    if run.functions:
        told = [f"{one.name} {one.base:,.0f} -> {one.head:,.0f}" for one in run.functions[:MOST_FUNCTIONS]]
        more = len(run.functions) - MOST_FUNCTIONS
        yield "cycles of functions: " + ", ".join(told) + (f", {more} more" if more > 0 else "")
    told_before = {change.figure.place for change in known_changes(run)}
    others = [change.key for change in run.changed if change.figure.place not in told_before]
    if others:
        yield f"also changed: {', '.join(others)}"
    if not (run.changed or run.reasons) and run.layers:
        yield f"no figure changed, but layers did: {', '.join(layer.name for layer in run.layers[:MOST_NAMED])}"


def of_decisions(found: Decisions) -> str:
    """`changed 12 right -> wrong, 9 wrong -> right, p = 0.66`"""
    of = f" of output {found.output!r}" if found.output else ""
    told = f"decisions{of}: changed {len(found.worse):,} right -> wrong, {len(found.better):,} wrong -> right"
    samples = ""
    if found.worse:
        first = ", ".join(map(str, found.worse[:MOST_SAMPLES])) + (", .." if len(found.worse) > MOST_SAMPLES else "")
        samples = f"; wrong now: sample{'s' if len(found.worse) > 1 else ''} {first}"
    return f"{told}, p = {found.p:.2g}{samples}"


def remarks(comparison: Comparison) -> list[str]:
    """New and vanished runs, what was not the same, and how many runs are not told."""
    told = []
    for state in ("new", "vanished"):
        if not comparison.is_first and (found := comparison.of(state)):
            told.append(f"{state}: {_several(found)}")
    if comparison.base.files and comparison.base.files == comparison.head.files:
        told.append("BASE and HEAD are the same file")
    if not all(report.complete for report in comparison.head.reports):
        told.append("HEAD is not complete: the experiment was interrupted, or is still running")
    unheld = [(run, held) for run, held in comparison.held if held.passed and held.reason]
    told += [f"not held: {run.run.label}: {told_of_limit(held)}" for run, held in unheld[:MOST_RUNS]]
    told += _about(comparison)
    if (more := len(comparison.of("changed")) - MOST_RUNS) > 0:
        told.append(f"{more:,} more runs changed: --json tells of all")
    return told


def _about(comparison: Comparison) -> list[str]:
    both = [run for run in comparison.runs if run.base and run.head]
    found: dict[str, list[RunComparison]] = {}
    for run in both:
        for one in run.unlike:
            line = f"another {one.what}, {one.base} -> {one.head}: {one.means}"
            found.setdefault(line, []).append(run)
    return [line if len(runs) == len(both) else f"{line} ({_several(runs)})" for line, runs in found.items()]


def _several(runs: Sequence[RunComparison]) -> str:
    more = len(runs) - MOST_NAMED
    return "; ".join(run.run.label for run in runs[:MOST_NAMED]) + (f"; {more:,} more" if more > 0 else "")


def limits(comparison: Comparison) -> str:
    """`limits: 5 of 6 kept`; empty where there are none, or nothing to hold."""
    every = [held for _, held in comparison.held if not (held.passed and held.reason)]
    return f"limits: {len(every) - len(comparison.broken):,} of {len(every):,} kept" if every else ""


def broken(comparison: Comparison) -> list[str]:
    found = [f"{run.run.label}: {told_of_limit(held)}" for run, held in comparison.broken]
    more = len(found) - MOST_RUNS
    return found[:MOST_RUNS] + ([f"{more:,} more limits are broken"] if more > 0 else [])
