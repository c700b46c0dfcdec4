"""Model + samples -> a better model: one epoch of SGD. The only module that speaks TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mcusim.system.arrays import Array, Floats
from mcusim.training.keras_setup import import_keras
from mcusim.training.settings import TrainingSettings

EVALUATION_BATCH = 512


class Learner:
    """Owns the optimizer, so that no model file ever carries its state. `random` orders and mixes the samples."""

    def __init__(self, model: Any, classes: int, settings: TrainingSettings, random: np.random.Generator) -> None:
        keras = import_keras()
        self.model = model
        self._settings = settings
        self._random = random
        self._one_hot = np.eye(classes, dtype=np.float32)
        # Without the softmax: cross-entropy from logits cannot overflow.
        self._logits = keras.Model(model.input, model.layers[-1].input)
        self._optimizer = keras.optimizers.SGD(settings.learning_rate, settings.momentum)
        self._optimizer.build(self._logits.trainable_variables)
        self._step = _training_step(self._logits, self._optimizer, settings.weight_decay)

    def learn(self, x: Floats, y: Array, learning_rate: float, step_done: Callable[[], None]) -> tuple[float, float]:
        """One epoch over x (N, ...), labels y (N,): mean loss and accuracy (of the larger part of a mixed sample)."""
        self._optimizer.learning_rate.assign(learning_rate)
        order = self._random.permutation(len(x))
        loss, right = 0.0, 0
        for start in range(0, len(x), self._settings.batch_size):
            batch = order[start : start + self._settings.batch_size]
            mixed, targets = mixup(x[batch], self._one_hot[y[batch]], self._settings.mixup, self._random)
            batch_loss, batch_right = self._step(mixed, targets)
            loss += float(batch_loss) * len(batch)
            right += int(batch_right)
            step_done()
        return loss / len(x), right / len(x)

    def accuracy(self, x: Floats, y: Array) -> float | None:
        """Share of right answers as in use (no dropout, learned batch statistics); None for no samples."""
        return float(np.mean(predict(self.model, x) == y)) if len(x) else None


def mixup(x: Array, y: Array, alpha: float, random: np.random.Generator) -> tuple[Array, Array]:
    """Blend a batch with a shuffled copy of itself (Zhang et al., ICLR 2018): one factor from Beta(alpha, alpha).

    `x` (N, ...) and one-hot `y` (N, classes), float32; the same shapes come back. `alpha` 0 leaves the batch alone,
    1 draws every factor with the same chance.
    """
    if alpha == 0:
        return x, y
    factor = np.float32(random.beta(alpha, alpha))
    partner = random.permutation(len(x))
    return factor * x + (1 - factor) * x[partner], factor * y + (1 - factor) * y[partner]


def predict(model: Any, x: Floats) -> Array:
    """Classes (N,) that a Keras model answers for samples (N, ...)."""
    starts = range(0, len(x), EVALUATION_BATCH)
    answers = [np.argmax(model(x[start : start + EVALUATION_BATCH], training=False), axis=-1) for start in starts]
    return np.concatenate(answers)


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
        # Coupled weight decay, as PyTorch's SGD: it passes through the momentum. Keras' own is decoupled.
        decayed = [gradient + weight_decay * variable for gradient, variable in zip(gradients, variables, strict=True)]
        optimizer.apply(decayed, variables)
        right = tf.reduce_sum(tf.cast(tf.argmax(answers, 1) == tf.argmax(targets, 1), tf.int32))
        return loss, right

    return step  # type: ignore[no-any-return,unused-ignore]
