"""How a layer is cut into blocks of tiles, and these into what one call transforms; and the cycles that it takes.

These are of routines as they are written, of the C around them, and of what waits for flash.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mcusim.kernels.assembly import WORD_BYTES, Timed
from mcusim.kernels.memory import Memory
from mcusim.kernels.winograd.points import Scheme
from mcusim.kernels.winograd.tile import TILES
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane

# Cycles of the C, by the timing model: around a block of V, a pair of filters of a stripe, a call of the tile
BLOCK, PAIR, CALL = 40, 21, 7.5
COPIED_WORD = 15.0  # of a tile that hangs over, channels in whole words
# Of a position of a tile whose channels are no whole words: in loops, or unrolled by the compiler; a word of it, and
# how much more where something is padded, so that each is asked whether it is there; a number of the last word
LOOPED, WORD, PADDED_WORD, PADDED, LAST = 14.4, 7.3, 3.0, 2.75, 2.3
UNROLLED = 4  # words, at most
AROUND_BYTES, EDGE_BYTES = 60, 100  # of code between two calls; how far what lies in the cache may be off


@dataclass(frozen=True)
class Plan:
    """How a layer is cut into blocks of `cells` tiles: `rows` of outputs of a column of tiles, 0 for four in a row."""

    scheme: Scheme
    channels: int
    words: int
    rows: int
    cells: int
    blocks: int
    stripe: int

    @property
    def block_bytes(self) -> int:
        return self.scheme.points * self.point_bytes

    @property
    def point_bytes(self) -> int:
        """From point to point of V."""
        return self.cells * 2 * self.channels

    @property
    def across(self) -> int:
        """Outputs that a block has in a row."""
        return self.scheme.outputs_of_a_tile * (1 if self.rows else TILES)

    @property
    def stripes(self) -> int:
        return -(-self.blocks // self.stripe)

    @property
    def groups(self) -> int:
        """Of four tiles, of two filters."""
        return self.blocks * max(1, -(-self.rows // TILES))

    def calls(self, width: int) -> int:
        """That make these, with outputs of so many columns."""
        if self.rows:
            return self.blocks * (1 + (self.rows > TILES and self.rows % TILES > 0))
        last = (self.blocks - 1) % self.stripe + 1  # blocks of the last stripe
        return self.stripes + (self.blocks * self.across > width and last > 1)


class Runs(NamedTuple):
    """Of the input transform: calls, tiles of all of them, and calls whose one tile is copied before."""

    calls: int
    tiles: int
    copied: int


def runs_of(layer: Convolution, plan: Plan) -> Runs:
    """As nn_convolution_winograd.h has them."""
    every = list(_runs(layer, plan))
    return Runs(len(every), sum(max(1, one) for one in every), every.count(0))


def _runs(layer: Convolution, plan: Plan) -> Iterator[int]:
    """How many tiles a call transforms where they lie; 0 for one that is copied."""
    height, width, channels = plane(layer.input_shape)
    outputs, points = plan.scheme.outputs_of_a_tile, plan.scheme.points
    for cells in (_cells(layer, plan, block) for block in range(plan.blocks)):
        cell = 0
        while cell < len(cells):
            row, column = cells[cell]
            together = 0
            if plan.channels == channels and 0 <= row < height and 0 <= column <= width - points:
                end = column + (TILES - cell) * outputs + 2
                together = 1 if not plan.rows and end > width else len(cells) - cell
                together = min(together, height - row) if plan.rows else together
            yield together
            cell += max(1, together)


def _cells(layer: Convolution, plan: Plan, block: int) -> list[tuple[int, int]]:
    """Where in the input the tiles of a block begin: (row, column)."""
    height, width, _ = plane(layer.shape)
    top, left = layer.padding[0][0], layer.padding[1][0]
    outputs, last = plan.scheme.outputs_of_a_tile, width - plan.across
    if not plan.rows:
        first = min(block * plan.across, last) - left
        return [(0, first + outputs * cell) for cell in range(TILES)]
    columns = -(-width // outputs)
    column = min(block % columns * outputs, last) - left
    row = min(block // columns * plan.rows, height - plan.rows) - top
    return [(row + cell, column) for cell in range(plan.cells)]


class Routines(NamedTuple):
    tile: Timed
    inputs: Timed
    weights: Timed


def cycles(layer: Convolution, plan: Plan, routines: Routines, memory: Memory) -> float:
    """Of a layer, for one sample."""
    _, width, _ = plane(layer.shape)
    pairs, calls, runs = -(-layer.shape[-1] // 2), plan.calls(width), runs_of(layer, plan)
    made = BLOCK * plan.blocks + runs.calls * routines.inputs.call + runs.tiles * routines.inputs.each
    of_a_pair = plan.stripes * (PAIR + routines.weights.call + _from_flash(layer, plan, memory))
    of_a_pair += calls * (CALL + routines.tile.call) + plan.groups * routines.tile.each
    return made + _copied(layer, plan, runs) + pairs * of_a_pair + _fetches(routines, pairs * plan.stripes, memory)


def _copied(layer: Convolution, plan: Plan, runs: Runs) -> float:
    """Of tiles that do not lie in the input as they are transformed."""
    _, _, channels = plane(layer.input_shape)
    size = layer.number_bytes
    words = plan.channels * size // WORD_BYTES
    padded = any(map(any, layer.padding))
    if plan.channels == channels:
        position = COPIED_WORD * words
    elif words > UNROLLED:
        position = LOOPED + (WORD + PADDED_WORD * padded) * words
    else:
        position = WORD * words + PADDED * padded + LAST * (channels * size % WORD_BYTES)
    return runs.copied * plan.scheme.points * position


def _from_flash(layer: Convolution, plan: Plan, memory: Memory) -> float:
    """Weights of two filters: words of three taps in turn, which lie apart."""
    return memory.scattered(2 * 3 * int(layer.kernel.shape[1]) * plan.channels * layer.weight_bytes)


def _fetches(routines: Routines, turns: int, memory: Memory) -> float:
    """Cycles of bringing code: once, and again for each pair of filters where it does not stay."""
    code = routines.tile.routine.code_bytes + routines.weights.routine.code_bytes
    again = (turns - 1) * memory.crowding(code + AROUND_BYTES, EDGE_BYTES)
    return (1 + again) * memory.fetched(code) + memory.fetched(routines.inputs.routine.code_bytes)
