"""The recording that a run left -> what it cost on its board."""

from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.boards.chip import Chip
from mcusim.boards.load import load_board
from mcusim.cores import core_of
from mcusim.system.errors import ConfigurationError
from mcusim.timing.load_recording import load
from mcusim.timing.parameters import CoreParameters
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.recording import Recording


@dataclass(frozen=True)
class Priced:
    """`profile` at the clock of the run."""

    recording: Recording
    board: Board
    profile: Profile


def priced(path: Path, clock_hz: int | None) -> Priced:
    """Raises McusimError: for a file that is none, a board that is not here, a core whose cycles nobody knows."""
    recording = load(path)
    board = load_board(recording.board)
    parameters = parameters_of(board.chip)
    return Priced(recording, board, price_recording(recording, board.chip, clock_hz or board.clock_hz, parameters))


def parameters_of(chip: Chip) -> CoreParameters:
    """Of its core. Raises ConfigurationError where nobody knows its cycles."""
    core = core_of(chip)
    if core.TIMING is None:
        hint = "profile it for a board with another core: mcusim boards lists them"
        raise ConfigurationError(f"nobody knows the cycles of a {core.NAME}", where=f"chip {chip.name!r}", hint=hint)
    return core.TIMING
