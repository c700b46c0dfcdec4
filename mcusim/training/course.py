"""How far a training is."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mcusim.training.settings import TrainingSettings


@dataclass(frozen=True)
class Epoch:
    """Means over the (mixed) batches of one epoch. `validation_accuracy` is None when nothing is held out.

    Of an autoencoder there is no accuracy, and a `validation_loss`.
    """

    loss: float
    accuracy: float | None
    validation_accuracy: float | None
    learning_rate: float
    validation_loss: float | None = None


@dataclass(frozen=True)
class TrainingProgress:
    """Batches done of those of all epochs; epochs finished, and the figures of the last of them, None before it is.

    `before`: how many of them an earlier training finished, which was interrupted.
    """

    batches: int
    all_batches: int
    epochs: int
    all_epochs: int
    last: Epoch | None
    before: int = 0


class Course:
    """Counts batches and epochs for whoever is told of them, first of all that none is done, or those of before."""

    @classmethod
    def of(
        cls, samples: int, settings: TrainingSettings, listener: Callable[[TrainingProgress], None] | None
    ) -> "Course":
        return cls(math.ceil(samples / settings.batch_size) * settings.epochs, settings.epochs, listener)

    def __init__(self, batches: int, epochs: int, listener: Callable[[TrainingProgress], None] | None) -> None:
        self._listener = listener
        self._reach(TrainingProgress(0, batches, 0, epochs, None))

    def go_on(self, history: Sequence[Epoch]) -> None:
        """Epochs that were finished before an interruption."""
        now = self._now
        batches = now.all_batches // now.all_epochs * len(history)
        self._reach(replace(now, batches=batches, epochs=len(history), last=history[-1], before=len(history)))

    def step(self) -> None:
        self._reach(replace(self._now, batches=self._now.batches + 1))

    def finish(self, epoch: Epoch) -> None:
        self._reach(replace(self._now, epochs=self._now.epochs + 1, last=epoch))

    def _reach(self, now: TrainingProgress) -> None:
        self._now = now
        if self._listener:
            self._listener(now)
