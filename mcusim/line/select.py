"""Options of each layer + limits -> one option for each: the fastest network, of no more memory than that is worth.

Scratch memory lies in the arena beside the tensors that are alive, so the arena is as large as the largest step. Its
kernel is exchanged for the next cheaper in memory, step by step: under a limit until that is met, without one as long
as the network stays within a percent of the fastest. Flash is then traded likewise, by a price for its bytes: code that
layers share is paid once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mcusim.graph import Graph
from mcusim.kernels.choice import ANYWHERE, Destination, Limit, Option
from mcusim.line import arena
from mcusim.program import Routine
from mcusim.system.errors import ConfigurationError

RAM_SLACK, FLASH_SLACK = 1.02, 1.003  # cycles that less memory may cost, where nothing is said of it
PRICES = tuple(2.0 ** (step / 2) for step in range(-8, 40))  # of a byte of flash, in cycles

Options = Mapping[str, Sequence[Option]]
Selection = dict[str, Option]


def select(graph: Graph, options: Options, destination: Destination = ANYWHERE) -> Selection:
    """`options`: of each layer that runs, the cheapest first.

    Raises ConfigurationError when a limit that somebody named cannot be met: by how many bytes, and which layer is the
    largest. Of what the board has, as little as there can be is taken.
    """
    alive = arena.live_bytes(graph)
    chosen = _for_ram(graph, options, destination.ram, alive)
    most = max((alive[name] + option.ram_bytes for name, option in chosen.items()), default=0)
    offers = {name: _offers(options[name], chosen[name], most - alive[name]) for name in chosen}
    return _for_flash(offers, chosen, destination.flash)


def price_of_limits(graph: Graph, options: Options, destination: Destination, selected: Selection) -> tuple[str, ...]:
    """What the limits that somebody named cost, in words; nothing where they cost nothing."""
    named = [limit.where for limit in (destination.ram, destination.flash) if limit and limit.where]
    if not named:
        return ()
    fastest = cycles(select(graph, options, replace(destination, ram=None, flash=None)))
    more = cycles(selected) / fastest - 1
    return (
        (f"{' and '.join(named)} cost about {more:.1%} more cycles ({fastest:,.0f} without)",) if more > 0.001 else ()
    )


def cycles(selection: Selection) -> float:
    return sum(option.cycles for option in selection.values())


def flash_bytes(selection: Selection) -> int:
    """Weights and code of all layers, what they share once."""
    routines = {routine.name: routine.code_bytes for option in selection.values() for routine in option.code.routines}
    own = sum(option.weights_bytes + option.code.code_bytes for option in selection.values())
    return own + sum(routines.values())


def _for_ram(graph: Graph, options: Options, limit: Limit | None, alive: Mapping[str, int]) -> Selection:
    """The layer of the largest step is exchanged until the limit is met; on from there as long as it costs little."""
    chosen = {name: several[0] for name, several in options.items()}
    most_cycles = RAM_SLACK * cycles(chosen)
    met = limit is None
    while chosen:
        if limit and not met and ram_bytes(graph, chosen) <= limit.size_bytes:
            met, most_cycles = True, max(most_cycles, cycles(chosen))
        largest = max(chosen, key=lambda name: alive[name] + chosen[name].ram_bytes)
        other = next((one for one in options[largest] if one.ram_bytes < chosen[largest].ram_bytes), None)
        if other is None:
            break
        exchanged = chosen | {largest: other}
        if met and cycles(exchanged) > most_cycles:
            break
        chosen = exchanged
    if limit and limit.where and not met and ram_bytes(graph, chosen) > limit.size_bytes:
        raise _too_much_ram(ram_bytes(graph, chosen), limit, largest, alive[largest], chosen[largest])
    return chosen


def ram_bytes(graph: Graph, chosen: Selection) -> int:
    """Arena, input and output, and the deepest stack."""
    caller = graph.sample_dtype.itemsize + graph.answer_dtype.itemsize
    stack = max((option.ram_bytes - option.scratch_bytes for option in chosen.values()), default=0)
    planned = arena.plan(graph, {name: option.scratch_bytes for name, option in chosen.items()})
    return planned.arena_bytes + caller + stack


def _too_much_ram(need: int, limit: Limit, name: str, alive: int, option: Option) -> ConfigurationError:
    what = f"the model needs {need:,} bytes of RAM, {need - limit.size_bytes:,} more than there are for it"
    hint = f"layer {name!r} needs most: {alive:,} bytes of tensors, {option.ram_bytes:,} besides; raise the limit"
    return ConfigurationError(what, where=limit.where, hint=hint)


def _offers(several: Sequence[Option], now: Option, room: int) -> list[Option]:
    """The chosen one, and of each kernel, compact or not, the fastest with scratch memory for which there is room."""
    found = {(now.kernel.NAME, now.variant.compact): now}
    for option in several:
        key = (option.kernel.NAME, option.variant.compact)
        if key not in found and option.ram_bytes <= room:
            found[key] = option
    return list(found.values())


def _for_flash(offers: Options, chosen: Selection, limit: Limit | None) -> Selection:
    """Among the selections that prices for a byte of flash bring about: the smallest that costs little; where that is
    over the limit, the fastest that is not.
    """
    tried = [chosen, *(_at_price(offers, price) for price in PRICES)]
    little = min((one for one in tried if cycles(one) <= FLASH_SLACK * cycles(chosen)), key=flash_bytes)
    if limit is None or flash_bytes(little) <= limit.size_bytes:
        return little
    small = [selection for selection in tried if flash_bytes(selection) <= limit.size_bytes]
    if not small and limit.where:
        raise _too_much_flash(min(tried, key=flash_bytes), limit)
    return _filled(min(small, key=cycles), offers, limit.size_bytes) if small else min(tried, key=flash_bytes)


def _filled(selection: Selection, offers: Options, most_bytes: int) -> Selection:
    """What room is left goes to the layer that gains most by it, one after the other: a price is the same for all."""
    while True:
        exchanged = [selection | {name: option} for name, several in offers.items() for option in several]
        faster = [one for one in exchanged if cycles(one) < cycles(selection) and flash_bytes(one) <= most_bytes]
        if not faster:
            return selection
        selection = min(faster, key=cycles)


def _at_price(offers: Options, price: float) -> Selection:
    """A routine costs each layer its part, were all that can use it to do so."""
    users = Counter(routine.name for several in offers.values() for routine in _routines(several).values())

    def worth(option: Option) -> float:
        shared = sum(routine.code_bytes / users[routine.name] for routine in option.code.routines)
        return option.cycles + price * (option.weights_bytes + option.code.code_bytes + shared)

    return {name: min(several, key=worth) for name, several in offers.items()}


def _routines(several: Sequence[Option]) -> dict[str, Routine]:
    return {routine.name: routine for option in several for routine in option.code.routines}


def _too_much_flash(smallest: Selection, limit: Limit) -> ConfigurationError:
    need = flash_bytes(smallest)
    name = max(smallest, key=lambda name: smallest[name].weights_bytes + smallest[name].code_bytes)
    what = f"the model needs {need:,} bytes of flash, {need - limit.size_bytes:,} more than there are for it"
    weights, code = smallest[name].weights_bytes, smallest[name].code_bytes
    hint = f"layer {name!r} needs most: {weights:,} bytes of weights, {code:,} of code; raise the limit"
    return ConfigurationError(what, where=limit.where, hint=hint)
