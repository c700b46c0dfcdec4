"""Layers without much arithmetic, of random shapes: what a test puts side by side in one graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tests.graphs import Builder
from tests.kernels.grid import Case

LARGEST = 1500  # numbers of a layer
Make = Callable[[np.random.Generator], Case]


def between(random: np.random.Generator, least: int, most: int) -> int:
    """Small ones as often as large ones."""
    return round(math.exp(random.uniform(math.log(least), math.log(most))))


def series(random: np.random.Generator) -> tuple[int, ...]:
    return between(random, 1, 60), between(random, 1, 40)


def plane(random: np.random.Generator) -> tuple[int, ...]:
    return between(random, 1, 14), between(random, 1, 14), between(random, 1, 24)


def one(kind: str, shape: Callable[[np.random.Generator], tuple[int, ...]], **config: object) -> Make:
    """A layer whose settings are given, or drawn by a function."""

    def make(random: np.random.Generator) -> Case:
        drawn = {name: value(random) if callable(value) else value for name, value in config.items()}
        return shape(random), lambda builder: builder.add(kind, **drawn)

    return make


def concatenation(random: np.random.Generator) -> Case:
    filters = [between(random, 1, 24) for _ in range(random.integers(1, 3))]

    def make(builder: Builder) -> None:
        start = builder.last.name
        builder.add("Concatenate", start, *[builder.conv(count, 1, start) for count in filters])

    return plane(random), make


def sides(random: np.random.Generator) -> tuple[tuple[int, int], ...]:
    return tuple((int(random.integers(0, 3)), int(random.integers(0, 3))) for _ in range(2))


COPIES: tuple[Make, ...] = (
    one("ZeroPadding2D", plane, padding=sides),
    one("ZeroPadding1D", series, padding=lambda random: int(random.integers(1, 4))),
    one("UpSampling2D", plane, size=2),
    one("UpSampling1D", series, size=lambda random: int(random.integers(2, 6))),
    one("Cropping2D", lambda random: tuple(3 + length for length in plane(random)), cropping=1),
    one("Permute", plane, dims=lambda random: tuple(1 + random.permutation(3))),
    one("Permute", series, dims=(2, 1)),
    one("RepeatVector", lambda random: (between(random, 1, 40),), n=5),
    concatenation,
)


def product(other: str) -> Make:
    """With an array of its size, or one number for each channel, as in a squeeze and excitation block."""

    def make(random: np.random.Generator) -> Case:
        ceiling = float(random.choice([0.0, 0.4, 6.0]))

        def add(builder: Builder) -> None:
            start = builder.last.name
            if other == "channels":
                builder.add("GlobalAveragePooling2D", start, keepdims=True)
            else:
                builder.add("Rescaling", start, scale=0.7, offset=0.3)
            builder.add("Multiply", start, builder.last.name)
            if ceiling:
                builder.add("ReLU", max_value=ceiling)

        return plane(random), add

    return make


FUNCTIONS = ("sigmoid", "tanh", "hard_sigmoid", "silu", "gelu", "elu", "leaky_relu", "exponential", "softplus")
NUMBER_BY_NUMBER: tuple[Make, ...] = (
    one("Activation", series, activation=lambda random: str(random.choice(FUNCTIONS))),
    product("array"),
    product("channels"),
)


def sequence(kind: str) -> Make:
    """Units and features are padded to multiples of four."""

    def make(random: np.random.Generator) -> Case:
        units, every, backwards = between(random, 4, 24), bool(random.integers(2)), bool(random.integers(2))

        def add(builder: Builder) -> None:
            builder.recurrent(kind, units, return_sequences=every, go_backwards=backwards)
            builder.add("Reshape", target_shape=(-1, units))

        return (between(random, 2, 9), between(random, 1, 20)), add

    return make


SEQUENCES: tuple[Make, ...] = tuple(map(sequence, ("LSTM", "GRU", "SimpleRNN")))


def cases(makes: Sequence[Make], seed: int, count: int) -> list[Case]:
    """`count` layers, of each kind as many. Inputs of whole words come first, so that they begin at whole words."""
    random = np.random.default_rng(seed)
    every = _endless(makes, random)
    return sorted((next(every) for _ in range(count)), key=lambda case: math.prod(case[0]) % 4 != 0)


def _endless(makes: Sequence[Make], random: np.random.Generator) -> Iterator[Case]:
    while True:
        for make in makes:
            shape, add = make(random)
            builder = Builder(shape)
            add(builder)
            if max(layer.elements for layer in builder.layers) <= LARGEST:
                yield shape, add
