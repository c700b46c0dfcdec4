"""The tile of direct convolution: some filters x some positions of a row. How its weights lie, its loops, its cycles.

A block is what one call does: tiles side by side, for rows of outputs.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mcusim.kernels.assembly import LONGEST_OFFSET
from mcusim.kernels.direct.tap_reuse import Window

# Of the loop with its end: the 1 KiB of the L452's instruction cache, less the lines cut at both ends
CACHE_BYTES = 940
MOST_FILTERS = 2
TURN_CYCLES = 3  # TST and a branch that is taken
WINDOW_ROW_CYCLES = 8  # two loads, ADD, ADD, CMP, branch
TILE_CYCLES = 12  # of its end, for one filter: three loads in a burst, two ADD, ADD and STR, SUBS and STR, branch


class Block(NamedTuple):
    """What one call does: codegen/kernels/nn_direct_block.h tells what the numbers mean."""

    tile: int
    in_scratch: int
    input: int
    weights: int
    output: int
    tiles: int
    rows: int
    window_rows: int
    row_bytes: int
    next_input: int
    next_output: int
    shift: int = 0


@dataclass(frozen=True)
class Tile:
    """A routine, but for how it ends its sums.

    `words`: pairs of channels. `column_bytes`: from one column of the input to the next. `outputs`: of a position.
    `steps`: pairs of channels that a turn of the loop takes. `tall`: has the window rows? `factor_bytes`: of the code
    that scales a sum, where a factor does.
    """

    window: Window
    words: int
    column_bytes: int
    outputs: int
    steps: int
    tall: bool
    factor_bytes: int = 0

    @cached_property
    def turns(self) -> int:
        """Of the loop; what is left follows it. One alone is none."""
        return self.words // self.steps if self.words // self.steps > 1 else 0

    @property
    def rest(self) -> int:
        return self.words - self.turns * self.steps

    @property
    def moved(self) -> int:
        """Bytes that both pointers have moved when a row of the window is done."""
        return 4 * self.turns * self.steps

    @cached_property
    def end_bytes(self) -> int:
        """The first tap's weights that the loop reads end at a multiple of it."""
        size = 4
        while size < self.moved:
            size *= 2
        return size

    @property
    def end_mask(self) -> int:
        """Bits of the address that are 0 at the end alone."""
        step = 4 * self.steps
        return (self.end_bytes - 1) & ~((step & -step) - 1)

    @cached_property
    def row_of_weights(self) -> int:
        """Bytes of the taps of all filters in one row of the window."""
        return 4 * self.window.filters * self.window.taps * self.words

    @cached_property
    def weights_pitch(self) -> int:
        """Bytes from one row of the window to the next."""
        return -(-self.row_of_weights // self.end_bytes) * self.end_bytes

    @property
    def has_spare(self) -> bool:
        """Is a register left at the end for the count of tiles, beside output, biases and one for the rest?"""
        return self.window.operands > 2 + self.window.filters * self.window.sum_registers

    @cached_property
    def code_bytes(self) -> int:
        """Of the loop and its end, about."""
        window = self.window
        copies = (self.steps if self.turns else 0) + self.rest
        own = 4 * (copies * window.instructions + 4 * window.sums + 16 + (12 if self.tall else 0))
        return own + self.factor_bytes * window.sums

    def cycles(self, window_rows: int = 1, of_sum: int = 3, of_tile: int = 0) -> int:
        """Of a tile, all code in the cache. `of_sum`, `of_tile`: what ends a sum, and a tile besides."""
        window = self.window
        row = self.words * window.cycles + max(0, TURN_CYCLES * self.turns - 1)
        row += WINDOW_ROW_CYCLES if self.tall else 0
        end = TILE_CYCLES + window.filters - 1 + of_sum * window.sums + of_tile + (0 if self.has_spare else 2)
        return window_rows * row + end

    @property
    def is_possible(self) -> bool:
        """Do offsets and masks fit the instructions?"""
        last = max(self.window.columns - 1, 0) * self.column_bytes, self.row_of_weights - 4 * self.words
        step = 4 * self.steps
        mask = self.end_mask if self.turns else 0
        return (
            max(last) + 4 * self.words <= LONGEST_OFFSET
            and (step <= 252 or not self.turns)
            and (mask == 0 or mask // (mask & -mask) < 256)
            and 2 * self.outputs * (self.window.positions - 1) + 4 <= LONGEST_OFFSET
        )
