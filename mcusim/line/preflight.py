"""What would make every run fail is found before anything takes long: tools, boards, the output folder."""

from __future__ import annotations

from pathlib import Path

from mcusim.boards.board import Board
from mcusim.boards.load import board_names, load_board
from mcusim.engines import ENGINES
from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.system import toolchain
from mcusim.system.errors import MissingToolError


def check_line(experiment: Experiment) -> None:
    """For the whole line. Raises MissingToolError, or ConfigurationError for a board."""
    try:
        check_build(experiment)
        for engine in experiment.engines:
            missing = ENGINES[engine].missing()
            if missing:
                raise missing
    except MissingToolError as error:
        instead = "" if experiment.engines == ("host",) else "; or run on this machine: --engine host"
        raise MissingToolError(error.what, where=error.where, hint=f"{error.hint or 'install it'}{instead}") from None


def check_build(experiment: Experiment) -> None:
    """For a line that ends at the firmware."""
    boards = {case.board: board_of(case) for case in experiment.cases()}
    if experiment.boards == (None,):
        toolchain.host_toolchain()
        return
    for board in boards.values():
        toolchain.arm_toolchain(board)


def check_out(out: Path) -> None:
    """Raises OSError when nothing can be written to the folder, which is created."""
    out.mkdir(parents=True, exist_ok=True)
    probe = out / ".mcusim-writes-here"
    probe.write_bytes(b"")
    probe.unlink()


def board_of(case: Case) -> Board:
    """What a case without a board runs does not depend on one, and gets any."""
    return load_board(case.board or board_names()[0])
