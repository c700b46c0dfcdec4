"""Graph of reals + samples -> a graph whose integers answer better: one epoch.

Each step quantizes the layers with the weights as they are, by the code that deploys them, and runs them on integers:
the loss is that of the very numbers a board would answer. Gradients pass through what rounded (straight-through), and
end where numbers saturate. Ranges are learned with the weights (LSQ, Esser et al., 2020; of powers of two TQT, Jain et
al., 2020).
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.formats import Format
from mcusim.numbers.learned import Learned
from mcusim.system.arrays import Array, Floats, Labels
from mcusim.training.goals import Goal, Judged
from mcusim.training.keras_setup import import_keras
from mcusim.training.learner import EVALUATION_BATCH, assign_each, copied, epoch_of, optimizer_of
from mcusim.training.settings import RANGE_RATE, TrainingSettings
from mcusim.training.surrogate import Trainable, demand_trainable, real_output

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


class _Seen(NamedTuple):
    """What the integers of a graph make of samples, as reals, by layer: tensors, their least and largest numbers, and
    kernels."""

    tensors: dict[str, Tensor]
    ends: dict[str, Tensor]
    kernels: dict[str, Tensor]


class AwareLearner:
    """Owns the weights of `graph`, which it gives to `model` (of Keras) when an epoch is over, and the ranges.

    ConfigurationError for a layer that cannot be trained, or weights that the model has no place for.
    """

    TABLE = "[training.quantization]"

    def __init__(
        self,
        graph: Graph,
        first: Learned,
        quantize: Quantize,
        give: Callable[[Graph], Any],
        goal: Goal,
        settings: TrainingSettings,
        random: np.random.Generator,
        range_rate: float = RANGE_RATE,
        labels: float = 1.0,
        fixed_biases: Collection[str] = (),
    ) -> None:
        """`labels`: their share in what answers should be; the rest is what `graph` answers to the same samples."""
        demand_trainable(graph.layers, "trained for integers", "leave [training.quantization] out")
        keras = import_keras()
        self._graph, self._first, self._quantize, self._give = graph, first, quantize, give
        self._settings, self.random = settings, random
        self._goal, self._labels = goal, labels
        self._reals = Trainable(graph)
        chosen = [layer for layer in graph if not layer.KEEPS_NUMBERS and not layer.VIEW]
        self._octaves = {layer.name: keras.Variable(np.zeros((), np.float32)) for layer in chosen}
        learned = [bias for name, bias in self._reals.biases.items() if name not in fixed_biases]
        self._weights = [*self._reals.kernels.values(), *learned]
        self._ranges = list(self._octaves.values())
        self._optimizer = optimizer_of(keras, settings.model_copy(update={"weight_decay": 0.0}))
        self._optimizer.build(self._weights)
        # Gradients of ranges differ by orders of magnitude from layer to layer: Adam asks for their signs (TQT).
        self._range_optimizer = keras.optimizers.Adam(range_rate)
        self._range_optimizer.build(self._ranges)
        self._range_rate = range_rate / settings.learning_rate
        self._step = self._step_of()
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
        return self._reals.graph

    @property
    def quantized(self) -> Graph:
        return self._quantize(self.real, self.learned)

    def learn(self, x: Floats, y: Labels, epoch: int, step_done: Callable[[], None]) -> tuple[float, float | None]:
        """As `Learner.learn`."""
        targets = self._goal.targets(x, y)
        loss, right = epoch_of(x, targets, epoch, self._settings, self.random, self._optimizer, self._step, step_done)
        if math.isfinite(loss):
            self.model = self._give(self.real)
        return loss, right if self._goal.classes else None

    def state(self) -> list[Array]:
        return [copied(variable) for variable in self._all]

    def restore(self, state: Sequence[Array]) -> None:
        assign_each(self._all, state)
        self.model = self._give(self.real)

    @property
    def _all(self) -> list[Any]:
        optimizers = self._optimizer, self._range_optimizer
        return [*self._weights, *self._ranges, *(own for one in optimizers for own in one.variables)]

    def judge(self, x: Floats, y: Labels) -> Judged:
        """Of the integers."""
        if not len(x):
            return Judged()
        quantized = self.quantized
        spans = (x[at : at + EVALUATION_BATCH] for at in range(0, len(x), EVALUATION_BATCH))
        return self._goal.judge(np.concatenate([quantized.decode(quantized.run(span)) for span in spans]), x, y)

    def _step_of(self) -> Callable[[Floats, Floats], tuple[Tensor, Tensor]]:
        """(samples, targets) -> mean loss, number of right answers. What follows the integers is compiled."""
        import tensorflow as tf

        decay, rate = self._settings.weight_decay, self._range_optimizer.learning_rate
        labels, exact = self._labels, Trainable(self._graph) if self._labels < 1 else None

        @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator,unused-ignore]
        def follow(x: Tensor, targets: Tensor, seen: _Seen) -> tuple[Tensor, Tensor]:
            with tf.GradientTape() as tape:
                answers = self._forward(x, seen)
                wanted = targets
                if exact is not None:
                    wanted = labels * targets + (1 - labels) * self._goal.as_targets(exact(x))
                loss = self._goal.loss(answers, wanted)
            values = [[variable.value for variable in some] for some in (self._weights, self._ranges)]
            gradients, of_ranges = tape.gradient(loss, values)
            decayed = [gradient + decay * weight for gradient, weight in zip(gradients, values[0], strict=True)]
            self._optimizer.apply(decayed, self._weights)
            rate.assign(self._range_rate * self._optimizer.learning_rate)
            self._range_optimizer.apply(of_ranges, self._ranges)
            return loss, self._goal.right(answers, targets)

        return lambda x, targets: follow(x, targets, self._seen(x))

    def _seen(self, x: Floats) -> _Seen:
        seen, values = _Seen({}, {}, {}), dict[str, Array]()
        for layer in self.quantized:
            name, numbers = layer.name, layer.numbers
            assert numbers is not None
            values[name] = numbers.encode(x) if layer.INPUT else layer.run(*(values[entry] for entry in layer.inputs))
            seen.tensors[name], seen.ends[name] = numbers.decode(values[name]), np.array(_ends(layer), np.float32)
            if isinstance(layer, WeightedSum) and layer.kernel_numbers is not None:
                seen.kernels[name] = layer.kernel_numbers.decode(layer.kernel)
        return seen

    def _forward(self, x: Tensor, seen: _Seen) -> Tensor:
        """Real answers (N, classes), each exactly what the integers answer."""
        import tensorflow as tf

        reals: dict[str, Tensor] = {}
        for layer in self._graph:
            name, inputs = layer.name, [reals[entry] for entry in layer.inputs]
            both = self._weights_of(name, seen.kernels[name]) if name in seen.kernels else (None, None)
            real = tf.convert_to_tensor(x) if layer.INPUT else real_output(layer, inputs, *both)
            octaves = self._octaves[name].value if name in self._octaves else None
            reals[name] = _quantized(real, seen.tensors[name], seen.ends[name], octaves)
        (end,) = self._graph.ends
        return tf.reshape(reals[end.name], (-1, end.elements))

    def _weights_of(self, name: str, stored: Tensor) -> tuple[Tensor, Tensor]:
        """As they are stored; to the gradient they are what they were before."""
        import tensorflow as tf

        kernel = self._reals.kernels[name].value
        return kernel + tf.stop_gradient(stored - kernel), self._reals.biases[name].value


def _ends(layer: Layer) -> tuple[float, float]:
    assert layer.numbers is not None
    low, high = layer.numbers.decode(np.array([layer.numbers.minimum, layer.numbers.maximum]))
    return float(low), float(high)


def _quantized(real: Tensor, exact: Tensor, ends: Tensor, octaves: Tensor | None) -> Tensor:
    """`exact`; to the gradient of `real` it is `real` where that is within `ends`, and so not cut off.

    `octaves` is log2 of a range: larger by dv, what was rounded moves by ln 2 (value - real) dv, what was cut off by
    ln 2 value dv. None of a layer that passes its input's numbers on.
    """
    import tensorflow as tf

    if octaves is None:
        return real + tf.stop_gradient(exact - real)

    @tf.custom_gradient  # type: ignore[untyped-decorator,unused-ignore]
    def through(real: Tensor, octaves: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        inside = tf.cast((real >= ends[0]) & (real <= ends[1]), tf.float32)

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            moved = tf.reduce_sum(upstream * (exact - inside * real)) * math.log(2.0)
            return upstream * inside, moved

        return tf.identity(exact), gradient

    return through(real, octaves)
