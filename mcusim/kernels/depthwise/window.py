"""Windows of depthwise convolutions as products of pairs: what lies side by side in a row is multiplied two by two.

A word of inputs holds columns 2i and 2i + 1 of a channel. An output whose window begins at an even column takes the
pairs of taps (0, 1), (2, 3)...; one that begins at an odd column takes tap 0 alone, then (1, 2), (3, 4)...
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mcusim.layers.convolution import Convolution
from mcusim.system.arrays import Array

CHANNELS = 4  # that lie side by side in the planes: those of one word of bytes
WORD_BYTES = 4 * CHANNELS  # of two columns of a row of the planes
MOST_TAPS = 7  # of a row, whose weights are in registers
FOLDS = (6, 4)  # taps of a row of a folded window
NO_TAP = -1  # 0 stands in its place


class Product(NamedTuple):
    """`instruction` adds the product of a word of weights of the window's row, and a word of inputs, to a sum."""

    instruction: str
    column: int
    weight: int
    word: int


@dataclass(frozen=True)
class Window:
    height: int
    width: int
    stride_height: int
    stride_width: int

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The words of weights of a row: taps in their low and their high half."""
        even = [(tap, tap + 1) for tap in range(0, self.width - 1, 2)]
        odd = [(tap, tap + 1) for tap in range(1, self.width - 1, 2)] if self.stride_width % 2 else []
        pairs = [*even, *odd]
        alone = self.width - 1
        return tuple(pairs if any(alone in pair for pair in pairs) else [*pairs, (NO_TAP, alone)])

    @property
    def words(self) -> int:
        """Of weights, of all rows."""
        return self.height * len(self.pairs)

    @property
    def stored_words(self) -> int:
        """From a filter to the next: of bytes two come at a time."""
        return self.words + self.words % 2

    def columns(self, outputs: int) -> int:
        """Of inputs that so many outputs of a row see."""
        return (outputs - 1) * self.stride_width + self.width

    def input_words(self, outputs: int) -> int:
        """Pairs of columns that so many outputs see, the first of which begins at an even one."""
        return -(-self.columns(outputs) // 2)

    def rows(self, outputs: int) -> int:
        return (outputs - 1) * self.stride_height + self.height

    def products(self, outputs: int) -> list[Product]:
        """Of one row of the window for so many outputs side by side, the first of which begins at an even column."""
        return [product for column in range(outputs) for product in self._of_column(column)]

    def _of_column(self, column: int) -> list[Product]:
        found, tap = [], 0
        while tap < self.width:
            word, half = divmod(column * self.stride_width + tap, 2)
            if half == 0 and (tap, tap + 1) in self.pairs:
                found.append(Product("smlad", column, self.pairs.index((tap, tap + 1)), word))
                tap += 2
                continue
            weight = next(index for index, pair in enumerate(self.pairs) if tap in pair)
            halves = "bt"[self.pairs[weight].index(tap)] + "bt"[half]
            found.append(Product(f"smla{halves}", column, weight, word))
            tap += 1
        return found


def window_of(layer: Convolution) -> Window:
    height, width = layer.kernel.shape[1:3]
    return Window(height, width, *layer.strides)


def folded(layer: Convolution) -> Convolution:
    """A long window of one row, as rows of a few taps, with zeros behind the last one.

    Such a row begins an even number of columns behind the one before, and is read as if it lay in a row of its own.
    """
    filters, rows, taps = layer.kernel.shape[:3]
    if rows > 1 or taps <= MOST_TAPS:
        return layer
    width = min(FOLDS, key=lambda fold: -(-taps // fold) * fold)
    kernel = np.pad(layer.kernel, ((0, 0), (0, 0), (0, -taps % width), (0, 0)))
    return replace(layer, kernel=kernel.reshape(filters, -1, width, 1))


def packed(layer: Convolution, window: Window) -> Array:
    """(filters, numbers): the words of weights; bytes as SXTB16 takes them apart, so that 4 become two words."""
    taps = np.pad(layer.kernel[..., 0], ((0, 0), (0, 0), (0, 1)))  # NO_TAP is the zero behind the last
    words = taps[:, :, np.array(window.pairs)].reshape(len(taps), -1, 2)
    pairs: Array = np.pad(words, ((0, 0), (0, window.words % 2), (0, 0))).reshape(len(taps), -1, 2, 2)
    order = (0, 1, 3, 2) if layer.kernel.dtype.itemsize == 1 else (0, 1, 2, 3)
    return np.ascontiguousarray(pairs.transpose(order).reshape(len(taps), -1))
