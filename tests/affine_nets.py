"""Networks on affine numbers, with scales, zeros and limits by chance."""

from __future__ import annotations

import numpy as np

from mcusim.graph import Graph, Layer
from mcusim.layers.convolution import Convolution
from mcusim.layers.input import Input
from mcusim.layers.planes import plane
from mcusim.numbers import affine
from mcusim.numbers.affine import Affine, Scaled
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from tests.compiled import run_compiled

LIMITS = (LINEAR, RELU, Activation(True, 6.0), Activation(True, 1.0, -1.0))


class Net:
    """Layers one after the other on affine numbers, with scales and zeros by chance."""

    def __init__(self, seed: int, shape: tuple[int, ...], *, extreme: bool = True) -> None:
        """`extreme`: with zeros at the ends of their range."""
        self.r, self.extreme = np.random.default_rng(seed), extreme
        self.layers: list[Layer] = [Input(name="x", inputs=(), shape=shape, numbers=self.numbers())]

    @property
    def last(self) -> Layer:
        return self.layers[-1]

    def numbers(self, bits: int = 8) -> Affine:
        scale = float(np.float32(self.r.uniform(0.01, 0.06)))
        zero = int(self.r.integers(-40, 40))
        return Affine(bits, scale, int(self.r.choice([-128, 127, zero])) if self.extreme else zero)

    def given(self, shape: tuple[int, ...], *inputs: Layer) -> dict[str, object]:
        names = tuple(entry.name for entry in inputs or (self.last,))
        return {"name": f"l{len(self.layers)}", "inputs": names, "shape": shape}

    def entry(self) -> Affine:
        return affine.as_affine(self.last.numbers)  # type: ignore[arg-type]

    def sum_of(self, shape: tuple[int, ...], *, fold: bool = True) -> dict[str, object]:
        """Weights of that shape, a scale for each output or one for all."""
        kernel = self.r.integers(-127, 128, shape).astype(np.int8)
        kernel.reshape(-1)[:2] = [-127, 127][: kernel.size]
        count = int(self.r.choice([1, shape[0]]))
        scales = Scaled(8, tuple(float(np.float32(s)) for s in self.r.uniform(0.001, 0.01, count)))
        bias, out, entry = self.r.integers(-3000, 3000, shape[0]).astype(np.int32), self.numbers(), self.entry()
        factors = affine.sum_factors(entry, scales, out)
        made = vars(affine.weighted_sum(kernel, bias, scales, entry, out, factors, fold=fold))
        return {**made, "zero": entry.zero, "activation": LIMITS[self.r.integers(4)]}

    def convolution(self, filters: int, groups: int = 1, stride: int = 1) -> None:
        height, width, channels = plane(self.last.shape)
        kernel = self.sum_of((filters, 3, 3, channels // groups))
        shape = ((height - 1) // stride + 1, (width - 1) // stride + 1, filters)
        window = {"input_shape": self.last.shape, "strides": (stride, stride), "padding": ((1, 1), (1, 1))}
        self.layers.append(Convolution(**self.given(shape), **window, groups=groups, **kernel))  # type: ignore[arg-type]

    def graph(self) -> Graph:
        return Graph(tuple(self.layers), data_type="int8", scheme="affine")


def differ(graph: Graph, seed: int = 0, count: int = 24) -> int:
    """Samples of which the C answers something else than `Graph.run`."""
    r = np.random.default_rng(seed)
    own = graph.inputs[0]
    q = r.integers(-128, 128, (count, *own.shape))
    q[0], q[1] = -128, 127
    x = q.astype(np.float32) if own.numbers is None else own.numbers.decode(q)
    want = graph.run(x)
    assert len(np.unique(want)) > 2
    return int(np.any(run_compiled(graph, x) != want, axis=1).sum())
