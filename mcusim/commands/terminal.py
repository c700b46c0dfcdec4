"""How far a run is, on standard error: bars for people, one line for each run for logs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.status import Status
from rich.text import Text

from mcusim.commands.session import Session
from mcusim.system.names import printable

if TYPE_CHECKING:
    from mcusim.reports.report import Run

LOG_WIDTH = 120  # where there is no terminal to ask


def output() -> Console:
    """Standard output, for results."""
    return Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else LOG_WIDTH, highlight=False)


class Terminal:
    """A Watcher. Bars only on a terminal, and not in CI, whose logs keep every frame."""

    def __init__(self, session: Session) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.interactive = self.console.is_terminal and not os.environ.get("CI")
        self._session = session
        self._live: Status | Progress | None = None
        self._stage = ""
        session.closers.append(self._end)

    def stage(self, text: str) -> None:
        self._end()
        self._stage = printable(text)
        if self.interactive:
            self._live = Status(Text(self._stage), console=self.console)
            self._live.start()

    def training(self, text: str) -> None:
        self._end()
        self._stage = printable(text)
        if not self.interactive:
            self._line(self._stage)

    def progress(self, done: int, total: int) -> None:
        if not self.interactive:
            return
        if not isinstance(self._live, Progress):
            self._end()
            self._live = _bar(self.console)
            self._live.start()
            self._live.add_task(self._stage, total=total)
        self._live.update(self._live.task_ids[0], completed=done)

    def finished(self, run: Run, number: int, total: int) -> None:
        self._end()
        self._session.finished_runs = number
        place = f"[{number}/{total}] {run.label}"
        if run.error:
            self._line(f"{place}: failed: {run.error.message}")
            return
        accuracy = f"accuracy {run.accuracy:.2%}, " if run.accuracy is not None else ""
        speed = f", {run.samples / run.wall_s:,.0f} samples/s" if run.wall_s else ""
        self._line(f"{place}: {accuracy}{run.samples:,} samples, {run.mismatches} mismatches{speed}")

    def _line(self, text: str) -> None:
        self.console.print(Text(printable(text)), soft_wrap=True)

    def _end(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} samples/s" if speed else "")


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
