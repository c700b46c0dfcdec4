"""How a layer is cut into tiles of 4 x 4 outputs, and these into stripes; and the cycles that it takes."""

from dataclasses import dataclass, replace
from typing import NamedTuple

from mcusim.kernels.assembly import WORD_BYTES, Timed
from mcusim.kernels.memory import Memory
from mcusim.kernels.squares.points import OUTPUTS, POINTS, SIDE, TILES
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane

# Cycles of the C, by the timing model: of a tile, a pair of filters of a stripe
TILE, PAIR = 40.0, 20.0
# Of a position of a tile that is copied first: of a few words, which the compiler writes one behind the other, or of
# more and of each of them; how much less where nothing is padded
UNROLLED, FEW_WORDS, LOOPED, WORD, UNPADDED = 2, 21.0, 18.0, 6.4, 5.5
AROUND_BYTES, EDGE_BYTES = 60, 100  # of code between two calls; how far what lies in the cache may be off


@dataclass(frozen=True)
class Plan:
    """`stripe`: groups of four tiles that are transformed at a time. `in_flash`: are weights so, too?"""

    channels: int
    across: int
    down: int
    stripe: int
    in_flash: bool

    @property
    def words(self) -> int:
        """That a sum is over: pairs of numbers."""
        return self.channels // 2

    @property
    def weights_bytes(self) -> int:
        """U of two filters."""
        return POINTS * 2 * WORD_BYTES * self.words

    @property
    def tiles(self) -> int:
        return self.across * self.down

    @property
    def groups(self) -> int:
        return -(-self.tiles // TILES)

    @property
    def stripes(self) -> int:
        return -(-self.groups // self.stripe)

    @property
    def point_bytes(self) -> int:
        """Of V, from point to point."""
        return TILES * 2 * self.channels

    @property
    def scratch_bytes(self) -> int:
        """V of a stripe, where its outputs lie, a tile at an edge, and U of two filters."""
        weights = 0 if self.in_flash else self.weights_bytes
        return self.stripe * (POINTS * self.point_bytes + TILES * WORD_BYTES) + SIDE * SIDE * self.channels + weights


class Routines(NamedTuple):
    """`outputs_bytes`: of the tile's code, what runs for every tile of a filter."""

    tile: Timed
    outputs_bytes: int
    inputs: Timed
    weights: Timed | None  # where they are made ready on the board


def plan_of(layer: Convolution, stripes: int, in_flash: bool) -> Plan:
    height, width, _ = plane(layer.shape)
    _, _, channels = plane(layer.input_shape)
    whole = Plan(-(-channels // WORD_BYTES) * WORD_BYTES, -(-width // OUTPUTS), -(-height // OUTPUTS), 1, in_flash)
    return replace(whole, stripe=-(-whole.groups // stripes))


def cycles(layer: Convolution, plan: Plan, routines: Routines, memory: Memory) -> float:
    """Of a layer, for one sample."""
    pairs, words, tiles = -(-layer.shape[-1] // 2), plan.channels // WORD_BYTES, TILES * plan.groups
    made = tiles * (TILE + routines.inputs.cycles(words)) + _copied(layer, plan)
    of_a_pair = plan.stripes * (PAIR + routines.tile.call) + plan.groups * routines.tile.each
    code = routines.tile.routine.code_bytes
    if routines.weights is None:
        of_a_pair += plan.groups * memory.streamed(plan.weights_bytes)
    else:
        of_a_pair += plan.stripes * (routines.weights.call + memory.scattered(2 * 9 * plan.channels))
        code += routines.weights.routine.code_bytes
    again = (pairs * plan.stripes - 1) * memory.crowding(code + AROUND_BYTES, EDGE_BYTES)
    fetched = (1 + again) * memory.fetched(code) + memory.fetched(routines.inputs.routine.code_bytes)
    larger = memory.crowding(routines.outputs_bytes) * memory.fetched(routines.outputs_bytes)
    return made + pairs * (of_a_pair + 2 * tiles * larger) + fetched


def _copied(layer: Convolution, plan: Plan) -> float:
    """Of tiles that do not lie in the input as they are transformed."""
    channels = layer.input_shape[-1]
    copied = TILES * plan.groups
    if plan.channels == channels:
        copied = sum(not _inside(plan, index, layer) for index in range(copied))
    words = channels // WORD_BYTES
    position = FEW_WORDS if words <= UNROLLED else LOOPED + WORD * words
    padded = any(map(any, layer.padding))
    return copied * SIDE * SIDE * (position - (0 if padded else UNPADDED))


def _inside(plan: Plan, index: int, layer: Convolution) -> bool:
    """Lies all that the tile sees in the input?"""
    places = divmod(min(index, plan.tiles - 1), plan.across)
    sides = zip(places, plane(layer.shape)[:2], plane(layer.input_shape)[:2], layer.padding, strict=True)
    firsts = [(min(OUTPUTS * place, there - OUTPUTS) - before, size) for place, there, size, (before, _) in sides]
    return all(0 <= first <= size - SIDE for first, size in firsts)
