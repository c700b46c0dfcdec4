"""Reports of shards -> Report, as one run of the experiment would have written it, but for times.

Shards are refused that are not parts of one whole: some are missing or there twice, others were interrupted, or are of
another experiment, commit, model, compiler or engine than the rest.
"""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from mcusim.comparison.find import find
from mcusim.line.agreement import agreed
from mcusim.line.budgets import judged
from mcusim.line.part import Outcome, Part, joined, outcome_of
from mcusim.line.part_file import unpacked
from mcusim.line.pictured import keep_of
from mcusim.line.preflight import check_out
from mcusim.line.sharding import PART
from mcusim.reports.beside import file_of
from mcusim.reports.repeats import repeated
from mcusim.reports.report import REPORT, Budget, Report, Run, Shard
from mcusim.system.errors import ConfigurationError, DataError, EngineError, McusimError
from mcusim.system.files import read_file, write_bytes
from mcusim.system.packed import LARGEST_BYTES, digest_of
from mcusim.system.version import VERSION
from mcusim.timing.recording import RECORDING
from mcusim.timing.stacks import STACKS

MOST_NAMED = 10
_BROKEN = (ValueError, TypeError, LookupError, OverflowError, MemoryError, RecursionError)
_AGAIN = "run it again: mcusim run EXPERIMENT.toml --shard {}"
_ONE_MACHINE = "run all shards with the same versions, as one container has them"

# What shards of one experiment have in common: of which runs, what to call it, what to do.
_ALIKE: tuple[tuple[str, tuple[str, ...], type[McusimError], str, str], ...] = (
    (
        "model_sha256",
        ("model", "repeat"),
        DataError,
        "another model",
        "train it once, and give all shards its file: mcusim train, then [[model]] file = ..",
    ),
    ("data_sha256", ("model", "repeat"), DataError, "other test samples", "give all shards the same data file"),
    ("engine_version", ("engine",), EngineError, "another version of the engine", _ONE_MACHINE),
    ("compiler", ("engine", "board"), ConfigurationError, "another compiler", _ONE_MACHINE),
    ("elf_sha256", ("id",), ConfigurationError, "another firmware", _ONE_MACHINE),
)
# Of one run, what parts of it may differ in: floats are computed with other instructions on other machines.
_MAY_DIFFER = {"cached", "part", "float_proof", "no_float_proof", "quantized", "notes"}


@dataclass(frozen=True)
class Found:
    """The report of a shard, and its file."""

    file: Path
    report: Report
    shard: Shard


def merged(paths: Sequence[Path], out: Path) -> Report:
    """The whole report, which is written to `out`, with what the shards have left of their runs for other commands.

    Raises OSError when `out` cannot be written, and as `merge`.
    """
    report, found = merge(paths)
    beside = [one for one in found if one.file.parent.resolve() == out.resolve()]
    if beside:
        what, hint = f"the merged report would take the place of {beside[0].shard}", "name another folder: --out"
        raise ConfigurationError(what, where=str(beside[0].file), hint=hint)
    check_out(out, (run.id for run in report.runs))
    for run in report.runs:
        if os.path.basename(run.id) == run.id not in ("", ".", ".."):
            _keep_beside(out, run, [one.file.parent for one in found])
    report.write(out / REPORT)
    return report


def _keep_beside(out: Path, run: Run, folders: Sequence[Path]) -> None:
    """What pages and other commands look for in the folder of a run."""
    for name in (RECORDING, STACKS):
        there = filter(None, (file_of(folder, run.id, name) for folder in folders))
        for path in itertools.islice(there, 1):
            write_bytes(out / run.id / name, path.read_bytes())
    keep_of(out / run.id, [folder / run.id for folder in folders], run.worst_samples)


def merge(paths: Sequence[Path]) -> tuple[Report, tuple[Found, ...]]:
    """The whole report, and the shards that it is made of, in their order.

    `paths`: a report.json of a shard, its folder, or a folder with several below, each. Raises ConfigurationError for
    shards that are no whole, DataError for what is damaged or of other models, EngineError for other engines.
    """
    found = sorted(_found(paths), key=lambda one: one.shard.number)
    _demand_one_experiment(found)
    _demand_all(found)
    for key, of, kind, what, hint in _ALIKE:
        _demand_alike(found, key, of, kind, what, hint)
    gathered: dict[str, list[tuple[Found, Run]]] = {}
    budgets: dict[str, list[Budget]] = {}
    for one in found:
        for run in one.report.runs:
            if run.id not in gathered:
                budgets[run.id] = [budget for budget in one.shard.budgets if budget.run == run.id]
            gathered.setdefault(run.id, []).append((one, run))
    runs = agreed([_whole(pieces) for pieces in gathered.values()])
    checks = tuple(check for run in runs for check in judged(run, budgets[run.id]))
    first = min((one.report for one in found), key=lambda report: report.started)
    git = first.git and replace(first.git, dirty=any(one.report.git and one.report.git.dirty for one in found))
    wall_s = round(sum(one.report.wall_s for one in found), 3)
    whole = replace(first, wall_s=wall_s, planned=found[0].shard.cases, shard=None, git=git, runs=runs, checks=checks)
    whole = replace(whole, repeats=tuple(repeated(runs)))
    return whole, tuple(found)


def _found(paths: Sequence[Path]) -> Iterator[Found]:
    for path in paths:
        side = find(path)
        if not side.reports:
            hint = f"give what `mcusim run --shard` has written: a folder with {REPORT}, or one with several below"
            raise ConfigurationError(f"there is no report in {str(path)!r}", where=str(path), hint=hint)
        for file, report in zip(side.files, side.reports, strict=True):
            if report.shard is None:
                hint = "leave it out: a whole report needs no merging" + ", and one merged before is whole, too"
                raise ConfigurationError("this report is of no shard", where=str(file), hint=hint)
            yield Found(file, report, report.shard)


def _demand_one_experiment(found: Sequence[Found]) -> None:
    first = found[0]
    for one in found:
        where = f"{first.file} and {one.file}"
        if one.report.mcusim != VERSION:
            what = f"{one.shard} was run by mcusim {one.report.mcusim}, this is {VERSION}"
            hint = "merge with the version that ran it, or run all shards again"
            raise ConfigurationError(what, where=str(one.file), hint=hint)
        if (one.report.experiment, one.shard.plan_sha256) != (first.report.experiment, first.shard.plan_sha256):
            what = f"{one.shard} of {one.report.experiment!r} is of another experiment than {first.shard}"
            hint = "run all shards of one file, with the same options but for --shard"
            raise ConfigurationError(what, where=where, hint=hint)
        if (one.shard.of, one.shard.cases) != (first.shard.of, first.shard.cases):
            what = f"{one.shard} and {first.shard} are not cut alike"
            raise ConfigurationError(what, where=where, hint=f"give the shards of one cut: all of {first.shard.of}")
        if one.report.git and first.report.git and one.report.git.commit != first.report.git.commit:
            commits = f"{one.report.git.commit[:12]} and {first.report.git.commit[:12]}"
            what = f"{one.shard} and {first.shard} are of two commits, {commits}"
            raise ConfigurationError(what, where=where, hint="run all shards of one commit")


def _demand_all(found: Sequence[Found]) -> None:
    """Each once, and none that ended before its time."""
    seen: dict[int, Found] = {}
    for one in found:
        again = _AGAIN.format(f"{one.shard.number}/{one.shard.of}")
        if one.shard.number in seen:
            other = seen[one.shard.number].file
            what = f"two shards are of the same part: {one.shard}"
            raise ConfigurationError(what, where=f"{other} and {one.file}", hint="leave one of them out")
        if one.report.error:
            what = f"{one.shard} ended before its first run: {one.report.error.message}"
            raise ConfigurationError(what, where=str(one.file), hint=again)
        if not one.report.complete:
            what = f"{one.shard} is not complete: it was interrupted, or is still running"
            raise ConfigurationError(what, where=str(one.file), hint=again)
        seen[one.shard.number] = one
    of = found[0].shard.of
    missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in seen]
    if missing:
        more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        what = f"{len(missing)} of {of} shards are missing: {', '.join(missing[:MOST_NAMED])}{more}"
        where = ", ".join(str(one.file) for one in found[:MOST_NAMED])
        raise ConfigurationError(what, where=where, hint="give them, too: mcusim run EXPERIMENT.toml --shard ..")


def _demand_alike(
    found: Sequence[Found], key: str, of: tuple[str, ...], kind: type[McusimError], what: str, hint: str
) -> None:
    known: dict[tuple[object, ...], tuple[object, Found]] = {}
    for one in found:
        for run in one.report.runs:
            value = getattr(run, key)
            before, other = known.setdefault(tuple(getattr(run, name) for name in of), (value, one))
            if value is not None and before is None:
                known[tuple(getattr(run, name) for name in of)] = value, one
            elif value is not None and value != before:
                told = f"{one.shard} ran {what} than {other.shard}: {run.label}"
                raise kind(told, where=f"{other.file} and {one.file}", hint=hint)


def _whole(pieces: Sequence[tuple[Found, Run]]) -> Outcome:
    """Of one case. Where a part failed, all of it did."""
    failed = [run for _, run in pieces if run.error and not (run.part and run.part.sha256)]
    if failed:
        return Outcome(replace(failed[0], part=None))
    parts = [_read(one, run) for one, run in pieces]
    one, run = pieces[0]
    ends = [0, *(part.span.end for part in parts)]
    if [part.span.first for part in parts] != ends[:-1] or any(part.span.of != ends[-1] for part in parts):
        raise _damaged(one, run, "its samples are not those that the other shards have left")
    for part in parts[1:]:
        _demand_one_run(part, parts[0], pieces)
    try:
        outcome = outcome_of(joined(parts))
    except _BROKEN as error:
        raise _damaged(one, run, str(error)) from error
    return outcome


def _read(one: Found, run: Run) -> Part:
    file = file_of(one.file.parent, run.id, PART)
    if file is None:
        hint = f"keep {PART} of the folders of runs beside {REPORT}"
        where = str(one.file.parent / run.id / PART)
        raise ConfigurationError(f"there is no {PART!r} of {one.shard}: {run.label}", where=where, hint=hint)
    try:
        data = read_file(file, LARGEST_BYTES, hint="give what the run has written", kind=DataError)
        if run.part is None or digest_of(data) != run.part.sha256:
            raise ValueError("it is of another run than the report")
        part = unpacked(data)
        if part.run.id != run.id or part.span.end - part.span.first != run.samples:
            raise ValueError("it is of another run than the report")
        return part
    except _BROKEN as error:
        raise _damaged(one, run, str(error)) from error


def _damaged(one: Found, run: Run, reason: str) -> DataError:
    what = f"what {one.shard} keeps of {run.label} is not readable: {' '.join(reason.split())[:200]}"
    again = _AGAIN.format(f"{one.shard.number}/{one.shard.of}")
    return DataError(what, where=str(one.file.parent / run.id / PART), hint=again)


def _demand_one_run(part: Part, first: Part, pieces: Sequence[tuple[Found, Run]]) -> None:
    alike = [one.name for one in fields(Run) if one.name not in _MAY_DIFFER]
    wrong = next((name for name in alike if getattr(part.run, name) != getattr(first.run, name)), None)
    if wrong is not None:
        what = f"shards differ in {wrong!r} of {part.run.label}"
        where = " and ".join(str(one.file) for one, _ in pieces)
        raise ConfigurationError(what, where=where, hint=_ONE_MACHINE)
