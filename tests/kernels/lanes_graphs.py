"""Layers without weights side by side in one graph, each an output: any formats, shifts and windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from mcusim.graph import Graph, Layer, Output, Shape
from mcusim.layers.add import Add
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.input import Input
from mcusim.layers.planes import NO_PADDING, Pair, output_plane, same_padding, shape_like
from mcusim.layers.pooling import AveragePooling, MaxPooling
from mcusim.layers.relu import ReLU
from mcusim.numbers.formats import Format
from mcusim.numbers.integers import rounding_term
from mcusim.numbers.numbers import LINEAR, Activation, Numbers
from mcusim.numbers.power_of_two import PowerOfTwoScheme, Shift, ShiftedAddition
from mcusim.system.arrays import Array


@dataclass
class Side:
    """`bits` is 0 for float32. Inputs are whole numbers, over all of their range."""

    bits: int = 8
    rounding: str = "nearest"
    layers: list[Layer] = field(default_factory=list)

    def format(self, *, signed: bool = True, fraction: int = 0) -> Format | None:
        return Format(self.bits, fraction, signed) if self.bits else None

    def input(self, shape: Shape, *, signed: bool = True, fraction: int = 0) -> str:
        numbers = self.format(signed=signed, fraction=fraction)
        return self._append(Input(name=f"x{len(self.layers)}", inputs=(), shape=shape, numbers=numbers))

    def relu(self, source: str, ceiling: float | None = None) -> str:
        entry = self.layer(source)
        return self._append(
            ReLU(
                name=self._name("relu"),
                inputs=(source,),
                shape=entry.shape,
                numbers=entry.numbers,
                activation=Activation(True, ceiling),
            )
        )

    def add(
        self,
        *sources: str,
        shifts: tuple[int, ...] = (),
        shift: int = 0,
        activation: Activation = LINEAR,
        signed: bool = True,
    ) -> str:
        shape = self.layer(sources[0]).shape
        out = self.format(signed=signed)
        addition = None
        if out is not None:
            scales = shifts or (0,) * len(sources)
            formats = [self.layer(source).numbers for source in sources]
            largest = [max(-one.minimum, one.maximum) for one in formats if one is not None]
            rounding = rounding_term(shift, self.rounding)  # type: ignore[arg-type]
            peak = sum(one << by for one, by in zip(largest, scales, strict=True)) + rounding
            addition = ShiftedAddition(scales, rounding, Shift(shift, out), peak)
        return self._append(
            Add(
                name=self._name("add"),
                inputs=sources,
                shape=shape,
                numbers=out,
                activation=activation,
                addition=addition,
            )
        )

    def concatenate(self, *sources: str, axis: int = -1, signed: bool = True) -> str:
        entries = [self.layer(source) for source in sources]
        shape = list(entries[0].shape)
        shape[axis] = sum(entry.shape[axis] for entry in entries)
        layer = Concatenate(name=self._name("concatenate"), inputs=sources, shape=tuple(shape), axis=axis)
        if self.bits:
            numbers = [entry.numbers for entry in entries if entry.numbers is not None]
            out = self.scheme.joined(tuple(numbers))
            out = replace(out, signed=signed)
            conversions = tuple(self.scheme.conversion(one, out) for one in numbers)
            layer = replace(layer, numbers=out, conversions=conversions)
        return self._append(layer)

    def pool(
        self,
        source: str,
        size: Pair,
        strides: Pair,
        *,
        same: bool = False,
        mean: bool = False,
        activation: Activation = LINEAR,
    ) -> str:
        entry = self.layer(source)
        padding = same_padding(entry.shape, size, strides) if same else NO_PADDING
        plane = output_plane(entry.shape, size, strides, padding)
        assert plane is not None
        shape = shape_like(len(entry.shape) - 1, *plane, entry.shape[-1])
        kind = AveragePooling if mean else MaxPooling
        layer = kind(
            name=self._name("pool"),
            inputs=(source,),
            shape=shape,
            input_shape=entry.shape,
            size=size,
            strides=strides,
            padding=padding,
            activation=activation,
        )
        return self._append(self._numbered(layer, entry.numbers))

    def _numbered(self, layer: Layer, numbers: Numbers | None) -> Layer:
        if numbers is None:
            return layer
        if isinstance(layer, AveragePooling):
            averaging = self.scheme.averaging(numbers, most=layer.size[0] * layer.size[1])
            return replace(layer, numbers=averaging.numbers, averaging=averaging)
        return replace(layer, numbers=numbers)

    @property
    def scheme(self) -> PowerOfTwoScheme:
        return PowerOfTwoScheme(self.bits, None, self.rounding)  # type: ignore[arg-type]

    def layer(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)

    def graph(self) -> Graph:
        ends = [layer.name for layer in self.layers if not layer.INPUT]
        data_type = f"int{self.bits}" if self.bits else "float32"
        return Graph(tuple(self.layers), "side", data_type, outputs=tuple(Output(name, name) for name in ends))

    def samples(self, count: int = 2, seed: int = 0) -> Array:
        """Some at the ends of their range."""
        random, graph = np.random.default_rng(seed), self.graph()
        columns = {}
        for layer in graph.inputs:
            least, most = (-9, 9) if layer.numbers is None else (layer.numbers.minimum, layer.numbers.maximum)
            x = random.integers(least, most, (count, *layer.shape), endpoint=True).astype(np.float32)
            ends = random.choice([least, most], x.shape)
            x = np.where(random.random(x.shape) < 0.2, ends, x).astype(np.float32)
            columns[layer.name] = x if layer.numbers is None else layer.numbers.decode(x)
        if len(columns) == 1:
            return next(iter(columns.values()))
        dtype = [(name, np.float32, x.shape[1:]) for name, x in columns.items()]
        made = np.zeros(count, dtype)
        for name, x in columns.items():
            made[name] = x
        return made

    def _name(self, kind: str) -> str:
        return f"{kind}{len(self.layers)}"

    def _append(self, layer: Layer) -> str:
        self.layers.append(layer)
        return layer.name


def same(answers: Array, wanted: Array) -> bool:
    """Bit for bit, whatever their fields are."""
    return answers.tobytes() == wanted.tobytes()


def everything(sides: Iterable[Side]) -> list[Graph]:
    return [side.graph() for side in sides]
