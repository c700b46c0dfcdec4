"""Filters two by two: how their weights lie in flash, and what all of them take over some positions."""

import math
from collections.abc import Mapping

import numpy as np

from mcusim.kernels import expand
from mcusim.kernels.assembly import WORD_BYTES
from mcusim.kernels.memory import Memory
from mcusim.kernels.tile import CALL_CYCLES, Tile
from mcusim.kernels.tile_schedule import timed_tile
from mcusim.program import Routine, Turns
from mcusim.system.arrays import Array

# Of the C: of a pair of filters, in stripes more, and there of an odd number; of the tile that has what is left
PAIR_CYCLES, STRIPED_CYCLES, ODD_CYCLES, REST_CYCLES = 21, 10, 9, 15
C_BYTES, OTHER_BYTES = 150, 1000  # of code, between two calls of a tile; between two stripes, as much as fills a cache


def bring_weights(weight_bytes: int, tile: Tile) -> expand.Timed:
    """What makes the weights of `paired` ready for the tile."""
    return expand.into_ram(weight_bytes, doubled=tile.finish.doubled)


def paired(taps: Array, tile: Tile, *, lanes: bool = False) -> Array:
    """(.., filters, 2 x words) -> as flash has them: `bring_weights` makes [filters / 2][words][2 filters][2 numbers].

    Of an odd number of filters the one before the last comes a second time. `lanes`: numbers 0 and 2 of four are a
    pair of the input, and 1 and 3, as bytes are that came four at a time.
    """
    (*groups, filters, numbers), many = taps.shape, tile.filters
    order = np.arange(numbers)
    if lanes:
        order = order.reshape(-1, 2, 2).transpose(0, 2, 1).reshape(-1)
    chosen = [min(first, filters - many) + index for first in range(0, filters, many) for index in range(many)]
    pairs = taps[..., chosen, :][..., order].reshape(*groups, -1, many, tile.words, 2)
    if taps.dtype.itemsize > 1:
        return np.ascontiguousarray(pairs.swapaxes(-3, -2))
    if many == 2:  # of each four bytes 0 and 2 become a pair, then 1 and 3
        return np.ascontiguousarray(np.moveaxis(pairs, -3, -1))
    flat = pairs.reshape(*pairs.shape[:-3], -1)
    padded = np.pad(flat, (*((0, 0),) * (flat.ndim - 1), (0, -numbers % 4)))
    return np.ascontiguousarray(padded.reshape(*flat.shape[:-1], -1, 2, 2).swapaxes(-2, -1))


def weight_words(tile: Tile, weight_bytes: int) -> int:
    """Of flash, for the filters of a tile."""
    return math.ceil(tile.weight_bytes * weight_bytes / 8)


def pairs_cycles(
    tile: Tile,
    filters: int,
    positions: int,
    weight_bytes: int,
    memory: Memory,
    *,
    striped: bool = False,
    about: bool = False,
) -> float:
    """Of all filters over some positions, which are there. `striped`: one part of several. Without what `first_fetch`
    tells. `about`: of a tile that is not written yet, to find the best.
    """
    call, each = (CALL_CYCLES, tile.cycles) if about else timed_tile(tile)[1:]
    tiles, rest = divmod(positions, tile.positions)
    calls, pairs = (tiles > 0) + (rest > 0), math.ceil(filters / tile.filters)
    code, words = _code_run(tile, weight_bytes), weight_words(tile, weight_bytes)
    of_c: float = PAIR_CYCLES + (calls > 1) * REST_CYCLES
    if striped and pairs > 1:
        of_c += STRIPED_CYCLES + (filters % tile.filters) * ODD_CYCLES
    of_c += memory.crowding(code + C_BYTES) * memory.fetched(code)
    brought = bring_weights(weight_bytes, tile).cycles(words, memory)
    read = memory.scattered(WORD_BYTES * tile.filters * tile.finish.record_words)  # biases, and what is with them
    return pairs * (of_c + brought + calls * (call + read) + (tiles + (rest > 0)) * each)


def turns_of_pairs(tile: Tile, routines: Mapping[str, Routine], filters: int, positions: int, times: int) -> Turns:
    """Of the filters of a group, over some positions, so many `times`. `routines`: by what they are for."""
    calls = {routines["weights"].name: 1.0, routines["tile"].name: 1.0 + (positions % tile.positions > 0)}
    return Turns(times * math.ceil(filters / tile.filters), calls, C_BYTES)


def first_fetch(tile: Tile, weight_bytes: int, memory: Memory, times: float) -> float:
    """Cycles of code that comes into the cache for the first pair of a stripe, and stays there for the others. `times`:
    stripes, between which other code runs.
    """
    code = _code_run(tile, weight_bytes)
    again = (times - 1) * memory.crowding(code + OTHER_BYTES)
    return (1 - memory.crowding(code + C_BYTES)) * memory.fetched(code) * (1 + again)


def _code_run(tile: Tile, weight_bytes: int) -> int:
    """Bytes of code of assembly for two filters."""
    return tile.code_bytes + bring_weights(weight_bytes, tile).run(weight_words(tile, weight_bytes))
