"""Options of each layer + limits of an experiment -> a choice that meets them, by what a compiler makes of it.

How many bytes the C of a layer takes, in flash and on the stack, is known only when it was built. So what was chosen is
built, and chosen again with what was learned, until nothing changes; the fastest that met the limits is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mcusim.boards.board import Board
from mcusim.experiment.tables import Target
from mcusim.graph import Graph
from mcusim.kernels.choice import ANYWHERE, Built, Destination, Option
from mcusim.line.build import Firmware
from mcusim.line.code_ram import with_code_in_ram
from mcusim.line.destination import HARNESS_STACK_BYTES, Besides, destination_of
from mcusim.line.fuse import choose_kernels, fused_where_needed
from mcusim.line.knapsack import Options, Selection, cycles, flash_bytes
from mcusim.line.select import Choice, callers_bytes, meets, ram_bytes, select
from mcusim.line.thrift import thrifty
from mcusim.program import Program
from mcusim.system.errors import TooBigError

TRIES = 6
UNUSED_BYTES = 8  # of frames of the stack, that nobody writes: a run may take so much less than they say
ENTRIES = ("cnn", "cascade")

Build = Callable[[Choice], tuple[Program, Firmware]]


@dataclass(frozen=True)
class _Tried:
    """`best`: the fastest that met the limits, or almost; None where none did. The others are what was learned."""

    best: Choice | None
    options: Options
    destination: Destination


def within(graph: Graph, options: Options, board: Board, target: Target, build: Build) -> Choice:
    """Nothing is built where `target` has no limits. Raises TooBigError when they cannot be met.

    What is chosen without limits is taken if it meets them. Else layers run in pairs, band by band, only where that is
    faster within the limits than all of them for themselves.
    """
    destination = destination_of(board, target)
    if target.flash_max is None and target.ram_max is None:
        return choose_kernels(graph, options, destination, target.kernels)
    free = thrifty(graph, options, destination, target.kernels)
    if free.graph is not graph and meets(free.graph, free.selected, destination):
        built = _as_built(free, board, target, build)
        if _fits(built):
            return with_code_in_ram(built)
    alone = _tried(graph, options, board, target, build, destination)
    paired, own = fused_where_needed(graph, alone.options, alone.destination, target.kernels)
    every = [alone]
    if paired is not graph:
        every.append(_tried(paired, own, board, target, build, alone.destination))
    met = [one.best for one in every if one.best is not None]
    if not met:
        select(paired, every[-1].options, every[-1].destination)
        raise TooBigError("no choice of kernels met the limits", where="[target]", hint="raise them a little")
    best = min(met, key=lambda one: cycles(one.selected))
    return with_code_in_ram(replace(best, fastest=free.fastest))


def _tried(
    graph: Graph, options: Options, board: Board, target: Target, build: Build, destination: Destination
) -> _Tried:
    best: Choice | None = None
    almost: Choice | None = None
    tried: list[list[tuple[object, ...]]] = []
    for _ in range(TRIES):
        chosen = _selected_or_least(graph, options, destination)
        key: list[tuple[object, ...]] = [(name, *option.how) for name, option in chosen.items()]
        if key in tried:
            break
        tried.append(key)
        built = _as_built(Choice(graph, chosen, options), board, target, build)
        options, destination = built.options, built.destination
        if _fits(built) and (best is None or cycles(built.selected) < cycles(best.selected)):
            best = built
        elif _fits(built, UNUSED_BYTES):
            almost = built
    return _Tried(best or almost, options, destination)


def _as_built(choice: Choice, board: Board, target: Target, build: Build) -> Choice:
    """With what was learned from it: sizes of its C, and limits by what the firmware takes beside the model."""
    program, firmware = build(replace(choice, destination=ANYWHERE))  # whose limits need no notes
    options = _learned(choice.options, choice.selected, program, firmware)
    selected = {name: next(one for one in options[name] if one.how == was.how) for name, was in choice.selected.items()}
    besides = _besides(choice.graph, selected, firmware)
    return replace(choice, selected=selected, options=options, destination=destination_of(board, target, besides))


def _selected_or_least(graph: Graph, options: Options, destination: Destination) -> Selection:
    """Where nothing seems to fit, what comes nearest: its true size tells by how much."""
    try:
        return select(graph, options, destination)
    except TooBigError:
        return select(graph, options, destination.unnamed)


def _learned(options: Options, chosen: Selection, program: Program, firmware: Firmware) -> dict[str, list[Option]]:
    functions = {step.name: step.function for step in program.steps}
    symbols, frames = firmware.image.symbols, firmware.frames

    def known(name: str, option: Option) -> Option:
        function = functions[name]
        if function not in symbols or function not in frames:  # a build that was kept from an older version
            return option
        return replace(option, built=Built(symbols[function].size, frames[function]))

    return {
        name: [known(name, one) if one is chosen[name] else one for one in several] for name, several in options.items()
    }


def _besides(graph: Graph, chosen: Selection, firmware: Firmware) -> Besides:
    assert firmware.rom_bytes is not None and firmware.ram_static_bytes is not None
    stack = HARNESS_STACK_BYTES + sum(firmware.frames.get(name, 0) for name in ENTRIES)
    return Besides(
        flash_bytes=firmware.rom_bytes.total - flash_bytes(chosen),
        ram_bytes=firmware.ram_static_bytes - callers_bytes(graph) + stack,
    )


def _fits(choice: Choice, unused_bytes: int = 0) -> bool:
    ram, flash, selected = choice.destination.ram, choice.destination.flash, choice.selected
    return (ram is None or not ram.where or ram_bytes(choice.graph, selected) <= ram.size_bytes + unused_bytes) and (
        flash is None or not flash.where or flash_bytes(selected) <= flash.size_bytes
    )
