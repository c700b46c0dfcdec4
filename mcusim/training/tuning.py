"""Reduced Graph of reals + the exact one + samples -> the reduced one, with weights by which it answers like the exact.

What a cut costs a well trained network, one fit of its readers brings back in part only; some epochs of training bring
back more. Targets are the answers of the exact graph to the very samples that are learned from (distillation, Hinton et
al., 2015): no labels are needed, and a graph of which nothing was left out has nothing to learn.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mcusim.graph import Graph
from mcusim.system.arrays import Array, Floats
from mcusim.training.augmentation import demand_fit
from mcusim.training.course import Course, Epoch, TrainingProgress
from mcusim.training.keras_setup import demand_tensorflow, import_keras, make_repeatable
from mcusim.training.learner import EVALUATION_BATCH as BATCH
from mcusim.training.learner import epoch_of, optimizer_of
from mcusim.training.settings import TrainingSettings
from mcusim.training.surrogate import Trainable, demand_trainable
from mcusim.training.training import demand_finite

Tensor = Any
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Answers = Literal["classes", "numbers"]  # what a graph answers: a logit for each class, or anything else
TABLE = "[approximation.tuning]"
TEMPERATURE = 2.0  # logits are divided by it: so the lesser classes count, too
SPREAD_SAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Lesson:
    """Samples `x` to learn from, and `unseen` ones, both as graphs take them; what these answer.

    `y`: class numbers of `x`, which count with a share of the loss; None where there are none, or nobody asks for them.
    """

    x: Floats
    unseen: Floats
    answers: Answers
    y: Array | None = None
    share: float = 0.0


def tuned(
    graph: Graph,
    exact: Graph,
    lesson: Lesson,
    settings: TrainingSettings,
    seed: int,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> tuple[Graph, str]:
    """And a note of how near it is now. `settings`: as `TrainingSettings.of_tuning` gives them.

    Deterministic by `seed`, on one machine. ConfigurationError for a layer that cannot be trained, a loss that
    diverges, or augmentation that does not fit; MissingToolError without TensorFlow.
    """
    x, choosing = lesson.x, lesson.answers == "classes"
    for one in (graph, exact):
        demand_trainable(one.layers, "tuned", f"leave {TABLE} out")
    demand_fit(settings, x.shape[1:])
    demand_tensorflow(TABLE)
    keras = import_keras()
    make_repeatable(keras, seed)
    tuner = _Tuner(graph, exact, _loss_of(lesson, exact), settings, 0 if lesson.y is None else graph.ends[0].elements)
    course = Course.of(len(x), settings, progress)
    random = np.random.default_rng(seed)
    # Of samples that are other ones each time nobody knows the answers before.
    targets = np.zeros((len(x), 0), np.float32) if settings.changes_samples else _in_batches(tuner.exact, x)
    if lesson.y is not None:
        targets = np.concatenate([np.eye(graph.ends[0].elements, dtype=np.float32)[lesson.y], targets], axis=1)
    for number in range(settings.epochs):
        loss, alike = epoch_of(x, targets, number, settings, random, tuner.optimizer, tuner.step, course.step)
        demand_finite(loss, number, TABLE, f"give a 'learning_rate' below {settings.learning_rate:g}")
        judged = tuner.alike(lesson.unseen) if choosing and len(lesson.unseen) else None
        course.finish(Epoch(loss, alike if choosing else None, judged, settings.rate(number)))
    note = f"weights are tuned for {settings.epochs} epochs on {len(x):,} training samples: "
    near = (
        f"answers are off by {loss:.2g} of their variance"
        if not choosing
        else (
            f"{alike:.1%} are decided as by the exact model"
            if judged is None
            else f"{judged:.1%} of {len(lesson.unseen):,} others are decided as by the exact model"
        )
    )
    return tuner.student.graph, note + near


def _loss_of(lesson: Lesson, exact: Graph) -> Loss:
    """(answers of the exact graph, own ones, one-hot labels or none) -> mean loss."""
    import tensorflow as tf

    apart, share = _distance_of(lesson, exact), lesson.share

    def loss(targets: Tensor, own: Tensor, labels: Tensor) -> Tensor:
        told = apart(targets, own)
        if lesson.y is None:
            return told
        return (1 - share) * told + share * tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(labels, own))

    return loss


def _distance_of(lesson: Lesson, exact: Graph) -> Callable[[Tensor, Tensor], Tensor]:
    import tensorflow as tf

    if lesson.answers == "classes":

        def divergence(targets: Tensor, own: Tensor) -> Tensor:
            wanted, have = tf.nn.softmax(targets / TEMPERATURE), tf.nn.softmax(own / TEMPERATURE)
            apart = wanted * (tf.nn.log_softmax(targets / TEMPERATURE) - tf.nn.log_softmax(own / TEMPERATURE))
            told = TEMPERATURE**2 * tf.reduce_mean(tf.reduce_sum(apart, axis=1))
            # Its gradient, but 0 of equal answers: Adam would take what is left of rounding for a direction.
            moving = TEMPERATURE * tf.reduce_mean(tf.reduce_sum(tf.stop_gradient(have - wanted) * own, axis=1))
            return moving + tf.stop_gradient(told - moving)

        return divergence
    spread = float(exact.run(lesson.x[:SPREAD_SAMPLES]).var()) or 1.0
    return lambda targets, own: tf.reduce_mean((own - targets) ** 2) / spread


class _Tuner:
    """`step`: (samples, labels and exact answers, both or none) -> (mean loss, samples that both graphs decide alike);
    compiled."""

    def __init__(self, graph: Graph, exact: Graph, loss: Loss, settings: TrainingSettings, labels: int) -> None:
        """`labels`: so many of the targets are."""
        import tensorflow as tf

        self.student, self.exact = Trainable(graph), Trainable(exact)
        variables = self.student.variables
        self.optimizer = optimizer = optimizer_of(import_keras(), settings)
        optimizer.build(variables)

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator,unused-ignore]
        def step(x: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
            targets = known[:, labels:] if known.shape[1] > labels else self.exact(x)
            with tf.GradientTape() as tape:
                answers = self.student(x)
                told = loss(targets, answers, known[:, :labels])
            optimizer.apply(tape.gradient(told, [variable.value for variable in variables]), variables)
            return told, tf.reduce_sum(tf.cast(tf.argmax(answers, 1) == tf.argmax(targets, 1), tf.int32))

        self.step = step

    def alike(self, x: Floats) -> float:
        """Share of samples that both graphs decide alike."""
        own, wanted = (_in_batches(one, x).argmax(axis=1) for one in (self.student, self.exact))
        return float(np.mean(own == wanted))


def _in_batches(graph: Trainable, x: Floats) -> Floats:
    return np.concatenate([np.asarray(graph(x[at : at + BATCH])) for at in range(0, len(x), BATCH)])
