"""Who is told how far a run is. `commands/terminal.py` shows it to people; tests and scripts may listen too."""

from mcusim.reports.report import Run
from mcusim.system.progress import Listener
from mcusim.training.course import TrainingProgress


class Watcher(Listener):
    """Inherit from `Silent` to hear some of it: a later version may tell more."""

    def training(self, text: str) -> None:
        """A training begins."""

    def learning(self, progress: TrainingProgress) -> None:
        """How far it is, after every batch."""

    def progress(self, done: int, total: int) -> None:
        """Samples done by the engine."""

    def finished(self, run: Run, number: int, total: int) -> None:
        """The `number`-th of `total` runs is done and in the report."""


class Silent(Watcher):
    """Nobody."""
