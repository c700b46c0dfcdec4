"""Which C or assembly runs a layer: a module for each kernel, listed here."""

from mcusim.kernels import (
    abreast,
    depthwise,
    direct,
    gather,
    lanes,
    patches,
    phases,
    plain,
    points,
    pointwise,
    rows,
    sequences,
    squares,
    squares_in_flash,
    tiles,
    unpacked,
    winograd,
)
from mcusim.kernels.kernel import Kernel

KERNELS: tuple[Kernel, ...] = (
    plain,
    patches,
    phases,
    pointwise,
    tiles,
    gather,
    points,
    depthwise,
    abreast,
    winograd,
    squares,
    squares_in_flash,
    direct,
    rows,
    lanes,
    sequences,
    unpacked,
)
