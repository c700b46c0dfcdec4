"""quantized Graph + Destination -> for each layer what every kernel offers, which was chosen, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcusim.graph import Graph, Layer
from mcusim.kernels import KERNELS
from mcusim.kernels.choice import Destination, KernelChoice, Option, why_not
from mcusim.line.select import Choice


@dataclass(frozen=True)
class Offer:
    """A kernel in one of its variants. `why` it was chosen, or, when it does not fit, why not."""

    layer: str
    macs: int
    kernel: str
    fits: bool
    chosen: bool
    why: str
    cycles: float = 0.0
    code_bytes: int = 0
    weights_bytes: int = 0
    scratch_bytes: int = 0


def offers(graph: Graph, choice: Choice, kernels: KernelChoice | None = None) -> tuple[Offer, ...]:
    """In the order of the layers, the cheapest of each first. `kernels`: those that may run."""
    selected = choice.selected
    found: list[Offer] = []
    for name, several in choice.options.items():
        named = bool(kernels and kernels.for_layer(name))
        found += (_offer(option, several, selected[name], named) for option in several)
        found += _others(graph, graph[name], several, choice.destination)
    return tuple(found)


def _offer(option: Option, several: Sequence[Option], selected: Option, named: bool) -> Offer:
    return Offer(
        layer=option.layer.name,
        macs=option.layer.macs,
        kernel=str(option),
        fits=True,
        chosen=option is selected,
        why=_why(option, several, named) if option is selected else "",
        cycles=option.cycles,
        code_bytes=option.code_bytes,
        weights_bytes=option.weights_bytes,
        scratch_bytes=option.scratch_bytes,
    )


def _why(option: Option, several: Sequence[Option], named: bool) -> str:
    fastest = several[0]
    if option is fastest:
        return "named" if named else "the only one" if len(several) == 1 else "fastest"
    slower = f"{option.cycles / fastest.cycles - 1:+.1%} cycles for"
    ram = fastest.ram_bytes - option.ram_bytes
    flash = fastest.weights_bytes + fastest.code_bytes - option.weights_bytes - option.code_bytes
    if ram > 0:
        return f"{slower} {ram:,} bytes of RAM less"
    return f"{slower} {flash:,} bytes of flash less" if flash > 0 else f"{slower} code that layers share"


def _others(graph: Graph, layer: Layer, several: Sequence[Option], destination: Destination) -> Iterator[Offer]:
    there = {option.kernel.NAME for option in several}
    for kernel in KERNELS:
        if kernel.NAME not in there:
            reason = why_not(kernel, layer, graph.inputs_of(layer), destination.core)
            why = reason or "the experiment does not name it"
            yield Offer(layer.name, layer.macs, kernel.NAME, fits=False, chosen=False, why=why)
