"""What would make every run fail is found before anything takes long: tools, boards, the output folder."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.engines.hardware.rig import suited
from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.line.emit import emit_energy_pin
from mcusim.line.stages import STAGES, Stages
from mcusim.line.trained import stamp
from mcusim.line.tuned import SUFFIX
from mcusim.system.errors import ConfigurationError, MissingToolError, Problems
from mcusim.training import keras_setup
from mcusim.training.tuning import TABLE

ALWAYS_WRITTEN = ("report.json", "report-before.json", "explain.json", "models", "library", "export", "mcusim-bug.txt")


def check_line(experiment: Experiment, stages: Stages, out: Path, *, may_train: bool = True) -> None:
    """For the whole line into the folder `out`. Raises all that is missing, or ConfigurationError for a board."""
    problems = Problems()
    with problems.caught():
        _check_boards(experiment, stages)
    if may_train:
        for check in (_check_training, _check_tuning):
            with problems.caught():
                check(experiment, out / "models")
    problems.tell()


def _check_boards(experiment: Experiment, stages: Stages) -> None:
    engines = [stages.engines[name] for name in experiment.engines]
    without_board = (name for name, engine in stages.engines.items() if not engine.FACTS.needs_board)
    another = next(without_board, None) if all(engine.FACTS.needs_board for engine in engines) else None
    instead = f"; or run on this machine: --engine {another}" if another else ""
    absent: list[MissingToolError] = []
    try:
        check_build(experiment, stages)
    except MissingToolError as error:
        absent.append(error)
    absent += filter(None, (engine.missing() for engine in engines))
    problems = Problems()
    with problems.caught():
        _check_attached(experiment, stages)
    for tool in absent:
        hint = f"{tool.hint or 'install it'}{instead}"
        problems.add(MissingToolError(tool.what, where=tool.where, hint=hint))
    problems.tell()


def _check_attached(experiment: Experiment, stages: Stages) -> None:
    """Engines that run on real boards find one of each type in the map, and the pin that it is to raise."""
    silicon = [name for name in experiment.engines if stages.engines[name].FACTS.silicon]
    for board in map(load_board, filter(None, experiment.boards if silicon else ())):
        suited(board.name, experiment.target.hardware, lambda _: None)
        if experiment.target.energy_pin:
            emit_energy_pin(board)


def _check_training(experiment: Experiment, folder: Path) -> None:
    """A model that was trained before needs nothing; whether it was with these settings the data set tells, later."""
    to_train = (
        model
        for model, repeat in experiment.trainings()
        if model.is_trained and not stamp(folder, model, repeat).exists()
    )
    model = next(to_train, None)
    if model and (missing := keras_setup.missing()):
        hint = f"{missing.hint}; or give a trained model: file = .."
        raise MissingToolError(f"{missing.what}: model {model.name!r} is to be trained", hint=hint)


def _check_tuning(experiment: Experiment, folder: Path) -> None:
    """Likewise: what was tuned before needs nothing."""
    tunes = any(one.tuning for one in experiment.approximations) and not any(folder.glob(f"*{SUFFIX}"))
    if tunes and (missing := keras_setup.missing()):
        raise MissingToolError(f"{missing.what}: weights are to be tuned", hint=f"{missing.hint}; or leave {TABLE} out")


def check_build(experiment: Experiment, stages: Stages) -> None:
    """For a line that ends at the firmware."""
    for case in {(case.engine, case.board): case for case in experiment.cases()}.values():
        stages.check_tools(stages.engines[case.engine].FACTS, board_of(case))


def check_machine(experiment: Experiment, engines: Sequence[str]) -> None:
    """Raises MissingToolError for what this machine lacks to build the cases of an experiment and run `engines`."""
    check_build(experiment, STAGES)
    for name in engines:
        if missing := STAGES.engines[name].missing():
            raise missing


def check_out(out: Path, names: Iterable[str] = ()) -> None:
    """Raises OSError when nothing can be written to the folder, which is created. `names`: what else is written there.

    ConfigurationError for a link among them that leads out of it: what is written there would change other files.
    """
    out.mkdir(parents=True, exist_ok=True)
    handle, probe = tempfile.mkstemp(prefix=".mcusim-writes-here-", dir=out)
    os.close(handle)
    os.unlink(probe)
    top = os.path.realpath(out)
    for path in _below(top, {*ALWAYS_WRITTEN, *names}):
        if os.path.islink(path) and os.path.commonpath([top, os.path.realpath(path)]) != top:
            what = f"{os.path.relpath(path, top)!r} leads out of the folder for results, to {os.readlink(path)!r}"
            hint = "remove that link, or name another folder: --out"
            raise ConfigurationError(what, where=str(out), hint=hint)


def _below(top: str, names: Iterable[str]) -> Iterator[str]:
    """These, and all that is in them."""
    for name in names:
        yield os.path.join(top, name)
        for folder, folders, files in os.walk(os.path.join(top, name)):
            yield from (os.path.join(folder, inside) for inside in (*folders, *files))


def board_of(case: Case) -> Board | None:
    """None where its engine needs none."""
    return None if case.board is None else load_board(case.board)
