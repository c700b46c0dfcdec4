"""A step as a graph of TensorFlow."""

from collections.abc import Callable
from typing import Any

from mcusim.system.arrays import Array
from mcusim.training.goals import Goal


def make_repeatable() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()


def step(real: Any, optimizer: Any, goal: Goal, weight_decay: float) -> Callable[[Array, Array], tuple[Any, Any]]:
    import tensorflow as tf

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator,unused-ignore]
    def learn(x: Any, targets: Any) -> tuple[Any, Any]:
        variables = real.trainable_variables
        with tf.GradientTape() as tape:
            answers = real(x, training=True)
            loss = goal.loss(answers, targets)
        gradients = tape.gradient(loss, variables)
        decayed = [gradient + weight_decay * variable for gradient, variable in zip(gradients, variables, strict=True)]
        optimizer.apply(decayed, variables)
        return loss, goal.right(answers, targets)

    return learn  # type: ignore[no-any-return,unused-ignore]


def has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def out_of_memory() -> type[BaseException]:
    import tensorflow as tf

    return tf.errors.ResourceExhaustedError  # type: ignore[no-any-return,unused-ignore]


def of_device() -> type[BaseException]:
    import tensorflow as tf

    return tf.errors.OpError  # type: ignore[no-any-return,unused-ignore]
