"""What an experiment is: data set, models, quantizations, boards, budgets. `experiment_file.py` reads one from TOML.

Every table is frozen and strict. Paths are absolute once read. `docs/experiment.md` explains each key.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator, model_validator

from mcusim.line.quantize import DATA_TYPES, INTEGER_TYPES, SCHEMES
from mcusim.numbers.power_of_two import Format, parse_format
from mcusim.reports.figures import BUDGETS
from mcusim.system.errors import ConfigurationError, suggestion
from mcusim.system.names import file_name
from mcusim.training.settings import TrainingSettings

LONGEST_NAME = 100
LARGEST_SEED = 2**31

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=2**31)]
Limit = Annotated[int, Field(ge=0, le=2**62)]


class Unusable(ValueError):
    """A value that cannot be, with what to write instead."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())


class General(Table):
    """[experiment]"""

    name: Name
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    repeats: int = Field(default=1, ge=1, le=1000)


class DatasetChoice(Table):
    """[dataset]: the name of a data set that comes with mcusim, or a file."""

    name: Name | None = None
    file: Name | None = None
    normalize: Literal["z-score", "none"] = "z-score"

    @model_validator(mode="after")
    def _one_of_both(self) -> DatasetChoice:
        if (self.name is None) == (self.file is None):
            raise Unusable("[dataset] needs either 'name' or 'file'", "name = 'digits', or file = 'data.npz'")
        return self


class Model(Table):
    """[[model]]: an architecture to train, or a file with a trained model."""

    name: Name
    file: Path | None = None
    architecture: Name | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    keep: Literal["last", "best"] = "last"

    @model_validator(mode="after")
    def _one_of_both(self) -> Model:
        if (self.file is None) == (self.architecture is None):
            raise Unusable(
                f"model {self.name!r} needs either 'architecture' or 'file'",
                "architecture = 'resnetv1' to train one, or file = 'model.keras'",
            )
        return self


class Quantization(Table):
    """[[quantization]]: a data type and how its scales are chosen."""

    data_type: str
    scheme: str = "per-layer"
    format: str | None = None
    rounding: Literal["nearest", "floor"] = "nearest"
    calibration_samples: Count = 1000

    @field_validator("data_type")
    @classmethod
    def _known_type(cls, name: str) -> str:
        return known(name, DATA_TYPES, "data type")

    @field_validator("scheme")
    @classmethod
    def _known_scheme(cls, name: str) -> str:
        return known(name, SCHEMES, "quantization scheme")

    @model_validator(mode="after")
    def _format_fits(self) -> Quantization:
        if self.data_type == "float32":
            extra = sorted(self.model_fields_set - {"data_type"})
            if extra:
                raise Unusable(
                    f"float32 is not quantized: {extra[0]!r} has no use", "remove it, or choose an integer type"
                )
        elif self.scheme == "per-network":
            _check_format(self.format, INTEGER_TYPES[self.data_type], self.data_type)
        elif self.format is not None:
            raise Unusable(
                f"{self.data_type} {self.scheme} takes no format", "add scheme = 'per-network', or remove it"
            )
        return self

    @property
    def fraction(self) -> int | None:
        """Fraction bits of the whole network; None per layer."""
        return None if self.format is None else _parsed(self.format).fraction

    @property
    def label(self) -> str:
        """`int16 Q7.9 floor`: the data type, and what differs from the default."""
        rounding = self.rounding if self.rounding != "nearest" else ""
        samples = f"calibration {self.calibration_samples}" if self.calibration_samples != 1000 else ""
        return " ".join(filter(None, (self.data_type, self.format, rounding, samples)))


class Target(Table):
    """[target]: where the firmware runs, and on how many test samples."""

    boards: tuple[Name, ...] = Field(default=(), strict=False)
    engine: str = "qemu"
    samples: Literal["all"] | Count = "all"
    timing_samples: int = Field(default=50, ge=0, le=2**31)
    jobs: Annotated[int, Field(ge=1, le=1024)] | None = None
    stall_s: Positive = 60.0

    @property
    def engines(self) -> tuple[str, ...]:
        return split_engines(self.engine)


_LIMITS: dict[str, Any] = {"share": Share, "positive": Positive, "whole": Limit}
_BUDGETS: dict[str, Any] = {name: (_LIMITS[budget.limit] | None, None) for name, (budget, _) in BUDGETS.items()}
_Budgets: Any = create_model("_Budgets", __base__=Table, **_BUDGETS)


class Expect(_Budgets):  # type: ignore[misc]
    """[expect]: budgets, a field for each of `figures.py`. A broken one makes `mcusim run` end with exit code 7."""

    @property
    def limits(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in Expect.model_fields if getattr(self, name) is not None}


class ExpectFor(Expect):
    """[[expect_for]]: budgets of some runs, in place of those of [expect]."""

    model: Name | None = None
    data_type: Name | None = None
    board: Name | None = None

    def concerns(self, model: str, data_type: str, board: str) -> bool:
        """`board`: a name."""
        wanted = (self.model, self.data_type, self.board)
        return all(want in (None, have) for want, have in zip(wanted, (model, data_type, board), strict=True))


@dataclass(frozen=True)
class Case:
    """One run to come: a model (its `repeat`-th training), quantized, on a board, in an engine.

    `board` is a name or a file, or `host` for that engine. `id` is unique in an experiment and a file name.
    """

    id: str
    model: Model
    repeat: int
    quantization: Quantization
    board: str
    engine: str

    @property
    def label(self) -> str:
        repeat = f" #{self.repeat}" if self.repeat else ""
        return f"{self.model.name}{repeat}, {self.quantization.label}, {self.board_name} in {self.engine}"

    @property
    def work(self) -> tuple[str, int, Quantization, str]:
        """All but the engine: every engine should come to the same."""
        return self.model.name, self.repeat, self.quantization, self.board

    @property
    def board_name(self) -> str:
        """A board is named by its file."""
        return Path(self.board).stem


class Experiment(Table):
    """All of an experiment file. `path` is where it lies."""

    path: Path
    general: General
    dataset: DatasetChoice
    models: tuple[Model, ...]
    quantizations: tuple[Quantization, ...]
    target: Target = Target()
    expect: Expect = Expect()
    expect_for: tuple[ExpectFor, ...] = ()

    @property
    def name(self) -> str:
        return self.general.name

    def trainings(self) -> Iterator[tuple[Model, int]]:
        """(model, repeat): a model from a file is always the same one, so it has no repeats."""
        for model in self.models:
            for repeat in range(1 if model.file else self.general.repeats):
                yield model, repeat

    @property
    def engines(self) -> tuple[str, ...]:
        """Where each case runs, one after the other."""
        return self.target.engines

    @property
    def boards(self) -> tuple[str, ...]:
        """The boards to run on. ConfigurationError when an engine needs one and there is none."""
        if self.engines == ("host",):
            return ("host",)
        if not self.target.boards:
            where = f"{self.path}, target.boards"
            raise ConfigurationError("the experiment names no board", where=where, hint="mcusim boards lists them")
        return self.target.boards

    def cases(self) -> Iterator[Case]:
        """Every run, boards and engines innermost: what they share is done once."""
        taken: dict[str, int] = {}
        for model, repeat in self.trainings():
            for quantization in self.quantizations:
                for board, engine in itertools.product(self.boards, self.engines):
                    case = Case("", model, repeat, quantization, board, engine)
                    which = engine if len(self.engines) > 1 else ""
                    parts = (
                        model.name,
                        f"repeat{repeat}" if repeat else "",
                        quantization.label,
                        case.board_name,
                        which,
                    )
                    name = "-".join(file_name(part.replace(" ", "_")) for part in parts if part)
                    taken[name] = count = taken.get(name, 0) + 1
                    yield replace(case, id=name if count == 1 else f"{name}--{count}")

    def limits(self, case: Case) -> dict[str, float]:
        """Budgets of a run by name; a later [[expect_for]] replaces what it names."""
        limits = self.expect.limits
        for entry in self.expect_for:
            if entry.concerns(case.model.name, case.quantization.data_type, case.board_name):
                limits |= entry.limits
        return limits

    def with_options(
        self,
        *,
        boards: Sequence[str] = (),
        models: Sequence[str] = (),
        data_types: Sequence[str] = (),
        seed: int | None = None,
        **target: Any,
    ) -> Experiment:
        """The experiment as a command line changes it. Options that are None or empty change nothing."""
        changes = {name: value for name, value in target.items() if value is not None}
        changes |= {"boards": tuple(dict.fromkeys(boards))} if boards else {}
        general = self.general if seed is None else self.general.model_copy(update={"seed": seed})
        return self.model_copy(
            update={
                "general": general,
                "models": self._chosen_models(models),
                "quantizations": self._chosen_types(data_types),
                "target": self.target.model_copy(update=changes),
            }
        )

    def _chosen_models(self, names: Sequence[str]) -> tuple[Model, ...]:
        for name in names:
            if name not in (models := [model.name for model in self.models]):
                raise ConfigurationError(f"no model {name!r}", where=str(self.path), hint=suggestion(name, models))
        return tuple(model for model in self.models if not names or model.name in names)

    def _chosen_types(self, names: Sequence[str]) -> tuple[Quantization, ...]:
        """The experiment's quantizations of these types; a type that it has none of gets the default one."""
        chosen: list[Quantization] = []
        for name in dict.fromkeys(names):
            if name not in DATA_TYPES:
                raise ConfigurationError(f"unknown data type {name!r}", hint=suggestion(name, DATA_TYPES))
            own = [entry for entry in self.quantizations if entry.data_type == name]
            chosen += own or [Quantization(data_type=name)]
        return tuple(chosen) if names else self.quantizations


def split_engines(text: str) -> tuple[str, ...]:
    """`qemu,renode` -> both, in that order."""
    return tuple(part.strip() for part in text.split(","))


def parse_samples(text: str) -> int | str:
    """`all` or a number from 1, as people type it. Raises Unusable for anything else."""
    if text == "all":
        return text
    if text.isdecimal() and 1 <= int(text) < 2**31:
        return int(text)
    raise Unusable(f"{text!r} is neither 'all' nor a number from 1", "for example 100")


def check_engines(text: str, names: Sequence[str]) -> None:
    """Raises Unusable unless `text` names engines that can run side by side, of `names`."""
    engines = split_engines(text)
    for engine in engines:
        known(engine, names, "engine")
    if len(set(engines)) < len(engines):
        raise Unusable(f"an engine is there twice: {text!r}", "name each once")
    if "host" in engines and len(engines) > 1:
        raise Unusable(f"engine 'host' runs on no board: {text!r}", "compare emulators, for example qemu,renode")


def known(name: str, names: Sequence[str], what: str) -> str:
    """`name`, when it is one of `names`."""
    if name not in names:
        raise Unusable(f"unknown {what} {name!r}", suggestion(name, names))
    return name


def _parsed(text: str) -> Format:
    try:
        return parse_format(text)
    except ConfigurationError as error:
        raise Unusable(error.what, error.hint or "") from None


def _check_format(text: str | None, bits: int, data_type: str) -> None:
    example = f"for example format = 'Q{bits - bits // 2}.{bits // 2}'"
    if text is None:
        raise Unusable(f"{data_type} per-network needs a format", example)
    if _parsed(text).bits != bits:
        raise Unusable(f"format {text!r} has {_parsed(text).bits} bits, {data_type} has {bits}", example)
