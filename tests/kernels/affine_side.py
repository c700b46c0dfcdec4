"""Layers without weights on affine numbers, side by side in one graph: scales, zeros, signs and limits by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcusim.graph import Graph, Layer, Output, Shape
from mcusim.layers.add import Add
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.convert import Convert
from mcusim.layers.merge import BroadcastAdd, Maximum, Minimum, Multiply, Subtract
from mcusim.layers.planes import plane
from mcusim.layers.pointwise import Pointwise
from mcusim.layers.pooling import AveragePooling
from mcusim.layers.relu import ReLU
from mcusim.layers.strided_copy import StridedCopy, steps
from mcusim.layers.zero_padding import ZeroPadding
from mcusim.numbers import affine, affine_functions
from mcusim.numbers.affine import Affine, as_affine
from mcusim.numbers.functions import FUNCTIONS
from mcusim.numbers.numbers import LINEAR, RELU, Activation, Numbers
from tests.kernels.lanes_graphs import Side

LIMITS = (LINEAR, LINEAR, RELU, Activation(True, 6.0), Activation(True, 1.0, -1.0))
MERGES = {"add": BroadcastAdd, "subtract": Subtract, "maximum": Maximum, "minimum": Minimum}


class AffineSide(Side):
    def __init__(self, seed: int = 0) -> None:
        super().__init__(8)
        self.random = np.random.default_rng(seed)

    def numbers(self, scale: float | None = None, *, signed: bool | None = None) -> Affine:
        """A third of the zeros lie at an end, half of the numbers have no sign, if not told."""
        r = self.random
        near = float(np.float32((scale or 0.05) * np.exp(r.uniform(-0.7, 0.7))))
        if not (r.random() < 0.5 if signed is None else signed):
            return Affine(8, near, int(r.choice([0, 0, 0, 7])), signed=False)
        return Affine(8, near, int(r.choice([-128, 127, *r.integers(-60, 60, 4)])))

    def limits(self) -> Activation:
        return LIMITS[self.random.integers(len(LIMITS))]

    def input(self, shape: Shape, *, signed: bool | None = None, fraction: int = 0) -> str:  # type: ignore[override]
        name = super().input(shape)
        self.layers[-1] = replace(self.layers[-1], numbers=self.numbers(signed=signed))
        return name

    def _numbers_of(self, name: str) -> Affine:
        numbers = self.layer(name).numbers
        assert numbers is not None
        return as_affine(numbers)

    def sum_of(self, *sources: str) -> str:
        entries = [self._numbers_of(source) for source in sources]
        addition = affine.addition(entries, self.numbers(sum(entry.scale for entry in entries)))
        common = {"name": self._name("add"), "inputs": sources, "shape": self.layer(sources[0]).shape}
        return self._append(Add(**common, activation=self.limits(), addition=addition, numbers=addition.numbers))  # type: ignore[arg-type]

    def merged(self, kind: str, first: str, second: str) -> str:
        """With the shape of the larger one."""
        entries, shapes = (
            [self._numbers_of(one) for one in (first, second)],
            [self.layer(one).shape for one in (first, second)],
        )
        shape = max(shapes, key=lambda one: int(np.prod(one)))
        common = {"name": self._name(kind), "inputs": (first, second), "shape": shape, "input_shapes": tuple(shapes)}
        if kind == "multiply":
            out = self.numbers(entries[0].scale * entries[1].scale * 60)
            product = affine.product(*entries, out)
            return self._append(Multiply(**common, product=product, numbers=out, activation=self.limits()))  # type: ignore[arg-type]
        if kind in ("maximum", "minimum"):
            addition = affine.as_they_are(entries[0])
        else:
            addition = affine.addition(entries, self.numbers(entries[0].scale + entries[1].scale))
        return self._append(
            MERGES[kind](**common, addition=addition, numbers=addition.numbers, activation=self.limits())
        )  # type: ignore[arg-type]

    def limited(self, source: str) -> str:
        entry, activation = self.layer(source), LIMITS[self.random.integers(2, len(LIMITS))]
        common = {"name": self._name("relu"), "inputs": (source,), "shape": entry.shape, "numbers": entry.numbers}
        return self._append(ReLU(**common, activation=activation))  # type: ignore[arg-type]

    def padded(self, source: str, sides: int = 2) -> str:
        """By up to so many on each side."""
        entry = self.layer(source)
        (height, width, channels), most = plane(entry.shape), self.random.integers(0, 1 + sides, (2, 2))
        planes = (height + int(most[0].sum()), width + int(most[1].sum()), channels)
        shape = planes if len(entry.shape) == 3 or sides else entry.shape
        padding = tuple((int(one), int(other)) for one, other in most)
        common = {"name": self._name("padding"), "inputs": (source,), "shape": shape, "numbers": entry.numbers}
        return self._append(ZeroPadding(**common, input_shape=entry.shape, padding=padding))  # type: ignore[arg-type]

    def turned(self, source: str) -> str:
        """Channels come first."""
        entry = self.layer(source)
        height, width, channels = plane(entry.shape)
        rows, columns, one = steps((height, width, channels))
        common = {"name": self._name("permute"), "inputs": (source,), "numbers": entry.numbers, "spelled": "Permute"}
        sizes = (channels, height, width)
        return self._append(StridedCopy(**common, shape=sizes, sizes=sizes, strides=(one, rows, columns)))  # type: ignore[arg-type]

    def looked_up(self, source: str, *, signed: bool = True) -> str:
        entry = self.layer(source)
        lookup = affine_functions.logistic(self._numbers_of(source), Affine(8, 1 / 256, -128))
        if not signed:
            raised = (lookup.table.astype(np.int64) + 128).astype(np.uint8)
            lookup = replace(lookup, numbers=Affine(8, 1 / 256, 0, signed=False), table=raised)
        common = {"name": self._name("sigmoid"), "inputs": (source,), "shape": entry.shape, "numbers": lookup.numbers}
        return self._append(Pointwise(**common, function=FUNCTIONS["sigmoid"], lookup=lookup))  # type: ignore[arg-type]

    def joined(self, *sources: str, axis: int = -1, same: bool = False) -> str:
        """`same`: without conversions, as far as numbers go."""
        entries = [self._numbers_of(source) for source in sources]
        out = entries[0] if same else self.numbers(entries[0].scale)
        conversions = tuple(affine.conversion(entry, out) for entry in entries)
        shape = list(self.layer(sources[0]).shape)
        shape[axis] = sum(self.layer(source).shape[axis] for source in sources)
        common = {"name": self._name("concatenate"), "inputs": sources, "shape": tuple(shape), "axis": axis}
        return self._append(Concatenate(**common, numbers=out, conversions=conversions))  # type: ignore[arg-type]

    def converted(self, source: str, *, scaled: bool = True) -> str:
        """To other numbers; not `scaled`: only their zero is another."""
        entry, numbers = self.layer(source), self.numbers(self._numbers_of(source).scale)
        out = numbers if scaled else replace(numbers, scale=self._numbers_of(source).scale)
        conversion = affine.conversion(self._numbers_of(source), out)
        common = {"name": self._name("convert"), "inputs": (source,), "shape": entry.shape, "numbers": out}
        return self._append(Convert(**common, conversion=conversion))  # type: ignore[arg-type]

    def mean(self, source: str) -> str:
        """MEAN over the plane, with other numbers."""
        name = self.pool(source, plane(self.layer(source).shape)[:2], (1, 1), mean=True)
        layer, entry = self.layers[-1], self._numbers_of(source)
        assert isinstance(layer, AveragePooling)
        averaging = affine.mean(entry, self.numbers(entry.scale), layer.size[0] * layer.size[1])
        self.layers[-1] = replace(layer, averaging=averaging, numbers=averaging.numbers, activation=self.limits())
        return name

    def _numbered(self, layer: Layer, numbers: Numbers | None) -> Layer:
        assert numbers is not None
        if isinstance(layer, AveragePooling):
            averaging = affine.averaging(as_affine(numbers), layer.size[0] * layer.size[1])
            return replace(layer, numbers=averaging.numbers, averaging=averaging)
        return replace(layer, numbers=numbers)

    def graph(self) -> Graph:
        ends = [layer.name for layer in self.layers if not layer.INPUT]
        outputs = tuple(Output(name, name) for name in ends)
        return Graph(tuple(self.layers), "side", "int8", "affine", outputs=outputs)
