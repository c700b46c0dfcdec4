"""What an approximation is: Graph + calibration samples -> a Graph of fewer products, and how much it skips.

What comes out is an ordinary graph: `Graph.run` is its twin in NumPy, it is quantized as any other, and its C gives the
same bits. A member of the family is a module.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Literal, Protocol, TypeVar

import numpy as np

from mcusim.graph import Graph, Skipped
from mcusim.system.arrays import Array
from mcusim.system.contents import digest_of
from mcusim.system.errors import ConfigurationError
from mcusim.system.kept_files import KeptArrays
from mcusim.system.remembered import Remembered

WHERE = "[approximation]"
TOGETHER = 2  # channels that fast kernels take at a time: so many are left, or a multiple
Degree = int | float  # so many; or a share, where it is no whole number
Significance = Literal["obs", "paper", "magnitude", "random"]
Compensation = Literal["least-squares", "bias", "none"]
MOST_BYTES = 2**27  # of steps that are remembered: some hundred small networks
MOST_BYTES_SEEN = 2**28  # of what calibration samples told of their graphs


Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Degrees:
    """How much of one kind is skipped: of the `layers` that are named, and of all others.

    `part`: of all that, what is skipped when this step of several ends; 1 in the last one.
    """

    default: Degree = 0
    layers: Mapping[str, Degree] = field(default_factory=dict)
    part: Fraction = Fraction(1)

    @property
    def is_any(self) -> bool:
        return bool(self.default) or any(self.layers.values())

    def of(self, layer: str) -> Degree:
        return self.layers.get(layer, self.default)

    def count(self, layer: str, total: int, gone: int = 0) -> int:
        """Of `total`, rounded down; `gone`: how many were skipped in steps before, and are not among them."""
        degree, whole = self.of(layer), total + gone
        wanted = min(whole, int(degree * whole) if isinstance(degree, float) else degree)
        if self.part < 1:
            wanted = int(wanted * self.part) // TOGETHER * TOGETHER
        return max(0, wanted - gone)


@dataclass(frozen=True)
class Wanted:
    """`degrees` by the names of approximations; how channels are chosen, and what makes up for them."""

    degrees: Mapping[str, Degrees]
    significance: Significance = "obs"
    compensation: Compensation = "least-squares"
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Memory:
    """Of graphs that others have made: `steps` are small, and what was `seen` of samples on the way is large.

    `numbers`: what other processes know of them, too.
    """

    steps: Remembered = field(default_factory=lambda: Remembered(MOST_BYTES))
    seen: Remembered = field(default_factory=lambda: Remembered(MOST_BYTES_SEEN))
    numbers: KeptArrays | None = None


@dataclass(frozen=True, eq=False)
class Reduced:
    """A graph on its way. `exact`: as it was. `kept`: of layers that lost filters, which of their own are left.

    `memory`: of steps that others have gone, too. `made_by`: the origin of the exact graph and its samples, and what
    was done since; of those that share a memory two of one `made_by` are the same, but for notes.
    """

    graph: Graph
    exact: Graph
    samples: Array
    kept: Mapping[str, Array] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    memory: Memory = field(default_factory=Memory)
    made_by: tuple[Hashable, ...] = (None,)

    def step(self, told: Hashable, make: Callable[[], Reduced | str]) -> Reduced | str:
        """What `make` makes of this, unless it was made before. `told`: all else that it depends on."""
        key = (*self.made_by, told)
        found = self.memory.steps.do(key, make, lambda one: 0 if isinstance(one, str) else 4 * one.graph.parameters)
        return found if isinstance(found, str) else replace(found, notes=self.notes, made_by=key)

    def learned(self, told: Hashable, make: Callable[[], Seen]) -> Seen:
        """Of layers, by the samples. `told`: all that it depends on, layers as they are: no two are equal."""
        return self.memory.steps.do((self.made_by[:1], told), make, bytes_of)

    def numbers(self, told: object, make: Callable[[], tuple[Array, ...]]) -> tuple[Array, ...]:
        """The same of what is dear and only arrays: layers in `told` count by what they hold."""
        key, kept = digest_of((self.made_by[:1], told)), self.memory.numbers
        return self.memory.steps.do(key, make if kept is None else partial(kept.do, key, make), bytes_of)

    def seen(self, told: Hashable, make: Callable[[], Seen]) -> Seen:
        """The same, where it is large."""
        return self.memory.seen.do((self.made_by[:1], told), make, bytes_of)

    def filters_of(self, name: str) -> Array:
        """Of a layer, by their places in the exact one."""
        return self.kept.get(name, np.arange(self.exact[name].shape[-1]))

    def gone(self, kind: str, layer: str) -> int:
        """How many of a layer were skipped in steps before."""
        return sum(one.count for one in self.exact.skipped if (one.kind, one.layer) == (kind, layer))

    def told(self) -> Graph:
        """The graph, which says itself what it skips."""
        return replace(self.graph, skipped=self.skipped, notes=(*self.graph.notes, *self.notes))


class Approximation(Protocol):
    """A module with these names. `NAME` is its key in [approximation], and in reports.

    `DEFAULT`: how much of it is wanted by who writes that table and no such key; True where it has no degrees, 0.0
    where these are shares alone. `ON_INTEGERS`: is it made of the quantized graph, and not of the real one?
    """

    NAME: str
    SUMMARY: str
    ON_INTEGERS: bool

    @property
    def DEFAULT(self) -> Degree: ...

    def reduce(self, made: Reduced, wanted: Wanted) -> Reduced:
        """Only asked where some of it is wanted. Notes say what is skipped, and what is not, and why.

        Raises ConfigurationError for a layer that is named by the user and cannot be approximated so.
        """


def bytes_of(seen: object) -> int:
    """Of an array, of several, or of those of an object."""
    if isinstance(seen, np.ndarray):
        return seen.nbytes
    if isinstance(seen, tuple):
        return sum(map(bytes_of, seen))
    told = seen if isinstance(seen, Mapping) else getattr(seen, "__dict__", {})
    return sum(map(bytes_of, told.values()))


def refuse(degrees: Degrees, layer: str, kind: str, reason: str) -> None:
    """Raises ConfigurationError where the user named that layer: others stay as they are."""
    if degrees.layers.get(layer):
        what = f"layer {layer!r} cannot be approximated by {kind!r}: {reason}"
        raise ConfigurationError(what, where=WHERE, hint="leave it out")


def together(skipped: tuple[Skipped, ...], *more: Skipped) -> tuple[Skipped, ...]:
    """Of one kind and layer one, of as many as there were at first."""
    found = {(one.kind, one.layer): one for one in skipped}
    for one in more:
        before = found.get((one.kind, one.layer))
        found[one.kind, one.layer] = replace(before, count=before.count + one.count) if before else one
    return tuple(found.values())


def in_pairs(count: int, total: int) -> int:
    """As many of `total` channels, or one less, so that pairs are left, and at least one of them."""
    left = -(-(total - count) // TOGETHER) * TOGETHER
    return total - min(total, max(left, TOGETHER))


def listed(skipped: tuple[Skipped, ...]) -> str:
    """`2 of 32 in 'conv1', 10 of 64 in 'conv2'`"""
    return ", ".join(f"{one.count} of {one.total} in {one.layer!r}" for one in skipped)
