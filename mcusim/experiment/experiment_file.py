"""experiment.toml -> Experiment. Every mistake is named with its key, file and line, before anything takes time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from mcusim.experiment.experiment import (
    DatasetChoice,
    Expect,
    ExpectFor,
    Experiment,
    General,
    Model,
    Quantization,
    Table,
    Target,
    Unusable,
    check_engines,
)
from mcusim.reports.figures import BUDGETS
from mcusim.system.errors import ConfigurationError, ModelError, suggestion
from mcusim.system.toml_file import KeyPath, describe, line_of, read_toml
from mcusim.training.settings import TrainingSettings

TABLES = ("experiment", "dataset", "training", "model_template", "target", "expect")
ARRAYS = ("model", "quantization", "expect_for")
OF_TRAINING = ("architecture", "parameters", "training")
MOST_ENTRIES = 1000
ANY_SHAPE = (32, 32, 3)  # parameters are checked before the data set is there to give its own

_Table = TypeVar("_Table", bound=Table)


def read_experiment(path: Path) -> Experiment:
    """The experiment in a TOML file. Raises ConfigurationError, or ModelError when a model file is not there."""
    tables, text = read_toml(path)
    return _Reader(path, tables, text).read()


def open_experiment(path: Path, **choices: Any) -> Experiment:
    """The experiment in a file, or in the folder's ``experiment.toml``, changed by what `with_options` takes.

    Raises ConfigurationError for what cannot be chosen, and as `read_experiment`.
    """
    if path.is_dir():
        path = path / "experiment.toml"
    if path.suffix in (".keras", ".h5"):
        hint = f"mcusim generate {path} writes its C; an experiment file names it as [[model]] file = ..."
        raise ConfigurationError(f"{path.name!r} is a model, not an experiment", hint=hint)
    engine = choices.get("engine")
    if engine is not None:
        from mcusim.engines import ENGINES

        try:
            check_engines(engine, list(ENGINES))
        except Unusable as error:
            raise ConfigurationError(str(error), where="engine", hint=error.hint) from None
    return read_experiment(path).with_options(**choices)


class _Reader:
    """One experiment file: its tables, and its text to find lines in."""

    def __init__(self, path: Path, tables: dict[str, Any], text: str) -> None:
        self.path, self.tables, self.text = path, tables, text

    def read(self) -> Experiment:
        self._check_top()
        models = tuple(self._model(index, table) for index, table in enumerate(self._array("model")))
        if not models:
            raise ConfigurationError(
                "the experiment has no [[model]]", where=str(self.path), hint="see docs/experiment.md"
            )
        self._check_names([model.name for model in models])
        experiment = Experiment(
            path=self.path.absolute(),
            general=self._general(),
            dataset=self._dataset(),
            models=models,
            quantizations=self._quantizations(),
            target=self._target(),
            expect=self._table(Expect, self.tables.get("expect", {}), ["expect"]),
            expect_for=self._expect_for(models),
        )
        return experiment

    # -- tables ----------------------------------------------------------------------------------------------------

    def _check_top(self) -> None:
        for name, value in self.tables.items():
            if name not in (*TABLES, *ARRAYS):
                self._fail(f"unknown table or key {name!r}", [name], suggestion(name, (*TABLES, *ARRAYS)))
            if name in TABLES and not isinstance(value, dict):
                self._fail(f"{name!r} is no table", [name], f"write it as [{name}]")
            is_array = isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
            if name in ARRAYS and not is_array:
                self._fail(f"{name!r} is no list of tables", [name], f"write it as [[{name}]]")
            if name in ARRAYS and len(value) > MOST_ENTRIES:
                self._fail(f"there are {len(value)} [[{name}]]", [name], f"at most {MOST_ENTRIES}")

    def _array(self, name: str) -> list[dict[str, Any]]:
        return list(self.tables.get(name, []))

    def _general(self) -> General:
        stem = self.path.stem if self.path.stem != "experiment" else self.path.absolute().parent.name
        table = {"name": stem or "experiment", **self.tables.get("experiment", {})}
        return self._table(General, table, ["experiment"])

    def _dataset(self) -> DatasetChoice:
        from mcusim.datasets import DATASETS

        if "dataset" not in self.tables:
            self._fail("the experiment has no [dataset]", [], "[dataset] with name = 'digits'")
        choice = self._table(DatasetChoice, self.tables["dataset"], ["dataset"])
        if choice.name is not None and choice.name not in DATASETS:
            self._fail(f"unknown data set {choice.name!r}", ["dataset", "name"], suggestion(choice.name, DATASETS))
        return choice

    def _model(self, index: int, own: dict[str, Any]) -> Model:
        """A [[model]] over the [model_template] over the [training] table."""
        keys: KeyPath = ("model", index)
        template = dict(self.tables.get("model_template", {}))
        if "file" in own:  # a trained model has no architecture: what the template says of training is not for it
            template = {
                key: value for key, value in template.items() if key not in ("architecture", "parameters", "training")
            }
        self._check_inner(own, keys)
        self._check_inner(template, ["model_template"])
        merged = {**template, **own}
        merged["parameters"] = {**template.get("parameters", {}), **own.get("parameters", {})}
        merged["training"] = self._settings(index, template.get("training", {}), own.get("training", {}))
        if isinstance(merged.get("file"), str):
            merged["file"] = self._model_file(merged["file"], [*keys, "file"])
        model = self._table(Model, merged, keys)
        self._check_architecture(model, keys)
        return model

    def _check_inner(self, table: dict[str, Any], keys: KeyPath) -> None:
        for key in ("parameters", "training"):
            if not isinstance(table.get(key, {}), dict):
                self._fail(f"{key!r} is no table", [*keys, key], f"{key} = {{ ... }}")

    def _settings(self, index: int, template: dict[str, Any], own: dict[str, Any]) -> TrainingSettings:
        """[training], then the template's, then the model's own; each value tried alone, to name the table it is in."""
        known = {field.name for field in fields(TrainingSettings)}
        merged: dict[str, Any] = {}
        places: list[tuple[list[str | int], dict[str, Any]]] = [
            (["training"], self.tables.get("training", {})),
            (["model_template", "training"], template),
            (["model", index, "training"], own),
        ]
        for keys, table in places:
            for name, value in table.items():
                if name not in known:
                    self._fail(f"unknown key {name!r}", [*keys, name], suggestion(name, known))
                with self._located([*keys, name]):
                    TrainingSettings(**{name: value})
            merged |= table
        return TrainingSettings(**merged)

    def _model_file(self, name: str, keys: KeyPath) -> Path:
        path = self.path.absolute().parent / name
        if not path.is_file():
            raise ModelError(f"there is no model file {name!r}", where=self._where(keys), hint=f"looked for {path}")
        return path

    def _check_architecture(self, model: Model, keys: KeyPath) -> None:
        from mcusim.training.architectures import ARCHITECTURES

        if model.architecture is None:
            for key in ("parameters", "training"):
                if key in self.tables["model"][keys[1]]:
                    self._fail(f"model {model.name!r} comes from a file: {key!r} has no use", [*keys, key], "remove it")
            return
        if model.architecture not in ARCHITECTURES:
            hint = suggestion(model.architecture, ARCHITECTURES)
            self._fail(f"unknown architecture {model.architecture!r}", [*keys, "architecture"], hint)
        with self._located([*keys, "parameters"]):
            ARCHITECTURES[model.architecture](model.parameters, ANY_SHAPE)

    def _quantizations(self) -> tuple[Quantization, ...]:
        tables = self._array("quantization") or [{"data_type": "float32"}]
        chosen: list[Quantization] = []
        for index, table in enumerate(tables):
            entry = self._table(Quantization, table, ["quantization", index])
            if entry in chosen:
                self._fail(f"{entry.label} is there twice", ["quantization", index], "remove one")
            chosen.append(entry)
        return tuple(chosen)

    def _target(self) -> Target:
        from mcusim.engines import ENGINES

        target = self._table(Target, self.tables.get("target", {}), ["target"])
        try:
            check_engines(target.engine, list(ENGINES))
        except Unusable as error:
            self._fail(str(error), ["target", "engine"], error.hint)
        boards = tuple(self._board(name) for name in target.boards)
        if len(set(boards)) < len(boards):
            self._fail("a board is there twice", ["target", "boards"], "remove one")
        return target.model_copy(update={"boards": boards})

    def _board(self, name: str) -> str:
        """A board's name; its file's path as seen from the experiment file."""
        from mcusim.boards.board import board_names

        if name.endswith(".toml") or "/" in name:
            return str(self.path.absolute().parent / name)
        if name not in board_names():
            self._fail(f"unknown board {name!r}", ["target", "boards"], suggestion(name, board_names()))
        return name

    def _expect_for(self, models: Sequence[Model]) -> tuple[ExpectFor, ...]:
        entries = []
        names = [model.name for model in models]
        for index, table in enumerate(self._array("expect_for")):
            keys: KeyPath = ("expect_for", index)
            entry = self._table(ExpectFor, table, keys)
            if entry.model is not None and entry.model not in names:
                self._fail(f"no model {entry.model!r}", [*keys, "model"], suggestion(entry.model, names))
            entries.append(entry)
        return tuple(entries)

    def _check_names(self, names: list[str]) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                self._fail(f"there are two models {name!r}", ["model", index, "name"], "give each a name of its own")

    # -- errors ----------------------------------------------------------------------------------------------------

    def _table(self, kind: type[_Table], table: Mapping[str, Any], keys: KeyPath) -> _Table:
        try:
            return kind.model_validate(dict(table))
        except ValidationError as error:
            self._fail_validation(kind, error, keys)

    def _fail_validation(self, kind: type[BaseModel], error: ValidationError, keys: KeyPath) -> NoReturn:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        path = [*keys, name] if name else keys
        if first["type"] == "extra_forbidden":
            self._fail(f"unknown key {name!r}", path, suggestion(name, kind.model_fields))
        if first["type"] == "missing":
            self._fail(f"key {name!r} is missing", keys, f"add {name} = ...")
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, Unusable):
            self._fail(str(cause), path, cause.hint)
        self._fail(f"{name!r} is {_shown(first['input'])}", path, _wanted(kind, name, first["msg"]))

    @contextmanager
    def _located(self, keys: KeyPath) -> Iterator[None]:
        """Errors of whoever checks the values inside, with the place in this file."""
        try:
            yield
        except ConfigurationError as error:
            self._fail(error.what, keys, error.hint)

    def _fail(self, what: str, keys: KeyPath, hint: str | None) -> NoReturn:
        raise ConfigurationError(what, where=self._where(keys), hint=hint)

    def _where(self, keys: KeyPath) -> str:
        line = line_of(self.text, keys)
        place = f"{self.path}:{line}" if line else str(self.path)
        return f"{place}, {describe(keys)}" if keys else place


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# What a value should be, where the checker's own words do not say it in the words of the file.
_WANTED = {
    **{name: budget.wanted for name, (budget, _) in BUDGETS.items() if budget.wanted},
    "samples": '"all" or a whole number from 1',
    "boards": 'a list of names, for example ["nucleo_l452re_p"]',
    "jobs": "a whole number from 1; leave it out for one for each core",
}


def _wanted(kind: type[BaseModel], name: str, message: str) -> str:
    if name in _WANTED:
        return f"give {_WANTED[name]}"
    choices = _choices(kind.model_fields[name].annotation) if name in kind.model_fields else []
    if choices:
        return "give " + " or ".join(map(repr, choices))
    return message.removeprefix("Input ").removeprefix("Value error, ")


def _choices(annotation: Any) -> Sequence[str]:
    values = get_args(annotation)
    return values if values and all(isinstance(value, str) for value in values) else []
