"""What a network is trained for: the loss, and what of it people are told. Answers are tensors of Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mcusim.system.arrays import Array, Floats, Labels
from mcusim.tasks.anomaly import reconstruction_errors

Tensor = Any


@dataclass(frozen=True)
class Judged:
    """`accuracy` is None where there are no classes, `loss` where there are."""

    accuracy: float | None = None
    loss: float | None = None


class Goal(Protocol):
    """Of samples (N, *shape) and their labels (N,)."""

    classes: Sequence[str]

    def targets(self, x: Floats, y: Labels) -> Floats:
        """What answers should be (N, ..)."""

    def as_targets(self, answers: Tensor) -> Tensor:
        """Of a network that another one is to answer like."""

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        """Mean over a batch. `answers` are logits where the network ends with a softmax."""

    def right(self, answers: Tensor, targets: Tensor) -> Tensor:
        """How many of a batch are right; 0 where there are no classes."""

    def judge(self, answers: Array, x: Floats, y: Labels) -> Judged:
        """Of all samples that are held out."""


class Classes:
    """Cross-entropy, from logits: it cannot overflow."""

    def __init__(self, names: Sequence[str]) -> None:
        self.classes = names
        self._one_hot = np.eye(len(names), dtype=np.float32)

    def targets(self, x: Floats, y: Labels) -> Floats:
        return self._one_hot[y]

    def as_targets(self, answers: Tensor) -> Tensor:
        from keras import ops

        return ops.softmax(answers)

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        from keras import ops

        return ops.mean(ops.categorical_crossentropy(targets, answers, from_logits=True))

    def right(self, answers: Tensor, targets: Tensor) -> Tensor:
        from keras import ops

        same = ops.equal(ops.argmax(answers, axis=1), ops.argmax(targets, axis=1))
        return ops.sum(ops.cast(same, "int32"))

    def judge(self, answers: Array, x: Floats, y: Labels) -> Judged:
        return Judged(accuracy=float(np.mean(answers.argmax(axis=1) == y)))


class Itself:
    """The sample, of one with noise the one without; mean squared difference, as task `anomaly` scores it."""

    classes: Sequence[str] = ()

    def targets(self, x: Floats, y: Labels) -> Floats:
        return x.reshape(len(x), -1)

    def as_targets(self, answers: Tensor) -> Tensor:
        return answers

    def loss(self, answers: Tensor, targets: Tensor) -> Tensor:
        from keras import ops

        return ops.mean(ops.square(ops.reshape(answers, (-1, targets.shape[1])) - targets))

    def right(self, answers: Tensor, targets: Tensor) -> Tensor:
        return 0

    def judge(self, answers: Array, x: Floats, y: Labels) -> Judged:
        return Judged(loss=float(reconstruction_errors(x, answers.reshape(len(x), -1)).mean()))
