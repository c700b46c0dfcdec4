"""Model + samples -> a better model: one epoch. The only module that speaks TensorFlow."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mcusim.system.arrays import Array, Floats
from mcusim.training.augmentation import augmented, mixup
from mcusim.training.keras_setup import import_keras
from mcusim.training.settings import TrainingSettings

EVALUATION_BATCH = 512


class Learner:
    """Owns the optimizer, so that no model file ever carries its state. `random` orders and changes the samples."""

    def __init__(self, model: Any, classes: int, settings: TrainingSettings, random: np.random.Generator) -> None:
        keras = import_keras()
        self.model = model
        self._settings = settings
        self._random = random
        self._one_hot = np.eye(classes, dtype=np.float32)
        # Without the softmax: cross-entropy from logits cannot overflow.
        self._logits = keras.Model(model.input, model.layers[-1].input)
        self._optimizer = optimizer_of(keras, settings)
        self._optimizer.build(self._logits.trainable_variables)
        # Coupled decay, as PyTorch's SGD: it passes through the momentum. Adam's is decoupled (its own `weight_decay`).
        coupled = settings.weight_decay if settings.optimizer == "sgd" else 0.0
        self._step = _training_step(self._logits, self._optimizer, coupled)

    def learn(self, x: Floats, y: Array, epoch: int, step_done: Callable[[], None]) -> tuple[float, float]:
        """Epoch 0, 1, .. over x (N, ...), labels y (N,): mean loss and accuracy (of the larger part of a mixed sample).

        It ends with the batch whose loss is no number.
        """
        targets = self._one_hot[y]
        return epoch_of(x, targets, epoch, self._settings, self._random, self._optimizer, self._step, step_done)

    def accuracy(self, x: Floats, y: Array) -> float | None:
        """Share of right answers as in use (no dropout, learned batch statistics); None for no samples."""
        return float(np.mean(predict(self.model, x) == y)) if len(x) else None


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
        batch_loss, batch_right = step(*_prepared(x[batch], targets[batch], settings, random))
        loss += float(batch_loss) * len(batch)
        right += int(batch_right)
        step_done()
        if not math.isfinite(loss):
            break
    return loss / len(x), right / len(x)


def _prepared(
    x: Floats, targets: Floats, settings: TrainingSettings, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """A batch as it is learned from: changed and mixed."""
    return mixup(augmented(x, settings, random), targets, settings.mixup, random)


def predict(model: Any, x: Floats) -> Array:
    """Classes (N,) that a Keras model answers for samples (N, ...)."""
    starts = range(0, len(x), EVALUATION_BATCH)
    answers = [np.argmax(model(x[start : start + EVALUATION_BATCH], training=False), axis=-1) for start in starts]
    return np.concatenate(answers)


def optimizer_of(keras: Any, settings: TrainingSettings) -> Any:
    if settings.optimizer == "sgd":
        return keras.optimizers.SGD(settings.learning_rate, settings.momentum)
    decay = settings.weight_decay or None
    return keras.optimizers.Adam(settings.learning_rate, weight_decay=decay, beta_1=settings.momentum)


def _training_step(logits: Any, optimizer: Any, weight_decay: float) -> Callable[[Array, Array], tuple[Any, Any]]:
    """A compiled step: (batch, one-hot targets) -> (mean loss, number of right answers)."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator,unused-ignore]
    def step(x: Any, targets: Any) -> tuple[Any, Any]:
        variables = logits.trainable_variables
        with tf.GradientTape() as tape:
            answers = logits(x, training=True)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, answers))
        gradients = tape.gradient(loss, variables)
        decayed = [gradient + weight_decay * variable for gradient, variable in zip(gradients, variables, strict=True)]
        optimizer.apply(decayed, variables)
        right = tf.reduce_sum(tf.cast(tf.argmax(answers, 1) == tf.argmax(targets, 1), tf.int32))
        return loss, right

    return step  # type: ignore[no-any-return,unused-ignore]
