"""What brings a board back that answers nothing: commands of the hardware map."""

from mcusim.engines.hardware.attached import Attached
from mcusim.system.command import run
from mcusim.system.errors import EngineError, MissingToolError

LONGEST_S = 60.0


def reset(board: Attached) -> bool:
    """By the map's command; without one connecting anew is the reset. Raises EngineError when that fails."""
    if board.reset:
        _run(board, "reset", board.reset)
    return True


def power_cycle(board: Attached) -> bool:
    """False when the map has no command for it. Raises EngineError when that fails."""
    if board.power:
        _run(board, "power", board.power)
    return bool(board.power)


def _run(board: Attached, key: str, words: tuple[str, ...]) -> None:
    hint = f"try it by hand, or correct '{key}' of the board in the hardware map"
    told = f"the {key} command of board {board.id!r}"
    try:
        done = run(words, timeout_s=LONGEST_S)
    except MissingToolError as error:
        raise EngineError(f"{told}: {error.what}", where=" ".join(words), hint=hint) from error
    if done.returncode:
        words_of_it = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        what = f"{told} failed with exit code {done.returncode}: {words_of_it}"
        raise EngineError(what, where=" ".join(words), hint=hint)
