"""Options of each layer + limits -> one option for each: the fastest network, of no more memory than that is worth.

Scratch memory lies in the arena beside the tensors that are alive, so the arena is as large as the largest step, and
the stack as deep as the deepest. Where no limit is in the way, the kernel of the largest step is exchanged for the next
cheaper one in memory, as long as the network stays within some percent of the fastest, and flash is traded likewise, by
a price for its bytes. A limit that is in the way is met exactly: every depth of the stack that there can be leaves a
room for each step, and a knapsack of flash chooses among the options that have that room.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mcusim.graph import Graph
from mcusim.kernels.choice import ANYWHERE, Destination, Limit, Option
from mcusim.line import arena
from mcusim.line.knapsack import Options, Selection, cycles, fastest_within, flash_bytes, smallest
from mcusim.system.errors import TooBigError

# Of cycles, that less memory may cost where nothing is said of it: in all, and for flash.
RAM_SLACK, FLASH_SLACK = 1.02, 1.003
PRICES = tuple(2.0 ** (step / 2) for step in range(-8, 40))  # of a byte of flash, in cycles
ARENAS = 8  # that are tried where one has gaps
WORTH_A_NOTE = 0.001  # of the cycles
MORE_RAM, MORE_FLASH, MUCH = 256, 1024, 0.8  # bytes that leave so little of the cycles are worth a word


@dataclass(frozen=True)
class Choice:
    """A selection, and what it was chosen from and for. `graph`: the quantized one, or one of fused pairs.

    `fastest`: cycles that the network could take without limits, where it has pairs.
    """

    graph: Graph
    selected: Selection
    options: Options
    destination: Destination = ANYWHERE
    fastest: float | None = None


def select(graph: Graph, options: Options, destination: Destination = ANYWHERE) -> Selection:
    """`options`: of each layer that runs, the cheapest first.

    Raises TooBigError when a limit that somebody named cannot be met: by how many bytes, and which layer is the
    largest. Of what the board has, as little as there can be is taken.
    """
    ram, flash = destination.ram, destination.flash
    alive = arena.live_bytes(graph)
    chosen = frugal(options, alive, most_cycles_of(options))
    if meets(graph, chosen, destination):
        return chosen
    found = _under_limits(graph, options, alive, ram, flash)
    return found or _as_near_as_possible(graph, options, alive, ram, flash)


def most_cycles_of(options: Options) -> float:
    """That a network of these may take for less memory, where nothing is said of it."""
    return RAM_SLACK * fastest_cycles(options)


def fastest_cycles(options: Options) -> float:
    """Of all layers, whatever memory they take."""
    return sum(several[0].cycles for several in options.values())


def frugal(options: Options, alive: Mapping[str, int], most_cycles: float) -> Selection:
    """As little RAM as `most_cycles` allow, then less flash for what little is left of them. `alive`: by layer."""
    return _cheap_in_flash(options, _cheap_in_ram(options, alive, most_cycles), alive, most_cycles)


def meets(graph: Graph, chosen: Selection, destination: Destination) -> bool:
    return _met(destination.ram, ram_bytes(graph, chosen)) and _met(destination.flash, flash_bytes(chosen))


def price_of_limits(choice: Choice) -> tuple[str, ...]:
    """What the limits that somebody named cost, in words; nothing where they cost nothing."""
    graph, options, destination, selected = choice.graph, choice.options, choice.destination, choice.selected
    named = [limit.where for limit in (destination.ram, destination.flash) if limit and limit.where]
    if not named:
        return ()
    fastest = choice.fastest or cycles(select(graph, options, replace(destination, ram=None, flash=None)))
    more = cycles(selected) / fastest - 1
    if more <= WORTH_A_NOTE:
        return ()
    verb = "costs" if len(named) == 1 else "cost"
    others = [f"{fastest:,.0f} without", *_with_more(graph, options, destination, cycles(selected))]
    return (f"{' and '.join(named)} {verb} about {more:.1%} more cycles ({', '.join(others)})",)


def _with_more(graph: Graph, options: Options, destination: Destination, now: float) -> Iterator[str]:
    """Where a little more memory would help a lot."""
    ram, flash = destination.ram, destination.flash
    if ram and ram.where:
        roomier = replace(destination, ram=replace(ram, size_bytes=ram.size_bytes + MORE_RAM))
        found = cycles(select(graph, options, roomier))
        yield from [f"about {found:,.0f} with {MORE_RAM} bytes more of RAM"] if found < MUCH * now else []
    if flash and flash.where:
        roomier = replace(destination, flash=replace(flash, size_bytes=flash.size_bytes + MORE_FLASH))
        found = cycles(select(graph, options, roomier))
        yield from [f"about {found:,.0f} with {MORE_FLASH:,} bytes more of flash"] if found < MUCH * now else []


def ram_bytes(graph: Graph, chosen: Selection) -> int:
    """Arena, input and output, and the deepest stack."""
    stack = max((option.stack_bytes for option in chosen.values()), default=0)
    planned = arena.plan(graph, {name: option.scratch_bytes for name, option in chosen.items()})
    return planned.arena_bytes + callers_bytes(graph) + stack


def callers_bytes(graph: Graph) -> int:
    return graph.sample_dtype.itemsize + graph.answer_dtype.itemsize


def _met(limit: Limit | None, size_bytes: int) -> bool:
    return limit is None or size_bytes <= limit.size_bytes


def _cheap_in_ram(options: Options, alive: Mapping[str, int], most_cycles: float) -> Selection:
    """The layer of the largest step is exchanged as long as that costs little and makes it smaller in the end."""
    chosen = {name: several[0] for name, several in options.items()}
    worth, least = chosen, math.inf
    while chosen:
        largest = max(chosen, key=lambda name: alive[name] + chosen[name].ram_bytes)
        if (step := alive[largest] + chosen[largest].ram_bytes) < least:
            worth, least = chosen, step
        other = next((one for one in options[largest] if one.ram_bytes < chosen[largest].ram_bytes), None)
        if other is None or cycles(chosen | {largest: other}) > most_cycles:
            break
        chosen = chosen | {largest: other}
    return worth


def _cheap_in_flash(
    options: Options, chosen: Selection, alive: Mapping[str, int], most_cycles: float = math.inf
) -> Selection:
    """Among the selections that prices for a byte of flash bring about the smallest that costs little."""
    most = max(cycles(chosen), min(FLASH_SLACK * cycles(chosen), most_cycles))
    room = max((alive[name] + option.scratch_bytes for name, option in chosen.items()), default=0)
    deepest = max((option.stack_bytes for option in chosen.values()), default=0)
    offers = {name: _offers(options[name], chosen[name], room - alive[name], deepest) for name in chosen}
    routines = ([routine for one in several for routine in one.code.routines] for several in offers.values())
    users = Counter(name for every in routines for name in {routine.name for routine in every})
    tried = [chosen, *(_at_price(offers, price, users) for price in PRICES)]
    return min((one for one in tried if cycles(one) <= most), key=flash_bytes)


def _offers(several: Sequence[Option], now: Option, room: int, deepest: int) -> list[Option]:
    """The chosen one, and of each kernel, compact or not, the fastest with memory for which there is room."""
    found = {(now.kernel.NAME, now.variant.compact): now}
    for option in several:
        key = (option.kernel.NAME, option.variant.compact)
        if key not in found and option.scratch_bytes <= room and option.stack_bytes <= deepest:
            found[key] = option
    return list(found.values())


def _at_price(offers: Options, price: float, users: Mapping[str, int]) -> Selection:
    """A routine costs each layer its part, were all `users` that can call it to do so."""

    def worth(option: Option) -> float:
        shared = sum(routine.code_bytes / users[routine.name] for routine in option.code.routines)
        return option.cycles + price * (option.weights_bytes + option.c_bytes + shared)

    return {name: min(several, key=worth) for name, several in offers.items()}


def _under_limits(
    graph: Graph, options: Options, alive: Mapping[str, int], ram: Limit | None, flash: Limit | None
) -> Selection | None:
    """The fastest of all depths of the stack; those come first that could be the fastest."""
    depths = [None] if ram is None else _depths(options)
    bounds = ((_fastest(_with_room(graph, options, alive, ram, depth)), depth) for depth in depths)
    hopeful = sorted((cycles(one), depth or 0, depth) for one, depth in bounds if one is not None)
    best: Selection | None = None
    for bound, _, depth in hopeful:
        if best is not None and bound >= cycles(best):
            break
        found = _with_stack(graph, options, alive, ram, flash, depth)
        if found is not None and (best is None or cycles(found) < cycles(best)):
            best = found
    return best


def _depths(options: Options) -> list[int]:
    return sorted({one.stack_bytes for several in options.values() for one in several})


def _with_stack(
    graph: Graph, options: Options, alive: Mapping[str, int], ram: Limit | None, flash: Limit | None, depth: int | None
) -> Selection | None:
    """The fastest with a stack of that depth. An arena with gaps is larger than its steps: these get less."""
    less = 0
    for _ in range(ARENAS):
        allowed = _with_room(graph, options, alive, ram, depth, less)
        found = _fastest(allowed)
        if found is not None and flash is not None and flash_bytes(found) > flash.size_bytes:
            found = fastest_within(allowed, flash.size_bytes)
        if found is None:
            return None
        for one in (_cheap_in_flash(allowed, found, alive), found):
            over = 0 if ram is None else ram_bytes(graph, one) - ram.size_bytes
            if over <= 0:
                return one
        less += over
    return None


def _with_room(
    graph: Graph, options: Options, alive: Mapping[str, int], ram: Limit | None, depth: int | None, less: int = 0
) -> Options:
    if ram is None or depth is None:
        return options
    room = ram.size_bytes - callers_bytes(graph) - depth - less

    def fits(name: str, one: Option) -> bool:
        return one.stack_bytes <= depth and alive[name] + one.scratch_bytes <= room

    return {name: [one for one in several if fits(name, one)] for name, several in options.items()}


def _fastest(options: Options) -> Selection | None:
    return {name: several[0] for name, several in options.items()} if all(options.values()) else None


def _as_near_as_possible(
    graph: Graph, options: Options, alive: Mapping[str, int], ram: Limit | None, flash: Limit | None
) -> Selection:
    """Where not all limits can be met. Raises when somebody named the one that cannot."""
    if ram is not None and (flash is None or _under_limits(graph, options, alive, ram, None) is None):
        least = _least_ram(graph, options)
        if ram.where:
            raise _too_much_ram(graph, least, ram, alive)
        return least
    least = smallest(_roomiest(graph, options, alive, ram))
    if flash is not None and flash.where:
        raise _too_much_flash(least, flash)
    return least


def _roomiest(graph: Graph, options: Options, alive: Mapping[str, int], ram: Limit | None) -> Options:
    """What a limit of RAM leaves, with the stack that leaves most."""
    if ram is None:
        return options
    every = (_with_room(graph, options, alive, ram, depth) for depth in _depths(options))
    return max((one for one in every if all(one.values())), key=lambda one: sum(map(len, one.values())))


def _least_ram(graph: Graph, options: Options) -> Selection:
    """With each depth of the stack that is enough the least scratch memory; the best of those."""
    tried = []
    for depth in _depths(options):
        flat = {name: [one for one in several if one.stack_bytes <= depth] for name, several in options.items()}
        if all(flat.values()):
            tried.append({name: min(several, key=lambda one: one.scratch_bytes) for name, several in flat.items()})
    return min(tried, key=lambda one: ram_bytes(graph, one))


def _too_much_ram(graph: Graph, least: Selection, limit: Limit, alive: Mapping[str, int]) -> TooBigError:
    need = ram_bytes(graph, least)
    name = max(least, key=lambda name: alive[name] + least[name].scratch_bytes)
    tensors, scratch = alive[name], least[name].scratch_bytes
    hint = f"layer {name!r} needs most: {tensors:,} bytes of tensors, {scratch:,} of scratch memory"
    return _too_much("RAM", need, limit, hint)


def _too_much_flash(least: Selection, limit: Limit) -> TooBigError:
    name = max(least, key=lambda name: least[name].weights_bytes + least[name].code_bytes)
    weights, code = least[name].weights_bytes, least[name].code_bytes
    hint = f"layer {name!r} needs most: {weights:,} bytes of weights, {code:,} of code"
    return _too_much("flash", flash_bytes(least), limit, hint)


def _too_much(memory: str, need: int, limit: Limit, hint: str) -> TooBigError:
    need += limit.besides_bytes
    over = need - limit.size_bytes - limit.besides_bytes
    what = f"the firmware needs {need:,} bytes of {memory}, {over:,} more than there may be"
    return TooBigError(what, where=limit.where, hint=f"{hint}; raise the limit by {over:,} bytes")
