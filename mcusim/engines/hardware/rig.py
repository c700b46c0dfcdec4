"""Job -> boards of the hardware map that this run holds until it ends."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from mcusim.engines.engine import Job
from mcusim.engines.hardware.attached import Attached, default_map, names_of, read_map
from mcusim.engines.hardware.locks import BusyError, held
from mcusim.system.errors import ConfigurationError

Unfit = Callable[[Attached], str | None]  # why an engine cannot use a board; None: it can


class Rig(ExitStack):
    """A context. Boards that were taken in it are free again when it ends."""

    def __init__(self, most: int) -> None:
        """Takes at most so many boards of a type."""
        super().__init__()
        self._most = most
        self._taken: dict[tuple[Path | None, str], tuple[Attached, ...]] = {}

    def boards(self, job: Job, unfit: Unfit) -> tuple[Attached, ...]:
        """Boards of the job's type, at least one: those that it has, else all that are free, up to its most.

        Raises ConfigurationError when the hardware map has none that fits, BusyError when others have all of them, and
        none becomes free within `job.wait_s`.
        """
        assert job.board is not None
        key = job.hardware, job.board.name
        if key not in self._taken:
            self._taken[key] = self._take(suited(job.board.name, job.hardware, unfit), job.wait_s)
        return self._taken[key]

    def _take(self, boards: Sequence[Attached], wait_s: float) -> tuple[Attached, ...]:
        taken: list[Attached] = []
        busy: list[BusyError] = []
        for board in boards:
            if len(taken) < self._most:
                try:
                    self.enter_context(held(board))
                    taken.append(board)
                except BusyError as error:
                    busy.append(error)
        if not taken and wait_s:
            self.enter_context(held(boards[0], wait_s))
            taken.append(boards[0])
        if not taken:
            raise busy[0]
        return tuple(taken)


def suited(type_: str, file: Path | None, unfit: Unfit) -> tuple[Attached, ...]:
    """The boards of that type in the map that an engine can use. Raises ConfigurationError when there are none."""
    path = str(file or default_map())
    every = read_map(file)
    of_type = [board for board in every if board.is_type(type_)]
    fit = tuple(board for board in of_type if unfit(board) is None)
    if fit:
        return fit
    if of_type:
        told = [f"{board.id!r} {unfit(board)}" for board in of_type]
        raise ConfigurationError(f"no board {type_!r} can be used: {'; '.join(told)}", where=path, hint=_CORRECT)
    known = f" (it has {names_of(every)})" if every else ""
    hint = f"connect one, then: mcusim hardware add ID {type_}"
    raise ConfigurationError(f"the hardware map has no board of type {type_!r}{known}", where=path, hint=hint)


_CORRECT = "complete its table in the hardware map; mcusim hardware check tells what is missing"
