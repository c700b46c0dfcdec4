"""Model + samples -> a better model: one epoch. Steps are those of a framework: `backends/`."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mcusim.system.arrays import Array, Floats, Labels
from mcusim.training.augmentation import augmented, mixup
from mcusim.training.goals import Goal, Judged
from mcusim.training.keras_setup import backend, import_keras
from mcusim.training.settings import TrainingSettings

EVALUATION_BATCH = 512


class Learner:
    """Owns the optimizer, so that no model file ever carries its state. `random` orders and changes the samples."""

    TABLE = "[training]"

    def __init__(self, model: Any, goal: Goal, settings: TrainingSettings, random: np.random.Generator) -> None:
        keras = import_keras()
        self.model = model
        self._settings = settings
        self.random = random
        self._goal = goal
        end = model.layers[-1]
        self._real = keras.Model(model.input, end.input if type(end).__name__ == "Softmax" else end.output)
        self._optimizer = optimizer_of(keras, settings)
        self._optimizer.build(self._real.trainable_variables)
        # Coupled decay, as PyTorch's SGD: it passes through the momentum. Adam's is decoupled (its own `weight_decay`).
        coupled = settings.weight_decay if settings.optimizer == "sgd" else 0.0
        self._step = backend().step(self._real, self._optimizer, goal, coupled)

    def learn(self, x: Floats, y: Labels, epoch: int, step_done: Callable[[], None]) -> tuple[float, float | None]:
        """Epoch 0, 1, .. over x (N, ...), labels y (N,): mean loss and accuracy (of the larger part of a mixed sample).

        It ends with the batch whose loss is no number.
        """
        targets = self._goal.targets(x, y)
        loss, right = epoch_of(x, targets, epoch, self._settings, self.random, self._optimizer, self._step, step_done)
        return loss, right if self._goal.classes else None

    def state(self) -> list[Array]:
        return [copied(variable) for variable in self._all]

    def restore(self, state: Sequence[Array]) -> None:
        assign_each(self._all, state)

    @property
    def _all(self) -> list[Any]:
        """Counters of random layers among them."""
        return [*self.model.variables, *self._optimizer.variables]

    def judge(self, x: Floats, y: Labels) -> Judged:
        """Answers as in use (no dropout, learned batch statistics)."""
        return self._goal.judge(answers(self.model, x), x, y) if len(x) else Judged()


def copied(variable: Any) -> Array:
    return np.array(import_keras().ops.convert_to_numpy(variable))


def assign_each(variables: Sequence[Any], state: Sequence[Array]) -> None:
    """Raises ValueError where they are not of one shape, before anything is assigned."""
    for variable, array in zip(variables, state, strict=True):
        if tuple(variable.shape) != array.shape:
            raise ValueError(f"{array.shape} for {variable.name!r}")
    for variable, array in zip(variables, state, strict=True):
        variable.assign(array)


def epoch_of(
    x: Floats,
    targets: Floats,
    epoch: int,
    settings: TrainingSettings,
    random: np.random.Generator,
    optimizer: Any,
    step: Callable[[Array, Array], tuple[Any, Any]],
    step_done: Callable[[], None],
) -> tuple[float, float]:
    """As `Learner.learn`: `step` learns from a batch and its targets, and tells mean loss and number of right answers.

    `optimizer` has the rate of each batch before its step.
    """
    order = random.permutation(len(x))
    loss, right = 0.0, 0
    for start in range(0, len(x), settings.batch_size):
        batch = order[start : start + settings.batch_size]
        optimizer.learning_rate.assign(settings.rate(epoch + start / len(x)))
        changed = mixup(augmented(x[batch], settings, random), targets[batch], settings.mixup, random)
        batch_loss, batch_right = step(*changed)
        loss += float(batch_loss) * len(batch)
        right += int(batch_right)
        step_done()
        if not math.isfinite(loss):
            break
    return loss / len(x), right / len(x)


def answers(model: Any, x: Floats) -> Array:
    """(N, ...) of a Keras model to samples (N, ...)."""
    starts = range(0, len(x), EVALUATION_BATCH)
    return np.concatenate([copied(model(x[at : at + EVALUATION_BATCH], training=False)) for at in starts])


def optimizer_of(keras: Any, settings: TrainingSettings) -> Any:
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(settings.learning_rate, settings.momentum)
    decay = settings.weight_decay or None
    return keras.optimizers.Adam(settings.learning_rate, weight_decay=decay, beta_1=settings.momentum)
