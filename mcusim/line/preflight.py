"""What would make every run fail is found before anything takes long: tools, boards, the output folder."""

from __future__ import annotations

from pathlib import Path

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.line.stages import Stages
from mcusim.system.errors import MissingToolError


def check_line(experiment: Experiment, stages: Stages) -> None:
    """For the whole line. Raises MissingToolError, or ConfigurationError for a board."""
    engines = [stages.engines[name] for name in experiment.engines]
    try:
        check_build(experiment, stages)
        for engine in engines:
            if missing := engine.missing():
                raise missing
    except MissingToolError as error:
        without_board = (name for name, engine in stages.engines.items() if not engine.FACTS.needs_board)
        another = next(without_board, None) if all(engine.FACTS.needs_board for engine in engines) else None
        instead = f"; or run on this machine: --engine {another}" if another else ""
        raise MissingToolError(error.what, where=error.where, hint=f"{error.hint or 'install it'}{instead}") from None


def check_build(experiment: Experiment, stages: Stages) -> None:
    """For a line that ends at the firmware."""
    for case in {(case.engine, case.board): case for case in experiment.cases()}.values():
        stages.check_tools(stages.engines[case.engine].FACTS, board_of(case))


def check_out(out: Path) -> None:
    """Raises OSError when nothing can be written to the folder, which is created."""
    out.mkdir(parents=True, exist_ok=True)
    probe = out / ".mcusim-writes-here"
    probe.write_bytes(b"")
    probe.unlink()


def board_of(case: Case) -> Board | None:
    """None where its engine needs none."""
    return None if case.board is None else load_board(case.board)
