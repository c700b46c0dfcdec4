"""Pointwise convolution: each position by itself. Maps are read as they lie, in tiles of 2 filters x 4 positions."""

import math
from functools import lru_cache
from typing import Any

from mcusim.graph import Layer
from mcusim.kernels.calls import reading, weight_type
from mcusim.kernels.expand import into_ram
from mcusim.kernels.finish import ending_of, known_ending
from mcusim.kernels.kernel import DEFAULT, MOST_UNROLLED, Inputs, Variant, stripes
from mcusim.kernels.memory import NO_WAITS, USUAL, Memory
from mcusim.kernels.pairs import bring_weights, first_fetch, paired, pairs_cycles, turns_of_pairs
from mcusim.kernels.straight import ending_in, records_of
from mcusim.kernels.tile import LONG_CODE, MOST_POSITIONS, SHORT_CODE, Tile, rows
from mcusim.kernels.tile_schedule import tile_routine
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode

NAME = "pointwise"
SUMMARY = "convolutions of one tap in int8 and int16: 2 filters x 4 positions (Cortex-M4)"
ANY_STORAGE = AFFINE = NARROW_WEIGHTS = NEEDS_DSP = True
# Of the C: around, of a stripe of several, of a position that is brought alone
C_CYCLES, STRIPE_CYCLES, POSITION_CYCLES = 37, 24, 17
AGAIN = 0.5  # of the code of a tile that a stripe fetches again, in the mean


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution) or layer.kernel.shape[1:3] != (1, 1) or layer.groups != 1:
        return "it is for convolutions of one tap, in one group"
    if any(map(any, layer.padding)):
        return "it knows no padding"
    if ending_of(layer, doubled=True) is None or layer.peak_sum > ACCUMULATOR_LIMIT:
        return "it is for integers with sums of 32 bits"
    even = 4 // (layer.number_bytes if layer.shape[-1] > 1 else layer.weight_bytes)
    if _channels(layer) % even:
        return f"its channels are no multiple of {even}"
    return None if _tile(layer, inputs).fits else "it has too many channels"


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    return stripes(_positions(layer), _tile(layer, inputs).positions) if _copies(layer) else (DEFAULT,)


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    tile, positions = _tile(layer, inputs), _positions(layer)
    stripe = _stripe(tile, positions, variant)
    stripes_, last = divmod(positions, stripe)
    striped = stripe * MOST_UNROLLED < positions
    one = _stripe_cycles(layer, tile, stripe, memory, striped=striped)
    rest = _stripe_cycles(layer, tile, last, memory, striped=striped) if last else 0
    fetches = first_fetch(tile, layer.weight_bytes, memory, 1 + AGAIN * (positions / stripe - 1))
    return C_CYCLES + fetches + stripes_ * one + rest


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    tile, positions = _tile(layer, inputs), _positions(layer)
    routine, is_bytes = tile_routine(tile), layer.number_bytes == 1
    weights = bring_weights(layer.weight_bytes, tile).routine
    routines = {"weights": weights, "tile": routine}
    fields = _places(layer)
    stripe = _stripe(tile, positions, variant)
    if _copies(layer):
        bring = into_ram(layer.number_bytes, unsigned=bool(reading(inputs[0]))).routine
        routines["bring"] = bring
        fields |= {"bring": bring.name}
    fields |= {"words": tile.words, "filters": tile.filters, "tile_positions": tile.positions, "stripe": stripe}
    fields |= {"end_bytes": tile.end_bytes, "output_bytes": tile.finish.store_bytes}
    fields |= {"weights": weights.name, "tile": routine.name}
    constants = (
        Constant(
            "kernel",
            weight_type(layer),
            paired(layer.kernel.reshape(layer.shape[-1], -1), tile, lanes=is_bytes),
            layer.kernel_numbers,
        ),
        Constant("bias", "int32_t", records_of(layer, tile.finish)),
    )
    call = KernelCall("pointwise_tiles", ("input", "output", "scratch", "kernel", "bias"), fields)
    copies = 4 * tile.words * min(stripe, positions) if _copies(layer) else 0
    scratch = tile.weight_bytes + tile.end_bytes - 4 + copies
    used = tuple({each.name: each for each in routines.values()}.values())
    turns = turns_of_pairs(tile, routines, layer.shape[-1], positions, math.ceil(positions / stripe))
    return LayerCode(
        (call,), constants, scratch, routines=used, code_bytes=_code_bytes(layer, tile, stripe), turns=(turns,)
    )


def _code_bytes(layer: Convolution, tile: Tile, stripe: int) -> int:
    """Of the C around the tile, about: as GCC makes it of so many loops."""
    strided = 50 if layer.strides != (1, 1) else 0
    rest = 35 if _positions(layer) % tile.positions else 0
    return 95 + strided + rest + (90 if stripe < _positions(layer) else 0)


def _channels(layer: Convolution) -> int:
    return plane(layer.input_shape)[2]


def _positions(layer: Layer) -> int:
    return math.prod(layer.shape[:-1])


def _copies(layer: Convolution) -> bool:
    """Does the map have to be brought into the scratch memory first?"""
    return layer.number_bytes == 1 or layer.strides != (1, 1)


def _places(layer: Convolution) -> dict[str, Any]:
    _, width, channels = plane(layer.input_shape)
    rows_, columns, filters = plane(layer.shape)
    fields = {"input_width": width, "input_channels": channels, "output_width": columns, "output_channels": filters}
    return fields | {"stride_height": layer.strides[0], "stride_width": layer.strides[1], "positions": rows_ * columns}


@lru_cache(maxsize=64)
def _tile(layer: Convolution, inputs: Inputs) -> Tile:
    """The one that takes the least cycles for all positions, some of them twice where they do not divide."""
    finish = known_ending(ending_in(layer, inputs[0]))
    filters, channels = layer.shape[-1], _channels(layer)
    positions = _positions(layer)
    tiles = [
        rows(min(filters, 2), count, channels // 2, filters, finish, 2 * channels, most)
        for count in range(1, min(positions, MOST_POSITIONS) + 1)
        for most in (LONG_CODE, SHORT_CODE)
    ]
    return min(tiles, key=lambda tile: _stripe_cycles(layer, tile, positions, memory=USUAL, about=True))


def _stripe(tile: Tile, positions: int, variant: Variant) -> int:
    """Positions that are brought at a time."""
    return tile.positions * math.ceil(math.ceil(positions / tile.positions) / variant.stripes)


def _stripe_cycles(
    layer: Convolution, tile: Tile, positions: int, memory: Memory, *, striped: bool = False, about: bool = False
) -> float:
    """Of all filters over some positions."""
    bytes_ = layer.weight_bytes
    pairs = pairs_cycles(tile, layer.shape[-1], positions, bytes_, memory, striped=striped, about=about)
    return striped * STRIPE_CYCLES + pairs + _bring_cycles(layer, positions)


def _bring_cycles(layer: Convolution, positions: int) -> float:
    if not _copies(layer):
        return 0
    bring, words = into_ram(layer.number_bytes), _channels(layer) * layer.number_bytes // 4
    if layer.strides == (1, 1):
        return bring.cycles(positions * words, NO_WAITS)
    return positions * (POSITION_CYCLES + bring.cycles(words, NO_WAITS))
