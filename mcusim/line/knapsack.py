"""Options of each layer + bytes of flash -> the fastest that fit, where layers may share code.

What every layer takes for itself is a knapsack, solved by dynamic programming over cells of some bytes. Which code is
shared is found by search: a set of routines is paid for at once, then every layer has them for nothing; sets grow and
shrink by what one option calls, as long as that makes the network faster.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np

from mcusim.kernels.choice import Option

CELLS = 1024  # that the room for what is above the least is cut into

Options = Mapping[str, Sequence[Option]]
Selection = dict[str, Option]
Names = frozenset[str]
NOTHING: Names = frozenset()


def cycles(selection: Selection) -> float:
    return sum(option.cycles for option in selection.values())


def flash_bytes(selection: Selection) -> int:
    """Weights and code of all layers, what they share once."""
    own = sum(option.weights_bytes + option.c_bytes for option in selection.values())
    return own + sum(routine_bytes(selection.values()).values())


def routine_bytes(every: Iterable[Option]) -> dict[str, int]:
    """Of all routines that these call, by name."""
    return {routine.name: routine.code_bytes for option in every for routine in option.code.routines}


def fastest_within(options: Options, most_bytes: int) -> Selection | None:
    """None where nothing that was found fits. `options`: the cheapest first."""
    options = {name: _worth_it(several) for name, several in options.items()}
    sizes = routine_bytes(chain.from_iterable(options.values()))
    shared = _shared(options)
    bundles = {_routines(option) & shared for several in options.values() for option in several} - {NOTHING}
    opened = NOTHING
    best = _with_opened(options, opened, sizes, most_bytes)
    while True:
        moves = {opened | bundle for bundle in bundles} | {opened - bundle for bundle in bundles} - {opened}
        found = ((_with_opened(options, move, sizes, most_bytes), move) for move in sorted(moves, key=sorted))
        there = [(cycles(one), index, one, move) for index, (one, move) in enumerate(found) if one is not None]
        if not there or (best is not None and min(there)[0] >= cycles(best)):
            break
        _, _, best, opened = min(there)
    return None if best is None else _filled(best, options, most_bytes)


def smallest(options: Options) -> Selection:
    """The least flash, about: of each layer for itself, or with the code of one option shared."""
    several = {name: _worth_it(each) for name, each in options.items()}
    shared, sizes = _shared(several), routine_bytes(chain.from_iterable(several.values()))
    opened = {_routines(option) & shared for each in several.values() for option in each} | {NOTHING}
    tried = [
        {name: min(each, key=lambda one: _own_bytes(one, names, sizes)) for name, each in several.items()}
        for names in sorted(opened, key=sorted)
    ]
    return min(tried, key=flash_bytes)


def _worth_it(several: Sequence[Option]) -> list[Option]:
    """Without those that another is faster than, and no larger, with no routine that the other has not."""
    kept: list[Option] = []
    for option in several:
        own, routines = option.weights_bytes + option.c_bytes, _routines(option)
        if not any(one.weights_bytes + one.c_bytes <= own and _routines(one) <= routines for one in kept):
            kept.append(option)
    return kept


def _with_opened(options: Options, opened: Names, sizes: Mapping[str, int], most_bytes: int) -> Selection | None:
    """The fastest when these routines are paid for, and all others by each layer that calls them."""
    room = most_bytes - sum(sizes[name] for name in opened)
    own = {name: [_own_bytes(option, opened, sizes) for option in several] for name, several in options.items()}
    least = {name: min(each) for name, each in own.items()}
    room -= sum(least.values())
    if room < 0:
        return None
    cell = max(1, -(-min(room, sum(max(each) - least[name] for name, each in own.items())) // CELLS))
    cells = room // cell if room // cell < CELLS else CELLS
    best, picked = np.zeros(cells + 1), {}
    for name, several in options.items():
        table = np.full((len(several), cells + 1), np.inf)
        for row, option in enumerate(several):
            start = -(-(own[name][row] - least[name]) // cell)
            if start <= cells:
                table[row, start:] = best[: cells + 1 - start] + option.cycles
        picked[name] = table.argmin(axis=0)
        best = table.min(axis=0)
    found, left = {}, cells
    for name in reversed(list(options)):
        row = int(picked[name][left])
        found[name] = options[name][row]
        left -= -(-(own[name][row] - least[name]) // cell)
    return {name: found[name] for name in options}


def _filled(selection: Selection, options: Options, most_bytes: int) -> Selection:
    """What room is left, for cells are rounded up, goes to the layer that gains most by it, one after the other."""
    while True:
        exchanged = [selection | {name: option} for name, several in options.items() for option in several]
        faster = [one for one in exchanged if cycles(one) < cycles(selection) and flash_bytes(one) <= most_bytes]
        if not faster:
            return selection
        selection = min(faster, key=cycles)


def _routines(option: Option) -> Names:
    return frozenset(routine.name for routine in option.code.routines)


def _own_bytes(option: Option, opened: Names, sizes: Mapping[str, int]) -> int:
    return option.weights_bytes + option.c_bytes + sum(sizes[name] for name in _routines(option) - opened)


def _shared(options: Options) -> Names:
    """Routines that more than one layer can call."""
    calls = (frozenset().union(*map(_routines, several)) for several in options.values())
    counts = Counter(name for names in calls for name in names)
    return frozenset(name for name, count in counts.items() if count > 1)
