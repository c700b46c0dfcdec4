"""Report: all that the runs of an experiment found out, as `report.json` keeps it. Other formats are renderings of it.

docs/report.md explains each key; a test holds the two against each other. Format 1 may gain keys, all of them optional.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mcusim.line.measure import CascadeFigures, LayerRange, Measurements
from mcusim.reports.figures import BUDGETS, RUN_KEYS
from mcusim.reports.spread import Repeated
from mcusim.system import errors
from mcusim.system.errors import DataError
from mcusim.system.files import read_file, write_text
from mcusim.tasks.figure import Figure, Value
from mcusim.timing.timing import Margin

FORMAT: Literal[1] = 1
REPORT = "report.json"
DEFAULT_ENGINE = "qemu"  # that of an experiment that names none: labels need not say it
LARGEST_FILE_BYTES = 2**28
LARGEST_NUMBER = 2**63


@dataclass(frozen=True)
class RunError:
    """Why a run has no figures, or of some samples only. `kind`: the class of the error in `errors.py`, or its base."""

    kind: str
    message: str
    where: str | None = None
    hint: str | None = None

    @property
    def exit_code(self) -> int:
        return self._type.exit_code

    @property
    def _type(self) -> type[errors.McusimError]:
        kind = getattr(errors, self.kind, None)
        return kind if isinstance(kind, type) and issubclass(kind, errors.McusimError) else errors.McusimError

    def again(self, before: str = "") -> errors.McusimError:
        """The error that it is of, or one like it. `before`: what its message begins with."""
        what = f"{before}: {self.message}" if before else self.message
        return self._type(what, where=self.where, hint=self.hint)

    @classmethod
    def of(cls, error: errors.McusimError) -> RunError:
        kind = next(one for one in type(error).__mro__ if getattr(errors, one.__name__, None) is one)
        return cls(kind.__name__, error.what, error.where, error.hint)


@dataclass(frozen=True)
class FloatProof:
    """`against`: the framework and what it runs on. `max_difference`: of any output of the model, absolute."""

    against: str
    samples: int
    max_difference: float


@dataclass(frozen=True)
class RunPart:
    """Of a shard's run: it had samples `first` up to `end` of the `of` of its case. `sha256`: of what it has left."""

    first: int
    end: int
    of: int
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Run(Measurements):
    """One model, quantized one way, on one board. `id` is unique in the report, and the name of the run's folder."""

    id: str
    model: str
    repeat: int = 0
    data_type: str
    quantization: str = ""
    variant: str = ""
    scheme: str = ""
    layer_quantization: Mapping[str, str] = field(default_factory=dict)
    ranges: str = ""
    weights: str = ""
    equalized: bool = False
    rounding: str = ""
    calibration_samples: int | None = None
    approximation: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    significance: str = ""
    compensation: str = ""
    tuning: str = ""
    normalization: str | None = None
    float_proof: FloatProof | None = None
    no_float_proof: str | None = None
    kernels: str = "plain"
    board: str
    engine: str
    engine_version: str | None = None
    compiler: str | None = None
    flags: tuple[str, ...] = ()
    elf_sha256: str | None = None
    model_sha256: str | None = None
    data_sha256: str | None = None
    kernels_sha256: str | None = None
    clock_hz: int | None = None
    clock_hz_measured: int | None = None
    energy_how: str | None = None
    energy_window: str | None = None
    parameters: int | None = None
    macs: int | None = None
    accuracy_float: float | None = None
    scores_float: Mapping[str, float | None] = field(default_factory=dict)
    no_cycles: str | None = None
    cascade: CascadeFigures | None = None
    quantized: tuple[LayerRange, ...] = ()
    cached: bool = False
    part: RunPart | None = None
    notes: tuple[str, ...] = ()
    error: RunError | None = None

    @property
    def type_label(self) -> str:
        """`int16 Q7.9 floor`: the data type, and what differs from the default; `int8, a quarter` of a variant."""
        scheme = "" if self.scheme == "per-layer" else self.scheme
        rounding = "" if self.rounding == "nearest" else self.rounding
        own = self.quantization or " ".join(filter(None, (self.data_type, scheme, rounding)))
        return ", ".join(filter(None, (own, self.variant)))

    @property
    def model_label(self) -> str:
        return f"{self.model} #{self.repeat}" if self.repeat else self.model

    @property
    def board_label(self) -> str:
        """The board, and the engine when it is not the default one. One that needs no board stands in its place."""
        return self.board if self.engine in (DEFAULT_ENGINE, self.board) else f"{self.board} ({self.engine})"

    @property
    def label(self) -> str:
        return f"{self.model_label}, {self.type_label}, {self.board_label}"

    @property
    def failed_halfway(self) -> bool:
        """It has an error, and figures of the samples before: nobody may read them as those of all."""
        return self.error is not None and not self.complete and self.samples > 0


@dataclass(frozen=True)
class Check:
    """A budget, held against the run of that id. Without a value it fails, and `reason` tells why there is none.

    `margin` of the model's error is counted in: `held` is the value if the model says `margin_pct` percent too little.
    None of both where nothing was asked for; `margin_pct` is None where nobody knows that error, which fails, too.
    `line`: where it stands in the file of the experiment.
    """

    name: str
    run: str
    limit: int | float
    value: int | float | None
    passed: bool
    reason: str | None = None
    margin: Margin | None = None
    margin_pct: float | None = None
    line: int | None = None

    @property
    def held(self) -> int | float | None:
        """What is compared with the limit."""
        return None if self.value is None else with_margin(self.value, self.margin_pct)

    @property
    def figure(self) -> Figure | None:
        """What it limits; None for a budget that this version does not know."""
        return BUDGETS[self.name][1] if self.name in BUDGETS else None

    def __str__(self) -> str:
        """`latency 4.76 ms is over 4 ms by 19 % (latency_ms_max)`"""
        figure, held = self.figure or Figure(self.name, ""), self.held
        limit = figure.amount(self.limit)
        if self.value is None or held is None:
            return f"{self.name} {limit}: {self.reason}"
        what = f"{figure.word or self.name} {figure.amount(self.value)}"
        if self.margin_pct is not None:
            what += f" with {self.margin_pct:g} % ({self.margin} of its error) = {figure.amount(held)}"
        if self.passed or figure.keeps(held, self.limit):
            return f"{what} is within {limit} ({self.name})" + (f", but {self.reason}" if self.reason else "")
        side, far = "under" if figure.better == "higher" else "over", figure.beyond(held, self.limit)
        verdict = f"; {self.reason}" if self.reason else ""
        return f"{what} is {side} {limit}{f' by {far}' if far else ''} ({self.name}){verdict}"


def known(run: Run, figure: Figure) -> Value:
    """What a limit is held against; None when nobody knows, or the run failed."""
    value: Value = None if run.error else figure.value(run)
    return value


def why_unknown(run: Run) -> str:
    """Why nobody knows a figure of a run that did not fail."""
    return run.no_cycles or f"engine {run.engine!r}"


def with_margin(value: int | float, margin_pct: float | None) -> int | float:
    """A figure as it is held against a limit; as it is without a margin.

    A model that says so many percent too little says value = (1 - margin) x measured.
    """
    if margin_pct is None:
        return value
    return value / (1 - margin_pct / 100) if margin_pct < 100 else math.inf


@dataclass(frozen=True)
class Budget:
    """What a shard's run will be held against, when it is whole. As in `Check`."""

    name: str
    run: str
    limit: int | float
    margin: Margin | None = None
    line: int | None = None


@dataclass(frozen=True)
class Shard:
    """Which part of an experiment of so many `cases` a report is of. `plan_sha256`: of what all of its shards share."""

    number: int
    of: int
    cases: int
    plan_sha256: str
    budgets: tuple[Budget, ...] = ()

    def __str__(self) -> str:
        return f"shard {self.number}/{self.of}"


@dataclass(frozen=True)
class Git:
    """Of the folder of the experiment. `dirty`: files that git knows were changed since that commit."""

    commit: str
    dirty: bool


@dataclass(frozen=True)
class Report:
    """`complete` is False while runs are missing, of the `planned` ones: the file is written after each one.

    `error`: what ended the experiment before its first run. `file`: the experiment, as seen from where it
    was run. `regress`: limits of the experiment, as it writes them; `regress_lines`: where they stand in that file.
    """

    # A newer mcusim adds keys: of a file, those that are not known here are passed over.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)

    format: Literal[1]
    mcusim: str
    experiment: str
    started: str
    wall_s: float
    complete: bool
    planned: int | None = field(default=None, kw_only=True)
    shard: Shard | None = field(default=None, kw_only=True)
    error: RunError | None = field(default=None, kw_only=True)
    file: str | None = field(default=None, kw_only=True)
    git: Git | None = field(default=None, kw_only=True)
    regress: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    regress_lines: Mapping[str, int] = field(default_factory=dict, kw_only=True)
    runs: tuple[Run, ...] = ()
    checks: tuple[Check, ...] = ()
    repeats: tuple[Repeated, ...] = ()

    @property
    def broken(self) -> tuple[Check, ...]:
        """Budgets that were not kept."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def exit_code(self) -> int:
        """Of what ended it, or of the first failed run, else whether a budget was broken."""
        for error in (self.error, *(run.error for run in self.runs)):
            if error:
                return error.exit_code
        return errors.BUDGET_BROKEN if self.broken else errors.OK

    def run(self, run_id: str) -> Run:
        return self._runs_by_id[run_id]

    def checks_of(self, run: Run) -> Sequence[Check]:
        return self._checks_by_run.get(run.id, ())

    @cached_property
    def _runs_by_id(self) -> dict[str, Run]:
        return {run.id: run for run in self.runs}

    @cached_property
    def _checks_by_run(self) -> dict[str, list[Check]]:
        found: dict[str, list[Check]] = {}
        for check in self.checks:
            found.setdefault(check.run, []).append(check)
        return found

    def to_json(self) -> str:
        """Keys in the order of docs/report.md. Raises ValueError for NaN and infinity, which JSON does not have."""
        values = dataclasses.asdict(self)
        values["runs"] = [{key: run[key] for key in RUN_KEYS} for run in values["runs"]]
        return json.dumps(values, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str | None = None) -> Report:
        """Raises DataError when it is damaged, of another format, or holds what no report does."""
        try:
            report = _adapter().validate_json(text)
        except ValidationError as error:
            raise _unreadable(error, where) from None
        with suppress(RecursionError):
            twice = _key_that_is_there_twice(text)
            if twice is not None:
                raise _damaged(f"the key {twice!r} is there twice", where)
        ids = {run.id for run in report.runs}
        lost = next((check.run for check in report.checks if check.run not in ids), None)
        if lost is not None or len(ids) < len(report.runs) or not _numbers_are_sane(report):
            told = f"there is a check of {lost!r}, which is no run"
            raise _damaged("ids or numbers cannot be" if lost is None else told, where)
        return report

    @classmethod
    def read(cls, path: Path) -> Report:
        """A report.json. Raises DataError when it is none, ConfigurationError when it cannot be read."""
        hint = "mcusim run writes report.json into its --out folder"
        if path.suffix == ".toml":
            told = "give what its run has written: the folder build/NAME, or the one of --out"
            raise errors.ConfigurationError(f"{path.name!r} is an experiment, not a report", where=str(path), hint=told)
        return cls.from_json(read_file(path, LARGEST_FILE_BYTES, hint=hint), str(path))

    def write(self, path: Path) -> None:
        """All of it or nothing: a report that was there stays whole when the disk is full. Raises OSError."""
        write_text(path, self.to_json())


@cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def _unreadable(error: ValidationError, where: str | None) -> DataError:
    first = error.errors(include_url=False)[0]
    keys = ".".join(map(str, first["loc"]))
    if first["loc"] == ("format",):
        have = first["input"] if isinstance(first["input"], int) else "missing"
        hint = f"this mcusim reads format {FORMAT}: use the version that wrote it"
        return DataError(f"the format of the report is {have}", where=where, hint=hint)
    return _damaged(f"{keys}: {first['msg']}" if keys else first["msg"], where)


def _damaged(reason: str, where: str | None) -> DataError:
    hint = "give the report.json of `mcusim run`, of this version of mcusim"
    return DataError(f"this is no readable report: {reason[:300]}", where=where, hint=hint)


def _key_that_is_there_twice(text: str | bytes) -> str | None:
    """Of any object in it: readers of JSON differ in which of both they take."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        if len(pairs) > len(dict(pairs)):
            found.append(Counter(name for name, _ in pairs).most_common(1)[0][0])

    json.loads(text, object_pairs_hook=look)
    return found[0] if found else None


def _numbers_are_sane(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) <= LARGEST_NUMBER
    if value is None or isinstance(value, (str, float)):
        return True
    inside = value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else vars(value).values()
    return all(map(_numbers_are_sane, inside))
