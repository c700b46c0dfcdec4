"""What an experiment is: data set, models, quantizations, boards, budgets. `read.py` reads one from TOML."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import Any

from mcusim.boards.load import board_names
from mcusim.experiment.approximation import Approximation
from mcusim.experiment.case import Case
from mcusim.experiment.engine_choice import needs_board
from mcusim.experiment.exploration import Explore
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import (
    NO_MARGIN,
    DatasetChoice,
    Expect,
    ExpectFor,
    General,
    Model,
    Regress,
    Target,
    TaskChoice,
)
from mcusim.line.quantize import DATA_TYPE_WORDS
from mcusim.system.errors import ConfigurationError, suggestion
from mcusim.system.names import file_name
from mcusim.system.validation import Table
from mcusim.timing.timing import Margin


class Experiment(Table):
    """All of an experiment file. `path` is where it lies."""

    path: Path
    general: General
    dataset: DatasetChoice = DatasetChoice()
    task: TaskChoice = TaskChoice()
    models: tuple[Model, ...]
    quantizations: tuple[Quantization, ...]
    approximations: tuple[Approximation, ...] = ()
    target: Target = Target()
    expect: Expect = Expect()
    expect_for: tuple[ExpectFor, ...] = ()
    regress: Regress = Regress()
    explore: Explore = Explore()

    @property
    def name(self) -> str:
        return self.general.name

    @property
    def scoring(self) -> TaskChoice:
        """[task], with the kind that [dataset] task tells."""
        kind = self.task.kind if self.task.kind is not None else self.dataset.task
        return self.task.model_copy(update={"kind": kind})

    def trainings(self) -> Iterator[tuple[Model, int]]:
        """(model, repeat): a model from a file that is not trained is always the same one, so it has no repeats."""
        for model in self.models:
            for repeat in range(self.general.repeats if model.trains else 1):
                yield model, repeat

    def approximations_of(self, model: Model) -> tuple[Approximation | None, ...]:
        """None where nothing is skipped, as in a model that all of them leave alone."""
        return tuple(one for one in self.approximations if one.model in (None, model.name)) or (None,)

    @property
    def engines(self) -> tuple[str, ...]:
        """Where each case runs, one after the other."""
        return self.target.engines

    @property
    def boards(self) -> tuple[str | None, ...]:
        """The boards to run on: all that come with mcusim where none is named; None when no engine needs one."""
        return self.target.boards or board_names() if self._on_boards else (None,)

    @property
    def _on_boards(self) -> bool:
        return any(map(needs_board, self.engines))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was chosen because the file does not say it."""
        if not self._on_boards or self.target.boards:
            return ()
        return ("the experiment names no board: it ran on all that come with mcusim ([target] boards chooses)",)

    @property
    def files(self) -> Iterator[Path]:
        """What it reads besides itself, as far as it is there.

        A board's chip and platform lie beside it.
        """
        for model in self.models:
            if model.file:
                yield from files_of_model(model.file)
        if self.dataset.file:
            yield self.path.parent / self.dataset.file
        for board in filter(None, self.boards):
            if board.endswith(".toml"):
                yield from (path for path in Path(board).parent.glob("*") if path.suffix in (".toml", ".repl"))

    def cases(self) -> Iterator[Case]:
        """Every run, boards and engines innermost: what they share is done once."""
        taken: dict[str, int] = {}
        numbers = (
            (model, repeat, quantization, approximation)
            for (model, repeat), quantization in itertools.product(self.trainings(), self.quantizations)
            for approximation in self.approximations_of(model)
        )
        for (model, repeat, quantization, approximation), board, engine in itertools.product(
            numbers, self.boards, self.engines
        ):
            case = Case("", model, repeat, quantization, board, engine, approximation)
            name = self._id(case)
            taken[name] = count = taken.get(name, 0) + 1
            yield replace(case, id=name if count == 1 else f"{name}--{count}")

    def _id(self, case: Case) -> str:
        """What the parts of a case are called; two cases may be called the same."""
        repeat = f"repeat{case.repeat}" if case.repeat else ""
        engine = case.engine if len(self.engines) > 1 else ""
        parts = (case.model.name, repeat, case.quantization.label, case.variant, case.board_name, engine)
        return "-".join(file_name(part.replace(" ", "_")) for part in parts if part)

    def limits(self, case: Case, data_type: str | None = None) -> dict[str, float]:
        """Budgets of a run by name; a later [[expect_for]] replaces what it names.

        `data_type`: that of the run, where the case only says that it is the file's.
        """
        return {name: limit for table in self._expected_of(case, data_type) for name, limit in table.limits.items()}

    def lines(self, case: Case, data_type: str | None = None) -> dict[str, int]:
        """Of the file, where these budgets stand."""
        return {name: line for table in self._expected_of(case, data_type) for name, line in table.lines.items()}

    def margin(self, case: Case, data_type: str | None = None) -> Margin | None:
        """What of the model's error these budgets count in, likewise."""
        told = None
        for table in self._expected_of(case, data_type):
            told = table.margin or told
        return None if told in (None, NO_MARGIN) else told

    def _expected_of(self, case: Case, data_type: str | None) -> Iterator[Expect]:
        """[expect], and what comes after it of [[expect_for]]."""
        yield self.expect
        words = {case.quantization.data_type, data_type}
        for entry in self.expect_for:
            if any(entry.concerns(case.model.name, word, case.board_name) for word in words if word):
                yield entry

    def with_options(
        self,
        *,
        boards: Sequence[str] = (),
        models: Sequence[str] = (),
        data_types: Sequence[str] = (),
        seed: int | None = None,
        **target: Any,
    ) -> "Experiment":
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
            if name not in DATA_TYPE_WORDS:
                raise ConfigurationError(f"unknown data type {name!r}", hint=suggestion(name, DATA_TYPE_WORDS))
            own = [entry for entry in self.quantizations if entry.data_type == name]
            chosen += own or [Quantization(data_type=name)]
        return tuple(chosen) if names else self.quantizations


def files_of_model(file: Path) -> Iterator[Path]:
    """It, and weights that lie beside it in a file that is called after it, as far as they are there."""
    return file.parent.glob(f"{escape(file.stem)}*")
