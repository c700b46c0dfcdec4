"""Graph of reals + samples -> a graph whose integers answer better: one epoch.

Each step quantizes the layers with the weights as they are, by the code that deploys them, and runs them on integers:
the loss is that of the very numbers a board would answer. Gradients pass through what rounded (straight-through), and
end where numbers saturate. Ranges are learned with the weights (LSQ, Esser et al., 2020; of powers of two TQT, Jain et
al., 2020).
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.formats import Format
from mcusim.numbers.learned import Learned
from mcusim.system.arrays import Array, Floats
from mcusim.training.keras_setup import import_keras
from mcusim.training.learner import EVALUATION_BATCH, epoch_of, optimizer_of
from mcusim.training.settings import TrainingSettings
from mcusim.training.surrogate import demand_trainable, real_output, with_weights

Quantize = Callable[[Graph, Learned], Graph]
Tensor = Any
WITHIN_OCTAVE = 2**-0.5  # of a power of two: as far from the next coarser as from the next finer


def first_ranges(quantized: Graph, data_type: str, scheme: str) -> Learned:
    """Those of a graph that calibration has quantized, by layer; where numbers are passed on they have none."""
    ranges = {}
    for layer in quantized:
        if layer.numbers is not None:
            share = WITHIN_OCTAVE if isinstance(layer.numbers, Format) else 1.0
            low, high = _ends(layer)
            ranges[layer.name] = (share * low, share * high)
    return Learned(data_type, scheme, ranges)


class AwareLearner:
    """Owns the weights of `graph`, which it gives to `model` (of Keras) when an epoch is over, and the ranges.

    ConfigurationError for a layer that cannot be trained, or weights that the model has no place for.
    """

    def __init__(
        self,
        graph: Graph,
        first: Learned,
        quantize: Quantize,
        give: Callable[[Graph], Any],
        classes: int,
        settings: TrainingSettings,
        random: np.random.Generator,
    ) -> None:
        demand_trainable(graph.layers, "trained for integers", "leave [training.quantization] out")
        keras = import_keras()
        self._graph, self._first, self._quantize, self._give = graph, first, quantize, give
        self._settings, self._random = settings, random
        self._one_hot = np.eye(classes, dtype=np.float32)
        sums = [layer for layer in graph if isinstance(layer, WeightedSum)]
        self._kernels = {layer.name: keras.Variable(layer.kernel, dtype="float32") for layer in sums}
        self._biases = {layer.name: keras.Variable(layer.bias, dtype="float32") for layer in sums}
        chosen = [layer for layer in graph if not layer.KEEPS_NUMBERS and not layer.VIEW]
        self._octaves = {layer.name: keras.Variable(np.zeros((), np.float32)) for layer in chosen}
        self._weights = [*self._kernels.values(), *self._biases.values()]
        self._variables = [*self._weights, *self._octaves.values()]
        self._optimizer = optimizer_of(keras, settings.model_copy(update={"weight_decay": 0.0}))
        self._optimizer.build(self._variables)
        self.model = give(graph)

    @property
    def learned(self) -> Learned:
        """As it is now."""
        ranges = dict(self._first.ranges)
        for name, octaves in self._octaves.items():
            factor = 2.0 ** float(octaves.numpy())
            low, high = ranges[name]
            ranges[name] = (factor * low, factor * high)
        return replace(self._first, ranges=ranges)

    @property
    def real(self) -> Graph:
        """With the weights as they are now."""
        both = {name: (kernel.numpy(), self._biases[name].numpy()) for name, kernel in self._kernels.items()}
        return with_weights(self._graph, both)

    @property
    def quantized(self) -> Graph:
        return self._quantize(self.real, self.learned)

    def learn(self, x: Floats, y: Array, epoch: int, step_done: Callable[[], None]) -> tuple[float, float]:
        """As `Learner.learn`."""
        targets = self._one_hot[y]
        loss, right = epoch_of(x, targets, epoch, self._settings, self._random, self._optimizer, self._step, step_done)
        if math.isfinite(loss):
            self.model = self._give(self.real)
        return loss, right

    def accuracy(self, x: Floats, y: Array) -> float | None:
        """Of the integers; None for no samples."""
        if not len(x):
            return None
        quantized = self.quantized
        answers = [quantized.run(x[at : at + EVALUATION_BATCH]) for at in range(0, len(x), EVALUATION_BATCH)]
        return float(np.mean(np.concatenate(answers).argmax(axis=1) == y))

    def answers(self, x: Floats) -> Array:
        """(N, classes): what the loss sees of samples."""
        return np.asarray(self._forward(x, self.quantized))

    def _step(self, x: Floats, targets: Floats) -> tuple[float, int]:
        """Mean loss, number of right answers."""
        import tensorflow as tf

        decay = np.float32(self._settings.weight_decay)
        with tf.GradientTape() as tape:
            answers = self._forward(x, self.quantized)
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, answers))
        gradients = tape.gradient(loss, [variable.value for variable in self._variables])
        for at, weight in enumerate(self._weights):
            gradients[at] = gradients[at] + decay * weight.value
        self._optimizer.apply(gradients, self._variables)
        return float(loss), int(np.sum(np.argmax(answers, 1) == np.argmax(targets, 1)))

    def _forward(self, x: Floats, quantized: Graph) -> Tensor:
        """Real answers (N, classes), each exactly what `quantized` answers."""
        import tensorflow as tf

        values: dict[str, Array] = {}
        reals: dict[str, Tensor] = {}
        for layer, made in zip(self._graph, quantized, strict=True):
            if layer.INPUT:
                values[layer.name] = made.numbers.encode(x)  # type: ignore[union-attr]
                real = tf.constant(x)
            else:
                values[layer.name] = made.run(*(values[name] for name in layer.inputs))
                real = real_output(layer, [reals[name] for name in layer.inputs], *self._weights_of(layer, made))
            octaves = self._octaves.get(layer.name)
            reals[layer.name] = _quantized(real, made, values[layer.name], None if octaves is None else octaves.value)
        (end,) = self._graph.ends
        return tf.reshape(reals[end.name], (len(x), -1))

    def _weights_of(self, layer: Layer, made: Layer) -> tuple[Tensor | None, Tensor | None]:
        """As they are stored; to the gradient they are what they were before."""
        import tensorflow as tf

        if not isinstance(made, WeightedSum) or made.kernel_numbers is None:
            return None, None
        kernel = self._kernels[layer.name].value
        stored = made.kernel_numbers.decode(made.kernel)
        return kernel + tf.stop_gradient(stored - kernel), self._biases[layer.name].value


def _ends(layer: Layer) -> tuple[float, float]:
    assert layer.numbers is not None
    low, high = layer.numbers.decode(np.array([layer.numbers.minimum, layer.numbers.maximum]))
    return float(low), float(high)


def _quantized(real: Tensor, made: Layer, value: Array, octaves: Tensor | None) -> Tensor:
    """`value` decoded; to the gradient of `real` it is `real` where that is not cut off.

    `octaves` is log2 of a range: larger by dv, what was rounded moves by ln 2 (value - real) dv, what was cut off by
    ln 2 value dv. None of a layer that passes its input's numbers on.
    """
    import tensorflow as tf

    exact = tf.constant(made.numbers.decode(value))  # type: ignore[union-attr]
    if octaves is None:
        return real + tf.stop_gradient(exact - real)
    low, high = _ends(made)
    weight = 1 / math.sqrt(max(made.elements, 1) * (made.numbers.maximum - made.numbers.minimum))  # type: ignore[union-attr]

    @tf.custom_gradient  # type: ignore[untyped-decorator,unused-ignore]
    def through(real: Tensor, octaves: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        inside = tf.cast((real >= low) & (real <= high), tf.float32)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            moved = tf.reduce_sum(upstream * (exact - inside * real)) * (math.log(2.0) * weight)
            return upstream * inside, moved

        return exact, gradient

    return through(real, octaves)
