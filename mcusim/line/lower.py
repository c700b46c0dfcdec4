"""quantized Graph -> Program: a kernel for each layer, constant arrays as flash has them, a place for each tensor."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mcusim.graph import Graph, Layer, Tensor, has_narrow_weights
from mcusim.kernels.choice import ANYWHERE, WHERE, Destination, KernelChoice, Option, options
from mcusim.kernels.kernel import Kernel, Variant
from mcusim.layers.cascade import Cascade
from mcusim.layers.convert import Convert
from mcusim.line import arena
from mcusim.line.c_text import c_names
from mcusim.line.fuse import choose_kernels, note_of_pairs
from mcusim.line.select import Choice, price_of_limits
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import LONG, Exit, LayerCode, Program, Step, Unit
from mcusim.system.errors import ConfigurationError

IN_RAM = "code in RAM"
FLOAT_HEADER = "float32.h"
Chosen = tuple[Kernel, Variant]
# Bits of numbers, 0 for float32, of sums, and of weights that are narrower, or 0; the C twin of the numbers.
Width = tuple[int, int, int, str]


def lower(graph: Graph, destination: Destination = ANYWHERE, kernels: KernelChoice | None = None) -> Program:
    """Choose kernels and memory. The graph's inputs are the caller's arrays and no steps.

    Raises ConfigurationError when `kernels` cannot be met, TooBigError for the limits of `destination`.
    """
    return lowered(choose_kernels(graph, options_of(graph, destination, kernels), destination, kernels))


def lowered(choice: Choice) -> Program:
    """What was chosen, and notes of what that cost."""
    chosen = {name: option.how for name, option in choice.selected.items()}
    notes = (*price_of_limits(choice), *note_of_pairs(choice.graph))
    program = program_of(choice.graph, chosen, choice.destination.memory.fast_ram_bytes)
    moved = frozenset(name for option in choice.selected.values() for name in option.in_ram)
    return replace(program, steps=tuple(step_with_code_in_ram(step, moved) for step in program.steps), notes=notes)


def step_with_code_in_ram(step: Step, moved: Collection[str]) -> Step:
    """`moved`: names of the routines that run from there."""
    own = tuple(replace(routine, in_ram=routine.name in moved) for routine in step.code.routines)
    if own == step.code.routines:
        return step
    variant = ", ".join(filter(None, (step.variant, IN_RAM)))
    return replace(step, code=replace(step.code, routines=own), variant=variant)


def options_of(graph: Graph, destination: Destination, kernels: KernelChoice | None = None) -> dict[str, list[Option]]:
    """How each layer that runs could, the cheapest first."""
    running = running_layers(graph)
    if kernels is not None:
        graph.demand_layers(dict(kernels.layers), WHERE)
        _demand_code(kernels, running)
    return {layer.name: options(layer, graph.inputs_of(layer), destination, kernels) for layer in running}


def _demand_code(kernels: KernelChoice, running: list[Layer]) -> None:
    names = {layer.name for layer in running}
    for name, _ in kernels.layers:
        if name not in names:
            what = f"layer {name!r} has nothing to do, and no kernel"
            raise ConfigurationError(what, where=WHERE, hint="leave it out")


def running_layers(graph: Graph) -> list[Layer]:
    """Those that have something to do."""
    views = arena.views(graph)
    return [layer for layer in graph if not layer.INPUT and layer.name not in views]


def program_of(graph: Graph, chosen: Mapping[str, Chosen], fast_ram_bytes: int | None = None) -> Program:
    """With a kernel that fits for each layer that runs. `fast_ram_bytes`: of the arena, as of Memory."""
    running = running_layers(graph)
    code = {layer.name: _code(layer, graph, chosen[layer.name]) for layer in running}
    plan = arena.plan(graph, {name: made.scratch_bytes for name, made in code.items()}, fast_ram_bytes)
    functions = c_names(layer.name for layer in graph)
    widths = _widths([graph.inputs[0], *running])
    units, exits = _units(graph, running, widths), _exits(graph)
    return Program(
        name=graph.name,
        data_type=graph.data_type,
        scheme=graph.scheme,
        units=tuple(units.values()),
        inputs=tuple(Tensor(name=layer.name, shape=layer.shape, numbers=layer.numbers) for layer in graph.inputs),
        outputs=graph.output_tensors,
        steps=tuple(
            replace(
                _step(graph, layer, chosen[name], code[name], functions[name], units[widths[name]], plan),
                leaves=exits.get(name),
            )
            for name, layer in ((layer.name, layer) for layer in running)
        ),
        arena_bytes=plan.arena_bytes,
        arena_lower_bound_bytes=plan.lower_bound_bytes,
        buffers_bytes=plan.buffers_bytes,
        buffers=plan.buffers,
        rounding=graph.rounding,
    )


def _exits(graph: Graph) -> dict[str, Exit]:
    """By the layer whose output may be the answer."""
    found, still = {}, arena.views(graph)
    for end in graph:
        if isinstance(end, Cascade):
            first = graph[end.inputs[0]]
            while first.name in still:
                first = graph[first.inputs[0]]
            found[first.name] = Exit(end.elements, end.threshold)
    return found


def _code(layer: Layer, graph: Graph, chosen: Chosen) -> LayerCode:
    kernel, variant = chosen
    return kernel.code(layer, graph.inputs_of(layer), variant)


def _width(layer: Layer) -> Width:
    bits = 0 if layer.arithmetic is None else layer.arithmetic.bits
    weights = layer.weight_numbers.bits if layer.weight_numbers and has_narrow_weights(layer) else 0
    return bits, 64 if layer.accumulator_peak > ACCUMULATOR_LIMIT else 32, weights, _header(layer)


def _header(layer: Layer) -> str:
    """Where numbers change, of those that it computes with."""
    numbers = layer.arithmetic if isinstance(layer, Convert) else layer.numbers
    return FLOAT_HEADER if numbers is None else numbers.header


def _widths(layers: Sequence[Layer]) -> dict[str, Width]:
    """Of each layer by name. Those that have no weights go with others of their width, whose are narrower."""
    own = {layer.name: _width(layer) for layer in layers}
    narrow = {(bits, sums, header): weights for bits, sums, weights, header in own.values() if weights}

    def width(layer: Layer) -> Width:
        bits, sums, weights, header = own[layer.name]
        return bits, sums, weights if layer.weight_numbers else narrow.get((bits, sums, header), 0), header

    return {layer.name: width(layer) for layer in layers}


def _units(graph: Graph, running: list[Layer], widths: Mapping[str, Width]) -> dict[Width, Unit]:
    """By width; the one of the model's first input comes first, also when no layer is in it."""
    own = widths[graph.inputs[0].name]
    there = {widths[layer.name] for layer in running}
    alike = sorted(one for one in there if (one[0], one[3]) == (own[0], own[3]))  # of the same numbers
    units: dict[Width, Unit] = {}
    for width in ([*alike, own][0], *(widths[layer.name] for layer in running)):
        bits, accumulator_bits, weight_bits, header = width
        if width not in units:
            name = "float32" if bits == 0 else f"w{weight_bits}a{bits}" if weight_bits else f"int{bits}"
            name += _apart(name, header, units.values())
            units[width] = Unit(name, bits, accumulator_bits, header, weight_bits)
    return units


def _apart(name: str, header: str, units: Collection[Unit]) -> str:
    """What tells a unit from those with the same numbers: how long its sums are, or which system they are of."""
    alike = [unit for unit in units if unit.data_type == name]
    system = f"_{header.removesuffix('.h')}" if any(unit.header != header for unit in alike) else ""
    return system + (LONG if any(unit.header == header for unit in alike) else "")


def _step(
    graph: Graph, layer: Layer, chosen: Chosen, code: LayerCode, function: str, unit: Unit, plan: arena.Plan
) -> Step:
    inputs = graph.inputs_of(layer)
    kernel, variant = chosen
    return Step(
        name=layer.name,
        kind=layer.kind,
        kernel=kernel.NAME,
        variant=str(variant),
        function=function,
        unit=unit.name,
        macs=layer.macs,
        input_shapes=tuple(entry.shape for entry in inputs),
        dtypes=tuple(entry.dtype for entry in inputs),
        shape=layer.shape,
        numbers=layer.numbers,
        code=code,
        sources=tuple(plan.places[name] for name in layer.inputs),
        sink=plan.places[layer.name],
        scratch=plan.scratch.get(layer.name),
        weight_numbers=layer.weight_numbers,
    )
