"""Model file + samples -> Graph, Program and Sources.

The only way there, for `run`, `generate`, `export` and the tools: what is generated is what was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from mcusim import models
from mcusim.graph import Graph
from mcusim.kernels.choice import KernelChoice
from mcusim.line.emit import Statistics, emit_library
from mcusim.line.lower import lower
from mcusim.line.optimize import optimize
from mcusim.line.quantize import calibration_subset, quantize
from mcusim.line.sources import Sources
from mcusim.models.source import Source
from mcusim.numbers.numbers import Rounding
from mcusim.program import Program
from mcusim.system.arrays import Array


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
    @property
    def layers(self) -> tuple[tuple[str, str], ...]:
        """Data types of single layers."""


@dataclass(frozen=True)
class Generated:
    """A model as C: the graph that tells what it computes, the program, and its text."""

    graph: Graph
    program: Program
    library: Sources


def read_model(path: Path, name: str | None = None) -> Source:
    """The model in a file, optimized; `name` in place of the file's. ModelError tells whatever is wrong with it."""
    return optimized(models.read_model(path, name or path.stem))


def optimized(source: Source) -> Source:
    return replace(source, graph=optimize(source.graph))


def generate(
    source: Source, calibration: Array, chosen: Chosen, core: str | None = None, kernels: KernelChoice | None = None
) -> Generated:
    """`calibration`: raw training samples, of which as many as `chosen` says choose the scales.

    `core`: of the chip, `kernels`: those that may run; see `lower`.
    """
    graph = quantize(
        source.graph,
        source.normalized(calibration_subset(calibration, chosen.calibration_samples)),
        chosen.data_type,
        scheme=chosen.scheme,
        fraction=chosen.fraction,
        rounding=chosen.rounding,
        layers=dict(chosen.layers),
    )
    program = lower(graph, core, kernels)
    statistics = {name: Statistics(one.mean, one.std) for name, one in source.normalizations.items()}
    return Generated(graph, program, emit_library(program, statistics))
