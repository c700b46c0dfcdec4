"""experiment.toml -> Experiment. Every mistake is named with its key, file and line, before anything takes time."""

import shlex
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from mcusim.boards.load import board_hint, board_names
from mcusim.datasets import DATASETS
from mcusim.datasets.npz_arrays import demand_data
from mcusim.experiment.approximation import Approximation, approximations, tunes
from mcusim.experiment.cascade import Cascade, Cascaded, cascade_name
from mcusim.experiment.engine_choice import check_engines, needs_board
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.exploration import Explore
from mcusim.experiment.kernel_choice import check_kernels, kernel_names
from mcusim.experiment.quantization import Quantization, trained_for
from mcusim.experiment.tables import (
    NO_MARGIN,
    DatasetChoice,
    Expect,
    ExpectFor,
    General,
    Limits,
    Model,
    Regress,
    Target,
    TaskChoice,
    model_name,
)
from mcusim.line.quantize import AS_STORED, DATA_TYPES
from mcusim.models import demand_model, demand_no_other, is_model, may_hold_integers
from mcusim.reports.figures import BUDGETS, OF_CYCLES
from mcusim.system.errors import ConfigurationError, Problems, suggestion
from mcusim.system.toml_file import read_toml
from mcusim.system.validation import Place, validate
from mcusim.training.architectures import ARCHITECTURES, CALIBRATED
from mcusim.training.settings import TrainingSettings

TABLES = (
    *("experiment", "dataset", "task", "training", "model_template", "approximation", "target", "expect", "regress"),
    *("explore", "cascade"),
)
ARRAYS = ("model", "quantization", "expect_for", "approximation")  # the last is either
MOST_ENTRIES = 1000
SYNONYMS = {
    **dict.fromkeys(("models", "network", "networks"), "model"),
    **dict.fromkeys(("data", "datasets", "data_set"), "dataset"),
    **dict.fromkeys(("quantisation", "quantize", "quantizations", "quant"), "quantization"),
    **dict.fromkeys(("approximations", "approximate", "skip", "prune", "pruning"), "approximation"),
    **dict.fromkeys(("board", "boards", "targets", "engine"), "target"),
    **dict.fromkeys(("budget", "budgets", "limits", "expected", "expectations"), "expect"),
    **dict.fromkeys(("regression", "regressions", "baseline", "compare"), "regress"),
    **dict.fromkeys(("train", "epochs", "optimizer"), "training"),
    **dict.fromkeys(("general", "project", "name", "seed"), "experiment"),
    **dict.fromkeys(("template", "models_template"), "model_template"),
    **dict.fromkeys(("exploration", "search", "sweep", "tune", "axes"), "explore"),
}
Limited = TypeVar("Limited", bound=Limits)


def read_experiment(path: Path) -> Experiment:
    """The experiment in a TOML file. Raises ConfigurationError, or ModelError when a model file is not there."""
    return read_tables(path, *read_toml(path))


def read_tables(path: Path, tables: dict[str, Any], text: str) -> Experiment:
    """Likewise, of tables that came from the file of that path and text, and may have been changed since."""
    return _Reader(path, tables, text).read()


def open_experiment(path: Path, **choices: Any) -> Experiment:
    """The experiment in a file, or in the folder's ``experiment.toml``, changed by what `with_options` takes.

    Raises ConfigurationError for what cannot be chosen, and as `read_experiment`.
    """
    demand_no_other(path)
    if path.is_dir():
        path = path / "experiment.toml"
    if is_model(path):
        file = shlex.quote(str(path))
        hint = f"mcusim init {file} [DATA.npz] writes an experiment with it; mcusim generate {file} writes its C"
        raise ConfigurationError(f"{path.name!r} is a model, not an experiment", hint=hint)
    engine = choices.get("engine")
    if engine is not None:
        with Place("engine").located():
            check_engines(engine)
    for board in choices.get("boards", ()):  # also where the engine needs none: a misspelt one is no wish
        if not board.endswith(".toml") and "/" not in board and board not in board_names():
            raise ConfigurationError(f"unknown board {board!r}", where="--board", hint=board_hint(board))
    return read_experiment(path).with_options(**choices)


class _Reader:
    """One experiment file: its tables, the place to name where one is wrong, and all that is wrong."""

    def __init__(self, path: Path, tables: dict[str, Any], text: str) -> None:
        self.path, self.folder = path.absolute(), path.absolute().parent
        self.tables, self.place = tables, Place(str(path), text)
        self.problems = Problems()

    def read(self) -> Experiment:
        """Raises all errors of the file together."""
        self._check_top()
        read: dict[str, Any] = {}
        for part, reader in {
            "general": self._general,
            "dataset": self._dataset,
            "task": self._task,
            "models": self._models,
            "quantizations": self._quantizations,
            "approximations": self._approximations,
            "target": self._target,
            "expect": self._expect,
            "expect_for": self._expect_for,
            "regress": self._regress,
            "explore": self._explore,
        }.items():
            with self.problems.caught():
                read[part] = reader()
        self.problems.tell()
        experiment = Experiment(path=self.path, **read)
        self._check_expect_for(experiment)
        self._check_margin(experiment)
        self.problems.tell()
        return experiment

    def _check_expect_for(self, experiment: Experiment) -> None:
        """What is expected of runs that there are none of would never be looked at."""
        data_types = [entry.data_type for entry in experiment.quantizations]
        boards = [Path(board).stem for board in experiment.target.boards]
        boards += [engine for engine in experiment.engines if not needs_board(engine)]
        for index, entry in enumerate(experiment.expect_for):
            here = self.place.at("expect_for", index)
            for key, value, there in (
                ("data_type", entry.data_type, data_types),
                ("board", entry.board, boards or board_names()),
            ):
                may_be = key == "data_type" and AS_STORED in there and value in DATA_TYPES
                if value is not None and value not in there and not may_be:
                    what = f"no run of the experiment has {key} {value!r}"
                    self.problems.add(here.at(key).error(what, suggestion(value, set(there))))

    def _check_margin(self, experiment: Experiment) -> None:
        """One that no budget can count in was meant for something else."""
        tables: dict[tuple[str | int, ...], Expect] = {("expect",): experiment.expect}
        tables |= {("expect_for", index): entry for index, entry in enumerate(experiment.expect_for)}
        limits = [name for name, (_, figure) in BUDGETS.items() if figure.key in OF_CYCLES]
        if any(name in table.limits for table in tables.values() for name in limits):
            return
        for keys, table in tables.items():
            if table.margin not in (None, NO_MARGIN):
                what = "'margin' is the error of modelled cycles, and no budget is one of cycles"
                self.problems.add(self.place.at(*keys, "margin").error(what, f"add one of {', '.join(limits)}"))

    def _table(self, name: str) -> dict[str, Any]:
        return dict(self.tables.get(name, {}))

    def _array(self, name: str) -> list[tuple[Place, dict[str, Any]]]:
        return [(self.place.at(name, index), table) for index, table in enumerate(self.tables.get(name, []))]

    def _check_top(self) -> None:
        """What is no table of ours is told, and left out from here on."""
        sound = {}
        for name, value in self.tables.items():
            with self.problems.caught():
                self._check_table(name, value, self.place.at(name))
                sound[name] = value
        self.misshapen = self.tables.keys() - sound.keys()
        self.tables = sound

    def _check_table(self, name: str, value: Any, here: Place) -> None:
        if name not in (*TABLES, *ARRAYS):
            raise here.error(f"unknown table or key {name!r}", suggestion(name, (*TABLES, *ARRAYS), SYNONYMS))
        if name in TABLES and isinstance(value, dict):
            return
        if name not in ARRAYS:
            raise here.error(f"{name!r} is no table", f"write it as [{name}]")
        is_array = isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
        if not is_array:
            raise here.error(f"{name!r} is no list of tables", f"write it as [[{name}]]")
        if len(value) > MOST_ENTRIES:
            raise here.error(f"there are {len(value)} [[{name}]]", f"at most {MOST_ENTRIES}")

    def _general(self) -> General:
        stem = self.path.stem if self.path.stem != "experiment" else self.folder.name
        table = {"name": stem or "experiment", **self._table("experiment")}
        return validate(General, table, self.place.at("experiment"))

    def _lacks(self, name: str) -> bool:
        """Not there, and nothing that was told already may have been meant for it."""
        meant = {SYNONYMS.get(other.lower(), other) for other in self.misshapen}
        return name not in self.tables and name not in meant

    def _dataset(self) -> DatasetChoice:
        """Without one, samples are made up, of which a model to train learns nothing."""
        trains = any("file" not in table for _, table in self._array("model"))
        if self._lacks("dataset") and trains:
            raise self.place.error("the experiment has no [dataset]", "[dataset] with name = 'digits'")
        if "dataset" not in self.tables:
            return DatasetChoice()  # told before, or not needed
        here = self.place.at("dataset")
        choice = validate(DatasetChoice, self._table("dataset"), here)
        with here.located():
            choice.demand_one()
        if choice.name is not None and choice.name not in DATASETS:
            raise here.at("name").error(f"unknown data set {choice.name!r}", suggestion(choice.name, DATASETS))
        if choice.file is not None and choice.file not in DATASETS:
            with self.problems.caught():
                demand_data(self.folder / choice.file, str(here.at("file")))
        return choice

    def _task(self) -> TaskChoice:
        here = self.place.at("task")
        choice = validate(TaskChoice, self._table("task"), here)
        if choice.kind is not None and "task" in self._table("dataset"):
            raise here.at("kind").error("the task is told twice, here and as [dataset] task", "remove one")
        return choice

    def _models(self) -> tuple[Model, ...]:
        models = []
        for here, table in self._array("model"):
            with self.problems.caught():
                models.append(self._model(here, table))
        if self._lacks("model"):
            hint = "[[model]] with file = 'model.keras'; mcusim init model.keras data.npz writes a whole experiment"
            raise self.place.error("the experiment has no [[model]]", hint)
        with self.problems.caught():
            models += self._cascades(models)
        self._check_names([model.name for model in models])
        return tuple(models)

    def _cascades(self, models: list[Model]) -> list[Model]:
        """One more model, where there is a [cascade] of two of them."""
        if "cascade" not in self.tables or len(models) < len(self._array("model")):
            return []  # or told before
        here, there = self.place.at("cascade"), {model.name: model for model in models}
        chosen = validate(Cascade, self._table("cascade"), here)
        for key, name in (("first", chosen.first), ("then", chosen.then)):
            if name not in there:
                raise here.at(key).error(f"no model {name!r}", suggestion(name, there))
        if chosen.max_drop is not None and self._lacks("dataset"):
            hint = "add [dataset], with x_train and y_train, or give a threshold"
            raise here.at("max_drop").error(
                "what may be lost is seen on training samples, and there is no [dataset]", hint
            )
        first, then = there[chosen.first], there[chosen.then]
        if first.file is not None and then.file is not None and first.file.resolve() == then.file.resolve():
            raise here.error(
                f"{chosen.first!r} and {chosen.then!r} are the same file", "name a smaller model as 'first'"
            )
        return [Cascaded.of((first, then), chosen)]

    def _model(self, here: Place, own: dict[str, Any]) -> Model:
        """A [[model]] over the [model_template] over the [training] table."""
        template = self._table("model_template")
        if "file" in own:  # a trained model has no architecture: what the template says of training is not for it
            of_training = ("architecture", "parameters", "training")
            template = {key: value for key, value in template.items() if key not in of_training}
        _check_inner(own, here)
        _check_inner(template, self.place.at("model_template"))
        merged = {**template, **own}
        merged["parameters"] = {**template.get("parameters", {}), **own.get("parameters", {})}
        merged["training"] = self._settings(template.get("training", {}), own.get("training", {}), here)
        if "architecture" not in merged and "quantization" not in own.get("training", {}):
            merged["training"] = merged["training"].model_copy(update={"quantization": None})
        if isinstance(merged.get("file"), str):
            merged["file"] = self._model_file(merged["file"], here.at("file"))
        model = validate(Model, merged, here)
        self._check_architecture(model, own, here)
        return model

    def _settings(self, template: dict[str, Any], own: dict[str, Any], model: Place) -> TrainingSettings:
        """[training], then the template's, then the model's own: each checked alone, to name the one that is wrong."""
        tables = {self.place: self._table("training"), self.place.at("model_template"): template, model: own}
        merged: dict[str, Any] = {}
        for parent, table in tables.items():
            validate(TrainingSettings, table, parent.at("training"))
            merged |= table
        settings = TrainingSettings(**merged)
        if settings.quantization:
            trained_for(settings.quantization, model.at("training").at("quantization"))
        return settings

    def _model_file(self, name: str, here: Place) -> Path:
        path = self.folder / name
        demand_model(path, str(here))
        return path

    def _check_architecture(self, model: Model, own: Mapping[str, Any], here: Place) -> None:
        if model.architecture is None:
            of_file = () if model.is_trained or tunes(self.tables.get("approximation")) else ("training",)
            for key in ("parameters", *of_file):
                if key in own:
                    raise here.at(key).error(f"model {model.name!r} comes from a file: {key!r} has no use", "remove it")
            return
        architecture = ARCHITECTURES.get(name := model.architecture)
        if architecture is None:
            raise here.at("architecture").error(f"unknown architecture {name!r}", suggestion(name, ARCHITECTURES))
        try:
            architecture.demand_known(model.parameters)
        except ConfigurationError as error:
            raise here.at("parameters").error(error.what, error.hint) from None
        if model.training.quantization and not architecture.for_integers:
            raise here.at("training").at("quantization").error(f"{name!r} cannot be trained for integers", CALIBRATED)

    def _quantizations(self) -> tuple[Quantization, ...]:
        chosen: list[Quantization] = []
        for here, table in self._array("quantization") or [(self.place, {"data_type": self._stored_type()})]:
            with self.problems.caught():
                entry = validate(Quantization, table, here)
                if entry.label in (other.label for other in chosen):
                    raise here.error(f"{entry.label} is there twice", "remove one")
                chosen.append(entry)
        return tuple(chosen)

    def _stored_type(self) -> str:
        """What models are run in where nothing is said of it: a file may hold other numbers than float32."""
        template = self._table("model_template")
        files = ({**template, **table}.get("file") for _, table in self._array("model"))
        named = (Path(name) for name in files if isinstance(name, str))
        return AS_STORED if any(map(may_hold_integers, named)) else "float32"

    def _approximations(self) -> tuple[Approximation, ...]:
        told, here = self.tables.get("approximation", []), self.place.at("approximation")
        if "approximation" in self.tables and self._lacks("dataset"):
            hint = "add [dataset], with samples that the model was trained with (x_train)"
            raise here.error("what can be skipped is seen on training samples, and there is no [dataset]", hint)
        return approximations(told, here, self.problems, self._model_names)

    def _target(self) -> Target:
        here = self.place.at("target")
        target = validate(Target, self._table("target"), here)
        with here.at("engine").located():
            check_engines(target.engine)
        with here.at("kernels").located():
            check_kernels(target.kernels, kernel_names())
        boards = []
        for name in target.boards:
            with self.problems.caught():
                boards.append(self._board(name, here.at("boards")))
        if len(set(boards)) < len(boards):
            raise here.at("boards").error("a board is there twice", "remove one")
        hardware = target.hardware and self.folder / target.hardware
        return target.model_copy(update={"boards": tuple(boards), "hardware": hardware})

    def _board(self, name: str, here: Place) -> str:
        """A board's name; its file's path as seen from the experiment file."""
        if name.endswith(".toml") or "/" in name:
            return str(self.folder / name)
        if name not in board_names():
            raise here.error(f"unknown board {name!r}", board_hint(name))
        return name

    def _expect(self) -> Expect:
        return self._with_lines(validate(Expect, self._table("expect"), self.place.at("expect")), "expect")

    def _with_lines(self, limits: Limited, *keys: str | int) -> Limited:
        """Who is told of a broken budget wants to see where it stands."""
        lines = {name: self.place.at(*keys, name).line for name in limits.limits}
        limits.written_at({name: line for name, line in lines.items() if line})
        return limits

    def _regress(self) -> Regress:
        return self._with_lines(validate(Regress, self._table("regress"), self.place.at("regress")), "regress")

    def _explore(self) -> Explore:
        return validate(Explore, self._table("explore"), self.place.at("explore"))

    def _expect_for(self) -> tuple[ExpectFor, ...]:
        entries, names = [], self._model_names
        for here, table in self._array("expect_for"):
            with self.problems.caught():
                entry = self._with_lines(validate(ExpectFor, table, here), *here.keys)
                if entry.model is not None and entry.model not in names:
                    raise here.at("model").error(f"no model {entry.model!r}", suggestion(entry.model, names))
                entries.append(entry)
        return tuple(entries)

    @cached_property
    def _model_names(self) -> list[str]:
        template = self._table("model_template")
        names = list(filter(None, (model_name({**template, **table}) for _, table in self._array("model"))))
        if cascade := self._table("cascade"):
            names.append(cascade_name(str(cascade.get("first")), str(cascade.get("then"))))
        return names

    def _check_names(self, names: list[str]) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                here = self.place.at("model", index, "name")
                raise here.error(f"there are two models {name!r}", "give each a name of its own")


def _check_inner(table: Mapping[str, Any], here: Place) -> None:
    """`parameters` and `training` are merged before they are checked, and so have to be tables."""
    for key in ("parameters", "training"):
        if not isinstance(table.get(key, {}), dict):
            raise here.at(key).error(f"{key!r} is no table", f"{key} = {{ ... }}")
