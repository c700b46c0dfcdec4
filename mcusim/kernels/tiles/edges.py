"""Which tiles a row of outputs falls into: those at its edges, those between, and one where they leave a rest."""

from dataclasses import dataclass

from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_PADDING, Padding, Pair, plane


@dataclass(frozen=True)
class Window:
    """A convolution as it runs: what needs no second axis lies in one row."""

    input: tuple[int, int, int]  # height, width, channels
    output: tuple[int, int, int]
    size: Pair
    strides: Pair
    padding: Padding

    @property
    def taps(self) -> int:
        """Of a row."""
        return self.size[1] * self.input[2]

    @property
    def hanging(self) -> Pair:
        """Positions of a row whose window hangs over the left edge, and over the right one."""
        width, stride, left = self.output[1], self.strides[1], self.padding[1][0]
        inside = self.input[1] + left - self.size[1]  # of the last window that does not hang, times the stride
        whole = max(0, inside // stride + 1) if inside >= 0 else 0
        return min(width, -(-left // stride)), width - min(width, whole)

    @property
    def sees_every_row(self) -> bool:
        """Is there a row of the input in every window?"""
        top = self.padding[0][0]
        last = (self.output[0] - 1) * self.strides[0] - top
        return top < self.size[0] and last < self.input[0]


def window_of(layer: Convolution) -> Window:
    """Of a layer without groups and dilation."""
    (height, width, channels), (rows, columns, filters) = plane(layer.input_shape), plane(layer.shape)
    size, strides, padding = layer.kernel.shape[1:3], layer.strides, layer.padding
    if size == (1, 1) and strides == (1, 1) and padding == NO_PADDING:
        return Window((1, height * width, channels), (1, rows * columns, filters), size, strides, padding)
    if width == size[1] == columns == 1:
        size, strides, padding = (1, size[0]), (1, strides[0]), (padding[1], padding[0])
        return Window((1, height, channels), (1, rows, filters), size, strides, padding)
    return Window((height, width, channels), (rows, columns, filters), size, strides, padding)


@dataclass(frozen=True)
class Row:
    """`left`, `right`: tiles that read bands; `middle` tiles from position `first` on; `rest`: position of one more."""

    left: int
    right: int
    middle: int = 0
    first: int = 0
    rest: int = 0

    @property
    def tiles(self) -> int:
        return self.left + self.right + self.middle + (self.rest > 0)

    @property
    def calls(self) -> int:
        return sum(count > 0 for count in (self.left, self.right, self.middle, self.rest))


def row_of(window: Window, positions: int) -> Row:
    """For tiles of so many positions, no more than there are in a row."""
    width, (over_left, over_right) = window.output[1], window.hanging
    left, right = -(-over_left // positions), -(-over_right // positions)
    between = width - (left + right) * positions
    all_bands = Row(width // positions, int(width % positions > 0))
    if between < 0:
        return all_bands
    middle, start = -(-between // positions), left * positions
    twice = middle * positions - between  # positions that two tiles compute
    room = start - over_left, right * positions - over_right
    if twice <= sum(room):
        return Row(left, right, middle, start - min(twice, room[0]))
    rest = start + between - positions
    return Row(left, right, middle - 1, start, rest) if rest >= over_left else all_bands
