"""Who is told how far a run is. `commands/terminal.py` shows it to people; tests and scripts may listen too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mcusim.reports.report import Run


class Watcher(Protocol):
    """`interactive`: may progress bars be drawn?"""

    @property
    def interactive(self) -> bool: ...

    def stage(self, text: str) -> None:
        """Something begins that may take a while."""

    def training(self, text: str) -> None:
        """A training begins, which shows its own progress when `interactive`."""

    def progress(self, done: int, total: int) -> None:
        """Samples done by the engine."""

    def finished(self, run: Run, number: int, total: int) -> None:
        """The `number`-th of `total` runs is done and in the report."""


class Silent:
    """Nobody."""

    interactive = False

    def stage(self, text: str) -> None: ...

    def training(self, text: str) -> None: ...

    def progress(self, done: int, total: int) -> None: ...

    def finished(self, run: Run, number: int, total: int) -> None: ...
