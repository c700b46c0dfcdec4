"""Choice -> the same, with the routines that run from RAM: those for which the flash makes the core wait too long.

A loop that is larger than the instruction cache is fetched anew in each of its turns. One routine of it in RAM may be
enough for the others to stay in the cache; so routines move one by one, each time the one that saves most for a byte.
"""

from collections.abc import Collection
from dataclasses import replace

from mcusim.kernels.choice import Destination, Option
from mcusim.kernels.memory import Memory
from mcusim.line.knapsack import Selection, cycles, flash_bytes, routine_bytes
from mcusim.line.select import RAM_SLACK, Choice, ram_bytes
from mcusim.program import LayerCode

VENEER_BYTES, VENEER_CYCLES = 8, 6.0  # of what a linker puts between flash and RAM, which no BL reaches; of each call
LINE_BYTES = 32  # that routines begin at
COPY_BYTES = 40  # of start-up code, that copies them
WORTH_MOVING = 0.0005  # of the cycles, for one routine


def with_code_in_ram(choice: Choice) -> Choice:
    """Only where the board has RAM for it; if nobody asked for it, where it makes the network faster by as much as less
    RAM may cost it (RAM_SLACK).
    """
    destination, selected = choice.destination, choice.selected
    moved = _moved(choice) if destination.code_ram else frozenset[str]()
    placed = {name: _placed(option, moved, destination) for name, option in selected.items()}
    saved, least = sum(option.saved for option in placed.values()), cycles(selected) * (1 - 1 / RAM_SLACK)
    return replace(choice, selected=placed) if moved and (destination.always or saved >= least) else choice


def waited(code: LayerCode, in_ram: Collection[str], memory: Memory) -> float:
    """Cycles that the loops of a layer wait for their routines, and calls of those that run from RAM take besides."""
    sizes = {routine.name: routine.code_bytes for routine in code.routines}
    total = 0.0
    for turns in code.turns:
        far = [name for name in turns.calls if name in in_ram]
        code_bytes = sum(sizes[name] for name in turns.calls if name not in in_ram)
        again = (turns.times - 1) * memory.crowding(code_bytes + turns.around_bytes + VENEER_BYTES * len(far))
        total += (1 + again) * memory.fetched(code_bytes)
        total += turns.times * VENEER_CYCLES * sum(turns.calls[name] for name in far)
    return total


def code_ram_bytes(selected: Selection) -> int:
    """Of the routines that run from RAM."""
    sizes = _sizes(selected)
    return sum(sizes[name] for name in {name for option in selected.values() for name in option.in_ram})


def _moved(choice: Choice) -> frozenset[str]:
    """Names of routines, as far as there is memory for them."""
    destination, selected = choice.destination, choice.selected
    in_loops = {name for option in selected.values() for turns in option.code.turns for name in turns.calls}
    sizes = {name: size for name, size in _sizes(selected).items() if name in in_loops}
    room, flash = _room(choice), _flash_left(choice)
    least = 0.0 if destination.always else WORTH_MOVING * cycles(selected)
    moved, now = frozenset[str](), _waited(selected, frozenset(), destination)
    while True:
        gains = {
            name: now - _waited(selected, moved | {name}, destination)
            for name, size in sizes.items()
            if name not in moved and size <= room
        }
        flash -= VENEER_BYTES
        best = max(gains, key=lambda name: gains[name] / sizes[name], default="")
        if flash < 0 or gains.get(best, 0) <= least:
            return moved
        moved, now, room = moved | {best}, now - gains[best], room - sizes[best]


def _sizes(selected: Selection) -> dict[str, int]:
    sizes = routine_bytes(selected.values())
    return {name: -(-size // LINE_BYTES) * LINE_BYTES for name, size in sizes.items()}


def _waited(selected: Selection, moved: frozenset[str], destination: Destination) -> float:
    return sum(waited(option.code, moved, destination.memory) for option in selected.values())


def _room(choice: Choice) -> int:
    """Bytes; of all RAM where somebody limits that."""
    ram, there = choice.destination.ram, choice.destination.code_ram
    left = ram.size_bytes - ram_bytes(choice.graph, choice.selected) if ram and ram.where else there
    return min(there, left)


def _flash_left(choice: Choice) -> float:
    flash = choice.destination.flash
    return flash.size_bytes - flash_bytes(choice.selected) - COPY_BYTES if flash else float("inf")


def _placed(option: Option, moved: frozenset[str], destination: Destination) -> Option:
    own = frozenset(routine.name for routine in option.code.routines) & moved
    before, now = (waited(option.code, names, destination.memory) for names in (frozenset[str](), own))
    return replace(option, in_ram=own, saved=before - now) if own else option
