"""The tables of an experiment file. Every one is frozen and strict; `docs/experiment.md` explains each key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, create_model, model_validator

from mcusim.comparison.limits import SYNONYMS as LIMIT_SYNONYMS
from mcusim.comparison.limits import read_limit
from mcusim.experiment.engine_choice import split_engines
from mcusim.experiment.kernel_choice import WANTED, KernelChoice, read_choice
from mcusim.experiment.synonyms import BUDGET_SYNONYMS, KIND_SYNONYMS
from mcusim.reports.figures import BUDGETS, REGRESS
from mcusim.system.errors import ConfigurationError, suggestion
from mcusim.system.validation import (
    LONGEST_NAME,
    WANTED_BYTES,
    Bytes,
    BytesFromZero,
    Count,
    Limit,
    Name,
    Positive,
    Share,
    Table,
    Unusable,
    known,
)
from mcusim.tasks import TASKS
from mcusim.training.settings import TrainingSettings

LARGEST_SEED = 2**31
LONGEST_PATH = 4096
LONGEST_S = 7 * 24 * 3600  # that one waits for anything
Seconds = Annotated[
    float,
    Field(gt=0, le=LONGEST_S, allow_inf_nan=False, description="a number of seconds greater than 0, up to a week"),
]


_A_FILE = dict.fromkeys(("path", "filename", "file_name", "filepath", "npz", "keras", "source"), "file")
InputShape = Annotated[list[Annotated[int, Field(ge=1, le=2**24)]], Field(min_length=1, max_length=3)]
InputShapes = InputShape | dict[Name, InputShape] | None
FilePath = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH)]


class General(Table):
    """[experiment]"""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        "title": "name",
        "random_seed": "seed",
        "runs": "repeats",
        "repeat": "repeats",
    }

    name: Name
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    repeats: int = Field(default=1, ge=1, le=1000)


def _known_kinds(told: str | dict[str, str]) -> str | dict[str, str]:
    for name in (told,) if isinstance(told, str) else told.values():
        known(name, [task.NAME for task in TASKS], "task", KIND_SYNONYMS)
    return told


Kinds = Annotated[Name | dict[Name, Name], AfterValidator(_known_kinds)]
WANTED_KIND = '"classification", or of several outputs each: { a = "classification", b = "regression" }'
Threshold = Annotated[float, Field(ge=-1e30, le=1e30, allow_inf_nan=False)]


class DatasetChoice(Table):
    """[dataset]: the name of a data set that comes with mcusim, or a file."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **_A_FILE,
        **dict.fromkeys(("kind", "type"), "task"),
        **dict.fromkeys(("normalization", "standardize", "scale"), "normalize"),
        "samples": "how many test samples run is [target] samples = ..",
    }

    name: Name | None = None
    file: FilePath | None = None
    normalize: Literal["z-score", "none"] | None = Field(
        default=None, description="'z-score' or 'none'; leave it out for what the model was trained with"
    )
    task: Kinds | None = Field(default=None, description=WANTED_KIND)

    @model_validator(mode="after")
    def _one_of_both(self) -> DatasetChoice:
        if self.model_fields_set:
            self.demand_one()
        return self

    def demand_one(self) -> None:
        """Raises Unusable unless it names a data set, in one way."""
        if (self.name is None) == (self.file is None):
            raise Unusable("[dataset] needs either 'name' or 'file'", "name = 'digits', or file = 'data.npz'")

    @property
    def normalize_in_training(self) -> Literal["z-score", "none"]:
        return self.normalize or "z-score"

    @property
    def is_there(self) -> bool:
        """Not when the experiment has no [dataset]: then samples are made up."""
        return bool(self.name or self.file)


class TaskChoice(Table):
    """[task]: what outputs are scored as, where the guess is wrong, and how."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("name", "type", "task"), "kind"),
        **dict.fromkeys(("limit", "decision_threshold"), "threshold"),
        **dict.fromkeys(("k", "topk", "top"), "top_k"),
    }

    kind: Kinds | None = Field(default=None, description=WANTED_KIND)
    threshold: Threshold | dict[Name, Threshold] | None = Field(
        default=None, description="a number, for example 0.5; or of several outputs each: { a = 0.3 }"
    )
    top_k: Annotated[int, Field(ge=2, le=1000)] | None = Field(default=None, description="a whole number from 2")

    def kinds_of(self, outputs: Sequence[str]) -> dict[str, str | None]:
        """Of a model's outputs ("" for an only one); None where nothing is said. ConfigurationError for any other."""
        return _by_output(self.kind, outputs, "kind")

    def thresholds_of(self, outputs: Sequence[str]) -> dict[str, float | None]:
        """Likewise."""
        return _by_output(self.threshold, outputs, "threshold")


def _by_output(told: Any, outputs: Sequence[str], key: str) -> dict[str, Any]:
    """What is told for all outputs, or for each by name."""
    if not isinstance(told, dict):
        return dict.fromkeys(outputs, told)
    for name in told:
        if name not in outputs:
            what = f"{key} is given for an output {name!r}, which the model has not"
            hint = suggestion(name, outputs) if any(outputs) else f"it has one output, without a name: {key} = .."
            raise ConfigurationError(what, where="[task]", hint=hint)
    return {name: told.get(name) for name in outputs}


class Model(Table):
    """[[model]]: an architecture to train, or a file with a trained model."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **_A_FILE,
        **dict.fromkeys(("id", "label", "title"), "name"),
        **dict.fromkeys(("arch", "network", "kind", "type"), "architecture"),
        **dict.fromkeys(("params", "hyperparameters"), "parameters"),
        **dict.fromkeys(
            ("epochs", "batch_size", "learning_rate", "lr", "momentum", "optimizer", "milestones", "weight_decay"),
            "it belongs to the training: training = { epochs = 30, .. }",
        ),
        **dict.fromkeys(
            ("data_type", "dtype", "quantization"), 'data types stand in [[quantization]]: data_type = ".."'
        ),
    }

    OF_OTHERS: ClassVar[bool] = False  # is it made of other models?

    name: Name = Field(default="", description="a name; without one the model is called like its file")
    file: Path | None = None
    architecture: Name | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    keep: Literal["last", "best"] = "last"
    proof: bool = True
    input_shape: InputShapes = Field(default=None, description="whole numbers from 1 on, or a table of them by input")

    @property
    def networks(self) -> tuple[Model, ...]:
        """What runs is made of these."""
        return (self,)

    @property
    def trains(self) -> bool:
        return any(one.is_trained for one in self.networks)

    @property
    def no_proof(self) -> str:
        """Why it is not held against its framework; empty where it is."""
        return "" if self.proof else "proof = false in the experiment"

    @property
    def is_trained(self) -> bool:
        """By mcusim: an architecture, or a file's network for its integers."""
        return self.architecture is not None or self.training.quantization is not None

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """`input_shape` by input, "" for an only one."""
        told = self.input_shape or {}
        by_input = told if isinstance(told, dict) else {"": told}
        return {name: tuple(shape) for name, shape in by_input.items()}

    @model_validator(mode="before")
    @classmethod
    def _named(cls, table: Any) -> Any:
        name = model_name(table) if isinstance(table, dict) else ""
        return {"name": name, **table} if name else table

    @model_validator(mode="after")
    def _one_of_both(self) -> Model:
        if not self.OF_OTHERS and (self.file is None) == (self.architecture is None):
            hint = "architecture = 'resnetv1' to train one, or file = 'model.keras'"
            named = f"model {self.name!r}" if self.name else "a model"
            raise Unusable(f"{named} needs either 'architecture' or 'file'", hint)
        if self.input_shape and self.architecture:
            raise Unusable(f"model {self.name!r} has the shape of its data set", "leave 'input_shape' out")
        return self


def model_name(table: Mapping[str, Any]) -> str:
    """That of a [[model]]; where nobody gives one, that of its file or architecture."""
    file, architecture = table.get("file"), table.get("architecture")
    of_file = Path(file).stem if isinstance(file, (str, Path)) else architecture
    name = table.get("name", of_file)
    return name[:LONGEST_NAME] if isinstance(name, str) else ""


def _kernels_by_layer(schema: dict[str, Any]) -> None:
    words = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    arms = [*words["anyOf"], {"type": "object", "additionalProperties": words}]
    schema.clear()
    schema |= {"anyOf": arms, "default": "auto", "description": WANTED}


class Target(Table):
    """[target]: where the firmware runs, and on how many test samples."""

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("board", "device", "devices", "mcu", "platform", "platforms", "target"), "boards"),
        **dict.fromkeys(("engines", "emulator", "simulator", "backend", "runner"), "engine"),
        **dict.fromkeys(("timeout", "timeout_s", "stall"), "stall_s"),
        **dict.fromkeys(("processes", "workers", "threads", "cores"), "jobs"),
        **dict.fromkeys(("test_samples", "n_samples", "count"), "samples"),
        **dict.fromkeys(("hardware_map", "map"), "hardware"),
        **dict.fromkeys(("wait", "board_wait_s"), "wait_s"),
        **dict.fromkeys(("by_layer", "per_layer", "layer_cycles"), "layers"),
        **dict.fromkeys(("gpio", "gpio_window", "energy_gpio", "energy_window"), "energy_pin"),
        "kernel": "kernels",
        **dict.fromkeys(("rom_max", "max_flash", "flash", "flash_budget", "flash_bytes_max"), "flash_max"),
        **dict.fromkeys(("max_ram", "ram", "ram_budget", "sram_max", "ram_bytes_max"), "ram_max"),
        **dict.fromkeys(("ram_code", "code_ram", "ramfunc", "run_from_ram"), "code_in_ram"),
    }

    boards: tuple[Name, ...] = Field(
        default=(), strict=False, description='a list of names, for example ["nucleo_l452re_p"]'
    )
    engine: str = "qemu"
    samples: Literal["all"] | Count = Field(default="all", description='"all" or a whole number from 1')
    timing_samples: int = Field(default=50, ge=0, le=2**31)
    jobs: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        default=None, description="a whole number from 1; leave it out for one for each core"
    )
    stall_s: Seconds = 60.0
    hardware: Path | None = Field(default=None, strict=False, description="the path of a hardware map")
    layers: bool = False
    energy_pin: bool = Field(default=False, description="true or false; which pin it is, the file of the board says")
    wait_s: Annotated[float, Field(ge=0, le=LONGEST_S, allow_inf_nan=False)] = Field(
        default=0.0, description="a number of seconds from 0, up to a week"
    )
    kernels: Annotated[KernelChoice, BeforeValidator(read_choice)] = Field(
        default=KernelChoice(), description=WANTED, json_schema_extra=_kernels_by_layer
    )
    flash_max: Bytes = Field(default=None, description=WANTED_BYTES)
    ram_max: Bytes = Field(default=None, description=WANTED_BYTES)
    code_in_ram: bool | Literal["auto"] = Field(default="auto", description='true, false or "auto"')

    @property
    def engines(self) -> tuple[str, ...]:
        return split_engines(self.engine)


_LIMITS: dict[str, Any] = {"share": Share, "positive": Positive, "whole": Limit, "bytes": BytesFromZero}
_WANTED = {"bytes": WANTED_BYTES}
_BUDGETS: dict[str, Any] = {
    name: (_LIMITS[budget.limit] | None, Field(default=None, description=budget.wanted or _WANTED.get(budget.limit)))
    for name, (budget, _) in BUDGETS.items()
}


class Limits(Table):
    """A table of limits by the names of its fields, those of `NAMES`."""

    NAMES: ClassVar[Collection[str]] = ()

    _lines: dict[str, int] = PrivateAttr(default_factory=dict)

    @property
    def limits(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.NAMES if getattr(self, name) is not None}

    @property
    def lines(self) -> Mapping[str, int]:
        """Where these stand in the file, as far as `written_at` was told."""
        return self._lines

    def written_at(self, lines: Mapping[str, int]) -> None:
        self._lines.update(lines)


_Budgets: Any = create_model("_Budgets", __base__=Limits, **_BUDGETS)
NO_MARGIN: Literal["none"] = "none"


class Expect(_Budgets):  # type: ignore[misc]
    """[expect]: budgets, a field for each of `figures.py`. A broken one makes `mcusim run` end with exit code 7."""

    SYNONYMS: ClassVar[Mapping[str, str]] = BUDGET_SYNONYMS
    NAMES: ClassVar[Collection[str]] = BUDGETS

    margin: Literal["none", "median", "p90"] | None = Field(
        default=None, description='"none", "median" or "p90": what of the model\'s error budgets count in'
    )


def _regress_limit(name: str) -> Any:
    """A field of [regress], kept as it was written."""

    def check(value: Any) -> Any:
        return value if value is None else read_limit(name, value).text

    wanted = "0.2pt or a share" if REGRESS[name].unit == "share" else f"2% or a number {REGRESS[name].unit}".rstrip()
    accepted = Annotated[str | None, BeforeValidator(check, json_schema_input_type=str | float | None)]
    return accepted, Field(default=None, description=wanted)


_Regress: Any = create_model("_Regress", __base__=Limits, **{name: _regress_limit(name) for name in REGRESS})


class Regress(_Regress):  # type: ignore[misc]
    """[regress]: how much worse figures may be than those of an earlier report: `mcusim compare`."""

    SYNONYMS: ClassVar[Mapping[str, str]] = LIMIT_SYNONYMS
    NAMES: ClassVar[Collection[str]] = REGRESS


class ExpectFor(Expect):
    """[[expect_for]]: budgets of some runs, in place of those of [expect]."""

    model: Name | None = None
    data_type: Name | None = None
    board: Name | None = None

    def concerns(self, model: str, data_type: str, board: str) -> bool:
        """`board`: a name."""
        wanted = (self.model, self.data_type, self.board)
        return all(want in (None, have) for want, have in zip(wanted, (model, data_type, board), strict=True))


def parse_samples(text: str) -> int | str:
    """`all` or a number from 1, as people type it. Raises Unusable for anything else."""
    if text == "all":
        return text
    if text.isdecimal() and 1 <= int(text) < 2**31:
        return int(text)
    raise Unusable(f"{text!r} is neither 'all' nor a number from 1", "for example 100")
