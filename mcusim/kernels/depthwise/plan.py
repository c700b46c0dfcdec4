"""Which functions of a depthwise convolution compute which columns of a row."""

from dataclasses import dataclass

from mcusim.kernels.assembly import Timed
from mcusim.kernels.depthwise.frame import CHANNELS_A_CALL


@dataclass(frozen=True)
class Plan:
    """Functions that compute all columns of a row: `tiles` those that come in full tiles, `rest` what is left."""

    tiles: Timed | None
    rest: Timed | None
    columns: int  # of a tile
    first: int  # column of the rest
    in_registers: bool  # the weights
    goes_down: bool = False  # a strip of so many columns after the other

    @property
    def strips(self) -> list[int]:
        """Of each part."""
        return [self.first // self.columns if self.goes_down and part is self.tiles else 1 for part in self.parts]

    @property
    def parts(self) -> list[Timed]:
        return [part for part in (self.tiles, self.rest) if part]

    @property
    def cycles(self) -> float:
        """Of the planes of 4 channels."""
        return sum(part.cycles(CHANNELS_A_CALL) for part in self.parts)
