"""Cycles of the routine of a tile, instruction by instruction, and of bringing it into the instruction cache."""

from typing import NamedTuple

from mcusim.kernels.assembly import LONGEST_OFFSET, SAVED, WORD_BYTES
from mcusim.kernels.instructions import RETURN
from mcusim.kernels.memory import Memory
from mcusim.kernels.tiles.tile import KEPT, RELU_ENTRY_BYTES, FloatTile, stored_at, timed_tile

RELU_ENTRY = 8  # of the FPU's status, put aside and back
AROUND_BYTES, EDGE_BYTES = 54, 90  # of C between two calls; how far what lies in the cache may be off
LINE_BYTES = 32  # of the cache


class Tiles(NamedTuple):
    """How often a routine is called, all its tiles, and the rows of the window of all of them; rows of weights, and how
    many of them a tile has.
    """

    calls: float
    tiles: float
    rows: float
    weights: float
    window: int = 1


def tiles_cycles(
    tile: FloatTile, done: Tiles, memory: Memory, *, in_flash: bool, more_bytes: float = 0, about: bool = False
) -> float:
    """`in_flash`: the weights. `more_bytes`: of code that runs between two calls, than the least. `about`: of a tile
    that is not written yet, to find the best.
    """
    if about:
        stall = tap_stalls(tile, memory) if in_flash else 0.0
        own = done.calls * call_cycles(tile) + done.tiles * tile_cycles(tile) + done.rows * row_cycles(tile, stall)
    else:
        _, call, each, row = timed_tile(tile, in_flash=in_flash)
        own = done.calls * call + done.tiles * each + done.rows * row
        own += in_flash * _read(tile, done, memory)
    code = tile.code_bytes
    again = (done.calls - 1) * call_crowding(tile, memory, more_bytes)
    again += (done.tiles - done.calls) * memory.crowding(code - _entry_bytes(tile), LINE_BYTES)
    return own + (1 + again) * memory.fetched(code)


def _read(tile: FloatTile, done: Tiles, memory: Memory) -> float:
    """Cycles that weights are waited for: most are read for many tiles one after the other."""
    row = WORD_BYTES * tile.filters * tile.taps
    again = (done.rows - done.weights) * memory.streamed(row, since=row * done.window)
    return done.weights * memory.streamed(row) + again


def call_crowding(tile: FloatTile, memory: Memory, more_bytes: float = 0) -> float:
    """What part of the routine has to be fetched anew with each call."""
    return memory.crowding(tile.code_bytes + AROUND_BYTES + more_bytes, EDGE_BYTES)


def call_cycles(tile: FloatTile) -> float:
    """Of a call but for its tiles: registers are saved and restored."""
    saved = max(0, tile.used - KEPT)
    total = 2 * (2 + len(SAVED)) + RETURN + 1 + (2 * (1 + saved) if saved else 0)
    if tile.several_rows:
        total += 3 + _constant(tile.pitch_less)
    return total + RELU_ENTRY * tile.finish.activation.relu


def tile_cycles(tile: FloatTile) -> float:
    """Of a tile but for its products: its first sums, where its inputs and weights are, and its outputs."""
    begin = tile.sums + 2 + sum(max(1, _constant(start)) for start in tile.starts) + (tile.passes > 1)
    several, bump = stored_at(tile)
    end = tile.sums * (1 + tile.finish.cycles) + several * tile.finish.more_cycles + (several - 1) * _constant(bump)
    return begin + end + 5


def row_cycles(tile: FloatTile, stall: float) -> float:
    """Of a row of the window, for all sums of a tile."""
    groups, loop = len(tile.groups), tile.passes > 1
    total = tile.taps * (step_cycles(tile) + stall) + 2 * (tile.skipped > 0)
    total += tile.passes * (groups + 4) - 1 if loop else (groups + 1) * tile.several_rows
    return total + (5 + groups + (tile.skipped > 0) + loop) * tile.several_rows


def step_cycles(tile: FloatTile) -> int:
    """Of a tap: a burst of loads takes one cycle more than it has; an only product is waited for."""
    alone = sum(len(chunk) * tile.filters == 1 for chunk in tile.chunks)
    return tile.filters + tile.positions + len(tile.chunks) + alone + 2 * tile.sums


def tap_stalls(tile: FloatTile, memory: Memory) -> float:
    """Of a tap whose weights lie in flash: their burst ends at the other bus."""
    return 1 + memory.streamed(4 * tile.filters)


def _entry_bytes(tile: FloatTile) -> int:
    """Of the routine, but for the loop over tiles."""
    return 12 + 8 * (tile.used > KEPT) + 16 * tile.several_rows + RELU_ENTRY_BYTES * tile.finish.activation.relu


def _constant(value: int) -> int:
    """Cycles to add it."""
    return 0 if value == 0 else 1 if abs(value) <= LONGEST_OFFSET else 2 + (abs(value) >> 16 > 0)
