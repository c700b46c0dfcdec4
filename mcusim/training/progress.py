"""The bar on the terminal while a model trains."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class EpochBar:
    """Moves with every batch, tells loss and accuracy of the last finished epoch. On standard error."""

    def __init__(self, name: str, epochs: int, batches: int, *, shown: bool) -> None:
        self._epochs = epochs
        self._finished = 0
        self._bar = Progress(
            TextColumn("{task.fields[name]}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            refresh_per_second=5,
            disable=not shown,
        )
        self._task = self._bar.add_task("", total=epochs * batches, name=f"train {name}", state=self._state(""))

    def step(self) -> None:
        self._bar.advance(self._task)

    def finish(self, loss: float, accuracy: float, validation: float | None) -> None:
        """One epoch is done."""
        self._finished += 1
        judged = f"  validation {validation:.2%}" if validation is not None else ""
        self._bar.update(self._task, state=self._state(f"  loss {loss:.4f}  accuracy {accuracy:.2%}{judged}"))

    def _state(self, figures: str) -> str:
        return f"epoch {self._finished}/{self._epochs}{figures}"

    def __enter__(self) -> EpochBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
