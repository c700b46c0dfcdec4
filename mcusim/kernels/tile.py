"""Some filters x some positions: the tile of scalar products that pointwise convolutions and patches share.

The sums stay in registers while weights and inputs come by in pairs of numbers. 2 x 4 is what a Cortex-M4 has registers
for: 6 loads in two bursts and 8 SMLAD, 16 products in 16 cycles. 2 x 3 takes a burst less and is as good.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

from mcusim.kernels.assembly import LONGEST_OFFSET, LONGEST_STEP, SAVED
from mcusim.kernels.finish import Ending, FactorFinish
from mcusim.kernels.straight import StraightFinish

MOST_FILTERS, MOST_POSITIONS = 2, 4
# Bytes from the begin of a tile to its end: what stays in the L452's instruction cache, alone or with what calls it.
LONG_CODE, SHORT_CODE = 960, 600
LEAST_UNROLLED = 2  # pairs: one before the loop, one in it
_FREE = ("r1", "r2", "r3", "r12", *(f"r{n}" for n in range(11, 3, -1)))  # for operands: those without a sum
CALL_CYCLES = 41  # of a call from C: registers saved and restored, the frame filled, the last branch not taken


@dataclass(frozen=True)
class Tile:
    """`filters` (1 or 2) x `positions` (1 to 4), sums over `words` pairs of numbers.

    From a position's pair to the same one of the next are `position_step` bytes, to its own next one `word_step`, and
    from tile to tile `tile_step`. The layer has `outputs` filters: so far lie the outputs of two positions apart.
    """

    filters: int
    positions: int
    words: int
    outputs: int
    finish: Ending
    position_step: int
    word_step: int
    tile_step: int
    most_code: int = LONG_CODE

    @property
    def sums(self) -> list[str]:
        return [f"sum{filter_}{position}" for filter_ in range(self.filters) for position in range(self.positions)]

    @property
    def _end_bytes(self) -> int:
        """Of code that is no product, with some room."""
        if isinstance(self.finish, FactorFinish):
            return (8 + self.finish.code_bytes) * len(self.sums) + 8 * self.filters + 60
        return 16 * len(self.sums) + 60

    @property
    def _room(self) -> int:
        """Bytes that are left for products."""
        return self.most_code - self._end_bytes

    @cached_property
    def plan(self) -> tuple[int, int, int]:
        """Pairs before the loop, pairs in a turn of it, turns: as few turns as the instruction cache allows."""
        most = min(
            max(LEAST_UNROLLED, self._room // (4 * (self.filters + self.positions + len(self.sums)))),
            LONGEST_STEP // max(self.word_step, 4 * self.filters),
        )
        if self.words <= most:
            return self.words, 0, 0
        plans = [
            (-(-(self.words - first) // steps), first + steps, first, steps)
            for first, steps in product(range(1, most), range(1, most))
            if first + steps <= most and (self.words - first) % steps == 0
        ]
        turns, _, first, steps = min(plans)
        return first, steps, turns

    @property
    def mask(self) -> int:
        """Bits of the address of the weights that are 0 at their end, and after no other turn of the loop."""
        _, steps, turns = self.plan
        step = 4 * self.filters * steps
        return (1 << (turns - 1).bit_length()) - 1 << (step & -step).bit_length() - 1 if turns > 1 else 0

    @property
    def end_bytes(self) -> int:
        """The weights end at a multiple of it."""
        return max(4, 1 << self.mask.bit_length())

    @property
    def weight_bytes(self) -> int:
        return 4 * self.filters * self.words

    @property
    def farthest(self) -> int:
        """Offset of the last load from the pointer to the input."""
        first, steps, _ = self.plan
        return self.position_step * (self.positions - 1) + self.word_step * max(first, steps)

    @property
    def fits(self) -> bool:
        return self.farthest <= LONGEST_OFFSET

    @cached_property
    def cycles(self) -> float:
        """Of one tile, without its end's place in a call."""
        _, _, turns = self.plan
        sums, first_burst = len(self.sums), len(operands_of(self)) - self.filters
        bursts = 1 + max(0, -(-(self.positions - first_burst) // first_burst))
        loads = self.filters + self.positions + bursts
        end = 2 * sums + 7.5 + 2 * (self.filters - len(kept_of(self))) - (self.tile_step == self.word_step * self.words)
        if isinstance(self.finish, StraightFinish):
            end += sums * (self.finish.cycles - 1) + len(self.finish.factor) * self.filters
            end += 1 - (free_behind_lines(self) is not None)
        elif isinstance(self.finish, FactorFinish):
            end += sums * (self.finish.cycles - 1) + 4 * self.filters
        elif self.finish.ceiling is not None:
            end += 2 + sums * (1 if self.finish.raised else 2)
        return self.words * (sums + loads) + max(0, 3 * (turns - 1)) + end + 3 * (turns > 0)

    @property
    def code_bytes(self) -> int:
        """About."""
        first, steps, _ = self.plan
        of_sum, of_filter = 12, 0
        if isinstance(self.finish, FactorFinish):
            of_sum, of_filter = 4 + self.finish.code_bytes, 16 + 4 * len(self.finish.factor)
        words = 4 * (first + steps) * (len(self.sums) + self.filters + self.positions)
        return words + of_sum * len(self.sums) + of_filter * self.filters + 75

    @property
    def frame(self) -> int:
        """Bytes of the stack, with which it is a multiple of 8."""
        if isinstance(self.finish, FactorFinish):
            return 20 + 8 * max(len(self.finish.factor), 2)
        return 20


def interleaved(
    filters: int, positions: int, words: int, outputs: int, finish: Ending, most_code: int = LONG_CODE
) -> Tile:
    """Of inputs [tiles][words][positions][2 numbers]."""
    step = 4 * positions
    return Tile(filters, positions, words, outputs, finish, 4, step, step * words, most_code)


def rows(
    filters: int,
    positions: int,
    words: int,
    outputs: int,
    finish: Ending,
    position_step: int,
    most_code: int = LONG_CODE,
) -> Tile:
    """Of inputs that lie [tiles][positions][words][2 numbers], so many bytes from position to position."""
    return Tile(filters, positions, words, outputs, finish, position_step, 4, positions * position_step, most_code)


def operands_of(t: Tile) -> list[str]:
    """Registers for weights and inputs."""
    return list(_FREE[: len(_FREE) - t.filters * t.positions])


def kept_of(t: Tile) -> list[str]:
    """Registers that are left for where outputs go, and for where the input ends: both, the first, or none."""
    left = operands_of(t)[t.filters + t.positions :]
    return [register for register in left if register in SAVED[4:]][:2]


def free_behind_lines(t: Tile) -> str | None:
    """A register for the end of the input, to be loaded with the lines."""
    left = operands_of(t)[2 * t.filters :]
    is_left = isinstance(t.finish, StraightFinish) and len(kept_of(t)) == 1 and left[0] not in kept_of(t)
    return left[0] if is_left else None
