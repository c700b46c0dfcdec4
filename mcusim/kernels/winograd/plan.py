"""How a layer is cut into blocks of tiles, and these into what one call transforms."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mcusim.kernels.winograd.points import Scheme
from mcusim.kernels.winograd.tile import TILES
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane


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
