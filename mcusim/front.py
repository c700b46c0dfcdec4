"""Model file + samples -> Graph, Program and Sources.

The only way there, for `run`, `generate`, `export` and the tools: what is generated is what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mcusim.datasets.dataset import Normalization
from mcusim.graph import Graph
from mcusim.line.emit import emit_library
from mcusim.line.lower import Program, lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import calibration_subset, quantize
from mcusim.line.sources import Sources
from mcusim.models.keras import from_keras, load_keras
from mcusim.numbers.power_of_two import Array, Rounding
from mcusim.training.normalization_file import load_normalization


class Chosen(Protocol):
    """How a model is quantized: an entry of [[quantization]]."""

    @property
    def data_type(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def fraction(self) -> int | None: ...
    @property
    def rounding(self) -> Rounding: ...
    @property
    def calibration_samples(self) -> int: ...


@dataclass(frozen=True)
class Source:
    """What a model file holds: float32 layers, and how samples are normalized for them (None: not at all, as far as it
    knows)."""

    graph: Graph
    normalization: Normalization | None

    def normalized(self, x: Array) -> Array:
        """Samples (N, *input_shape) as the model takes them."""
        return x if self.normalization is None else self.normalization.apply(x)


@dataclass(frozen=True)
class Generated:
    """A model as C: the graph that tells what it computes, the program, and its text."""

    graph: Graph
    program: Program
    library: Sources


def read_model(path: Path, name: str | None = None) -> Source:
    """The model in a file, optimized; `name` in place of the file's. ModelError tells whatever is wrong with it."""
    graph = optimize(from_keras(load_keras(path), name or path.stem, where=str(path)))
    return Source(graph, load_normalization(path))


def generate(source: Source, calibration: Array, chosen: Chosen) -> Generated:
    """`calibration`: raw training samples (N, *input_shape), of which as many as `chosen` says choose the scales."""
    graph = quantize(
        source.graph,
        source.normalized(calibration_subset(calibration, chosen.calibration_samples)),
        chosen.data_type,
        scheme=chosen.scheme,
        fraction=chosen.fraction,
        rounding=chosen.rounding,
    )
    program = lower(graph)
    statistics = source.normalization
    mean, deviation = (statistics.mean, statistics.std) if statistics else ((), ())
    return Generated(graph, program, emit_library(program, mean=mean, deviation=deviation))
