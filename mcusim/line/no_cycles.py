"""Engine + board + [target] -> why no cycles are modelled there."""

from mcusim.boards.board import Board
from mcusim.cores import core_of
from mcusim.engines.engine import Facts
from mcusim.experiment.tables import Target


def why_no_cycles(facts: Facts, board: Board | None, target: Target) -> str | None:
    """None where they are modelled."""
    if not facts.profiles or board is None:
        return f"engine {facts.name} has no clock to count by"
    if not target.timing_samples:
        return "timing_samples is 0"
    if board.chip.timing is None:
        return f"the file of chip {board.chip.name} has no [timing]"
    if core_of(board.chip).TIMING is None:
        return f"the cycles of core {board.chip.core} are not known"
    return None
