"""How far a run is, on standard error: bars for people, one line for each run for logs."""

import os
import sys

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.status import Status
from rich.text import Text

from mcusim.commands.session import Session
from mcusim.line.watcher import Watcher
from mcusim.reports.report import Run
from mcusim.system.names import printable
from mcusim.training.course import TrainingProgress

NARROWEST = 40
LOG_WIDTH = 120  # where there is no terminal to ask


def output() -> Console:
    """Standard output, for results."""
    console = _Output(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else LOG_WIDTH, highlight=False)
    console.width = max(console.width, NARROWEST)  # COLUMNS may say anything
    return console


class _Output(Console):
    """rich would end the process with exit code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Terminal(Watcher):
    """Bars only on a terminal, and not in CI, whose logs keep every frame."""

    def __init__(self, session: Session) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.interactive = self.console.is_terminal and not os.environ.get("CI")
        self._session = session
        self._live: Status | Progress | None = None
        self._stage = ""
        self._told_of_download = False
        self._told_of_before = False
        session.closers.append(self._end)

    def stage(self, text: str) -> None:
        self._begin(text)
        if self.interactive:
            self._live = Status(Text(self._stage), console=self.console)
            self._live.start()

    def downloading(self, done_bytes: int, total_bytes: int) -> None:
        if self.interactive:
            columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._move(columns, done_bytes, total_bytes, stays=True)
        elif not self._told_of_download:
            self._told_of_download = True
            self._line(f"{self._stage}: downloading" + (f" {decimal(total_bytes)}" if total_bytes else ""))

    def training(self, text: str) -> None:
        self._begin(text)
        self._told_of_before = False
        if not self.interactive:
            self._line(self._stage)

    def learning(self, progress: TrainingProgress) -> None:
        if progress.before and not self._told_of_before and not self.interactive:
            self._told_of_before = True
            self._line(f"{self._stage}: goes on after epoch {progress.before} of {progress.all_epochs}")
        columns = (TextColumn("{task.fields[state]}", markup=False), TimeElapsedColumn(), TimeRemainingColumn())
        self._move(columns, progress.batches, progress.all_batches, stays=True, state=_state(progress))

    def progress(self, done: int, total: int) -> None:
        self._move((MofNCompleteColumn(), _Rate(), TimeRemainingColumn()), done, total)

    def finished(self, run: Run, number: int, total: int) -> None:
        self._end()
        self._session.finished_runs = number
        place = f"[{number}/{total}] {run.label}"
        if run.error:
            after = f" after {run.samples:,} samples" if run.failed_halfway else ""
            self._line(f"{place}: failed{after}: {run.error.message}")
            return
        accuracy = f"accuracy {run.accuracy:.2%}, " if run.accuracy is not None else ""
        speed = f", {run.samples / run.wall_s:,.0f} samples/s" if run.wall_s else ""
        self._line(f"{place}: {accuracy}{run.samples:,} samples, {run.mismatches} mismatches{speed}")

    def _begin(self, text: str) -> None:
        self._end()
        self._stage = printable(text)
        self._told_of_download = False

    def _move(
        self, columns: tuple[ProgressColumn, ...], done: int, total: int, *, stays: bool = False, state: str = ""
    ) -> None:
        """The bar of this stage, drawn when it moves first. One that `stays` is left on the terminal at its end."""
        if not self.interactive:
            return
        if not isinstance(self._live, Progress):
            self._end()
            name = TextColumn("{task.description}", markup=False)
            self._live = Progress(name, BarColumn(24), *columns, console=self.console, transient=not stays)
            self._live.add_task(self._stage, total=total or None, completed=done, state=state)
            self._live.start()
        self._live.update(self._live.task_ids[0], completed=done, state=state)

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


def _state(progress: TrainingProgress) -> str:
    epoch = f"epoch {progress.epochs}/{progress.all_epochs}"
    if progress.last is None:
        return epoch
    last = progress.last
    told = [epoch, f"loss {last.loss:.4f}", "" if last.accuracy is None else f"accuracy {last.accuracy:.2%}"]
    told.append("" if last.validation_accuracy is None else f"validation {last.validation_accuracy:.2%}")
    told.append("" if last.validation_loss is None else f"validation loss {last.validation_loss:.4f}")
    return "  ".join(filter(None, told))
