"""Choice of kernels -> for each layer what every kernel offers, which runs, and why; and what that comes to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mcusim.graph import Graph, Layer
from mcusim.kernels import KERNELS
from mcusim.kernels.choice import Destination, KernelChoice, Option, why_not
from mcusim.kernels.kernel import LOADS_USUAL
from mcusim.kernels.memory import Memory
from mcusim.layers.fused import Fused
from mcusim.line import arena
from mcusim.line.code_ram import code_ram_bytes
from mcusim.line.knapsack import cycles, flash_bytes
from mcusim.line.select import Choice, ram_bytes
from mcusim.program import Place


@dataclass(frozen=True)
class Offer:
    """A kernel in one of its variants. `why` it was chosen, or, when it does not fit, why not.

    `cycles` for one sample; `code_bytes` with what layers share, `scratch_bytes` while it runs.
    """

    layer: str
    kind: str
    macs: int
    kernel: str
    variant: str
    fits: bool
    chosen: bool
    why: str
    cycles: float = 0.0
    code_bytes: int = 0
    weights_bytes: int = 0
    scratch_bytes: int = 0


@dataclass(frozen=True)
class Offers:
    """`each`: in the order of the layers, the cheapest of each first. The others are of what was chosen.

    `flash_bytes`: weights and code of the layers, what they share once; `ram_bytes`: arena, input, output, the
    deepest stack of a layer, and routines that run from RAM. Start-up code, `cnn` and the harness come on top.
    """

    each: tuple[Offer, ...]
    macs: int
    cycles: float
    flash_bytes: int
    ram_bytes: int


def offers(choice: Choice, kernels: KernelChoice | None = None) -> Offers:
    """`kernels`: those that may run."""
    graph, selected = choice.graph, choice.selected
    alive = arena.live_bytes(graph)
    room = max((alive[name] + option.scratch_bytes for name, option in selected.items()), default=0)
    waits = slow_ram_cycles(graph, selected, choice.destination.memory)
    found: list[Offer] = []
    for name, several in choice.options.items():
        named = bool(kernels and kernels.for_layer(name))
        why = _why(selected[name], several, room - alive[name], named=named)
        why += f"; {waits[name]:,.0f} of its cycles wait for RAM" if name in waits else ""
        here = selected[name].how
        found += (_offer(one, why, waits.get(name, 0.0)) if one.how == here else _offer(one, None) for one in several)
        found += _others(graph, graph[name], several, choice.destination)
    taken = cycles(selected) + sum(waits.values())
    return Offers(tuple(found), graph.macs, taken, flash_bytes(selected), whole_ram_bytes(choice))


def whole_cycles(choice: Choice) -> float:
    """For one sample, with what waits for RAM, less what is saved by code that runs from there."""
    waits = slow_ram_cycles(choice.graph, choice.selected, choice.destination.memory)
    return cycles(choice.selected) + sum(waits.values()) - sum(option.saved for option in choice.selected.values())


def whole_ram_bytes(choice: Choice) -> int:
    """With the code that runs from there."""
    return ram_bytes(choice.graph, choice.selected) + code_ram_bytes(choice.selected)


def shortest(each: Sequence[Offer]) -> Iterator[Offer]:
    """Of each kernel in a layer the fastest variant, and what runs."""
    seen: set[tuple[str, str]] = set()
    for offer in each:
        key = (offer.layer, offer.kernel)
        if offer.fits and (offer.chosen or key not in seen):
            yield offer
        seen.add(key)


def by_layer(each: Sequence[Offer]) -> Mapping[str, list[Offer]]:
    layers: dict[str, list[Offer]] = {}
    for offer in each:
        layers.setdefault(offer.layer, []).append(offer)
    return layers


def _offer(option: Option, why: str | None, waits: float = 0.0) -> Offer:
    return Offer(
        layer=option.layer.name,
        kind=option.layer.kind,
        macs=option.layer.macs,
        kernel=option.kernel.NAME,
        variant=str(option.variant),
        fits=True,
        chosen=why is not None,
        why=why or "",
        cycles=option.cycles + waits,
        code_bytes=option.code_bytes,
        weights_bytes=option.weights_bytes,
        scratch_bytes=option.scratch_bytes,
    )


def _why(option: Option, several: Sequence[Option], room: int, *, named: bool) -> str:
    """`room`: for its scratch memory, in the arena as it was chosen."""
    in_ram = f"; code in RAM saves about {option.saved:,.0f} cycles" if option.in_ram else ""
    return _why_chosen(option, several, room, named=named) + in_ram


def _why_chosen(option: Option, several: Sequence[Option], room: int, *, named: bool) -> str:
    fastest = several[0]
    if option.how == fastest.how:
        return "named" if named else "the only one" if len(several) == 1 else "the fastest"
    slower = f"{option.cycles / fastest.cycles - 1:.1%} slower than {fastest}"
    ram = fastest.ram_bytes - option.ram_bytes
    flash = fastest.weights_bytes + fastest.code_bytes - option.weights_bytes - option.code_bytes
    if flash > 0 and (ram <= 0 or fastest.scratch_bytes <= room):
        return f"{slower}, for {flash:,} bytes of flash less"
    if ram > 0:
        return f"{slower}, for {ram:,} bytes of RAM less"
    return f"{slower}, for code that layers share"


def _others(graph: Graph, layer: Layer, several: Sequence[Option], destination: Destination) -> Iterator[Offer]:
    there = {option.kernel.NAME for option in several}
    for kernel in () if isinstance(layer, Fused) else KERNELS:
        if kernel.NAME not in there:
            reason = why_not(kernel, layer, graph.inputs_of(layer), destination.core)
            why = reason or "it runs only where it is named"
            yield Offer(layer.name, layer.kind, layer.macs, kernel.NAME, "", fits=False, chosen=False, why=why)


def slow_ram_cycles(graph: Graph, chosen: Mapping[str, Option], memory: Memory) -> dict[str, float]:
    """By layer, nothing for those that do not wait. A layer works in its scratch memory, or where its inputs lie.

    The model's input lies behind the arena.
    """
    fast = memory.fast_ram_bytes
    if fast is None:
        return {}
    plan = arena.plan(graph, {name: option.scratch_bytes for name, option in chosen.items()}, fast)
    ends = {"arena": 0, "input": plan.arena_bytes, "output": plan.arena_bytes}
    found = {}
    for name, option in chosen.items():
        if name in plan.scratch:
            places = [(plan.scratch[name], option.scratch_bytes)]
        else:
            places = [(plan.places[one], graph[one].output_bytes) for one in graph[name].inputs if one in plan.places]
        share = _share(places, ends, fast)
        if share:
            loads = getattr(option.kernel, "LOADS", LOADS_USUAL) * option.cycles
            found[name] = share * loads * memory.ram_waits
    return found


def _share(places: list[tuple[Place, int]], ends: Mapping[str, int], fast_bytes: int) -> float:
    """Of bytes of buffers those in slow RAM."""
    size = sum(size for _, size in places)
    slow = sum(
        bytes_ * arena.beyond(ends[place.region] + place.offset_bytes, bytes_, fast_bytes) for place, bytes_ in places
    )
    return slow / size if size else 0.0
