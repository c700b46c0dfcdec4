"""Model file + samples -> Graph, Program and Sources.

The only way there, for `run`, `generate`, `export` and the tools: what is generated is what was measured.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mcusim import models
from mcusim.approximate import approximated
from mcusim.approximate.approximation import Memory
from mcusim.boards.board import Board
from mcusim.datasets.sampling import choose
from mcusim.engines.engine import Facts
from mcusim.experiment.approximation import Approximation
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.kernels.choice import ANYWHERE, Destination
from mcusim.line.build import Firmware
from mcusim.line.destination import destination_of
from mcusim.line.drop_constant import drop_constant
from mcusim.line.emit import emit_energy_pin, emit_library, is_weights
from mcusim.line.equal_inputs import equal_inputs
from mcusim.line.equalize import equalize
from mcusim.line.fuse import choose_kernels
from mcusim.line.lower import lowered, options_of
from mcusim.line.optimize import optimize, relu_first
from mcusim.line.quantize import quantize, quantize_as
from mcusim.line.select import Choice
from mcusim.line.sources import Sources
from mcusim.line.store_unsigned import store_unsigned
from mcusim.line.stored import demand_as_stored, demand_exact, with_types
from mcusim.line.within import within
from mcusim.models.source import NO_SHAPES, Shapes, Source
from mcusim.numbers import affine_scheme
from mcusim.numbers.factors import rescaling
from mcusim.program import Program
from mcusim.system.arrays import Array


@dataclass(frozen=True)
class Generated:
    """A model as C: the graph that tells what it computes, the program, and its text."""

    graph: Graph
    program: Program
    library: Sources
    choice: Choice

    @property
    def notes(self) -> tuple[str, ...]:
        """What its user has to know: what is computed, and what limits cost."""
        return (*self.graph.notes, *self.program.notes)

    @property
    def kernels_sha256(self) -> str:
        """Of all that the library computes with but the numbers of weights."""
        return Sources({name: text for name, text in self.library.files.items() if not is_weights(name)}).digest


def read_model(path: Path, name: str | None = None, shapes: Shapes = NO_SHAPES) -> Source:
    """The model in a file, optimized; `name` in place of the file's. ModelError tells whatever is wrong with it.

    `shapes` of inputs whose length the file leaves open, by name, "" for an only one.
    """
    source = models.read_model(path, name or path.stem, shapes)
    return with_types(
        replace(source, graph=store_unsigned(drop_constant(optimize(source.graph))), unoptimized=source.graph)
    )


def generate(
    source: Source,
    calibration: Array | None,
    chosen: Quantization,
    destination: Destination = ANYWHERE,
    *,
    labels: Array | None = None,
    seed: int = 0,
) -> Generated:
    """Both halves of the way: `quantized_graph` and `generated_of`, from a source that is fed as `chosen` says."""
    source = fed_equally(source, calibration, chosen)
    graph = quantized_graph(source, calibration, chosen, labels=labels, seed=seed)
    return generated_of(graph, source, choose_kernels(graph, options_of(graph, destination), destination))


def fed_equally(source: Source, calibration: Array | None, chosen: Quantization) -> Source:
    """What `quantized_graph` is given, and samples are normalized by: where `chosen` equalizes, channels of its inputs
    reach equally far. `calibration`: raw training samples, or None."""
    if calibration is None or not chosen.equalize or source.graph.is_quantized:
        return source
    return equal_inputs(source, calibration)


def quantized_graph(
    source: Source,
    calibration: Array | None,
    chosen: Quantization,
    *,
    labels: Array | None = None,
    seed: int = 0,
    unsigned: bool = True,
    real: Graph | None = None,
    approximation: Approximation | None = None,
) -> Graph:
    """`calibration`: raw training samples, of which as many as `chosen` says choose the scales, by `labels` and `seed`.

    None where there are none. A graph that is quantized already stays as it is: `chosen` must not ask for another, and
    how it rescales is said where it is read. `real`: what `reduced_graph` made, where something is skipped;
    `approximation`: what is skipped of the quantized graph, too.
    `unsigned`: may affine tensors be stored without a sign, which TFLite has not?
    """
    if source.graph.is_quantized:
        demand_as_stored(source.graph, chosen)
        return source.graph
    real = real_graph(source, chosen) if real is None else real
    samples = _calibration(source, calibration, chosen.calibration_samples, labels, seed)
    with rescaling(chosen.rescale):
        if source.learned and not real.skipped and chosen.asks_for(source.learned):
            quantized = quantize_as(real, source.learned)
        else:
            quantized = _fitted(real, samples, chosen)
        quantized = store_unsigned(quantized) if unsigned else quantized
    if approximation is None:
        return quantized
    return approximated(quantized, samples, approximation.wanted(seed), on_integers=True)


def _fitted(real: Graph, samples: Array, chosen: Quantization) -> Graph:
    """With scales that the samples choose."""
    return quantize(
        real,
        samples,
        chosen.data_type,
        scheme=chosen.chosen_scheme,
        fraction=chosen.fraction,
        rounding=chosen.rounding,
        ranges=chosen.ranges,
        weights=chosen.weights,
        output=chosen.output,
        layers=chosen.layer_words,
    )


def real_graph(source: Source, chosen: Quantization) -> Graph:
    """What is quantized: the graph of the source, equalized where `chosen` says so.

    Activations go before max-pools where numbers with a zero gain by it: others keep a sign, or a format, all the same.
    """
    graph = equalize(source.graph) if chosen.equalize else source.graph
    is_affine = chosen.data_type == "int8" and chosen.chosen_scheme in affine_scheme.SCHEMES
    return relu_first(graph) if is_affine else graph


def reduced_graph(
    source: Source,
    calibration: Array | None,
    chosen: Quantization,
    approximation: Approximation | None,
    *,
    labels: Array | None = None,
    seed: int = 0,
    memory: Memory | None = None,
    origin: Hashable = None,
    step: int | None = None,
    begun: Graph | None = None,
) -> Graph:
    """`real_graph` without what `approximation` skips, by the samples that choose the scales.

    `memory`: of others that were made; two of one `origin` are of the same source, calibration, labels and seed.
    `step`: only what is skipped up to the end of that one, from 1 on. `begun`: what the steps before have made.
    Raises ConfigurationError for a model of integers that is to be approximated, and as `approximated` does.
    """
    if source.graph.is_quantized:
        demand_exact(source.graph, approximation)
        return source.graph
    real = begun or real_graph(source, chosen)
    if approximation is None:
        return real
    samples = _calibration(source, calibration, chosen.calibration_samples, labels, seed)
    made_of = (origin, chosen.equalize, chosen.data_type, chosen.chosen_scheme, chosen.calibration_samples)
    return approximated(real, samples, approximation.wanted(seed, step), None if begun else memory, made_of)


def generated_of(graph: Graph, source: Source, choice: Choice) -> Generated:
    """`source`: of the graph. `choice`: of its layers' kernels, or of those of its pairs of layers."""
    program = lowered(choice)
    return Generated(graph, program, emit_library(program, source.normalizations), choice)


def library_of(generated: Generated, source: Source, facts: Facts, target: Target, board: Board | None) -> Sources:
    """Its library, and what the harness of a real board is asked for.

    Marks tell it where layers begin and end, a header which pin a meter looks at. Raises as `emit_energy_pin`.
    """
    library = generated.library
    if facts.silicon and target.layers:
        library = emit_library(generated.program, source.normalizations, marks=True)
    if facts.silicon and target.energy_pin and board:
        library = library.merged(emit_energy_pin(board))
    return library


def generated_within(
    graph: Graph, source: Source, target: Target, board: Board | None, build: Callable[[Sources], Firmware]
) -> Generated:
    """`generated_of` with kernels that meet the limits of an experiment on a board. `board`: None for this machine."""
    options = options_of(graph, destination_of(board, target) if board else ANYWHERE, target.kernels)
    if board is None:
        return generated_of(graph, source, choose_kernels(graph, options))

    def built(choice: Choice) -> tuple[Program, Firmware]:
        made = generated_of(graph, source, choice)
        return made.program, build(made.library)

    return generated_of(graph, source, within(graph, options, board, target, built))


def _calibration(source: Source, samples: Array | None, count: int, labels: Array | None, seed: int) -> Array:
    """As the model takes them."""
    if samples is None:
        return np.zeros(0, source.graph.sample_dtype)
    return source.normalized(samples[choose(len(samples), count, labels, seed)])
