"""Convolution by patches, for any window: what positions see lies side by side and meets 2 filters at a time."""

import math
from functools import lru_cache

from mcusim.graph import Layer
from mcusim.kernels.calls import Fields, reading, weight_type
from mcusim.kernels.finish import Ending, ending_of, known_ending
from mcusim.kernels.kernel import DEFAULT, MOST_UNROLLED, Inputs, Variant, stripes
from mcusim.kernels.memory import NO_WAITS, USUAL, Memory
from mcusim.kernels.pairs import bring_weights, first_fetch, paired, pairs_cycles, turns_of_pairs, weight_words
from mcusim.kernels.patches.copy import patch_copy
from mcusim.kernels.patches.frame import Frame, Stripe, frame_of, stripes_of
from mcusim.kernels.straight import ending_in, records_of
from mcusim.kernels.tile import LONG_CODE, MOST_POSITIONS, SHORT_CODE, Tile, interleaved, rows
from mcusim.kernels.tile_schedule import tile_routine
from mcusim.kernels.widen import widen
from mcusim.layers.convolution import Convolution
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode, Routine

NAME = "patches"
SUMMARY = "convolutions of any window in int8 and int16: 2 filters x 4 positions (Cortex-M4)"
ANY_STORAGE = AFFINE = NARROW_WEIGHTS = NEEDS_DSP = True
C_CYCLES, STRIPE_CYCLES = 26, 88  # of the C: around all, of a stripe of several


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if not isinstance(layer, Convolution):
        return "it is for convolutions"
    if ending_of(layer, doubled=True) is None or layer.peak_sum > ACCUMULATOR_LIMIT:
        return "it is for integers with sums of 32 bits"
    return None


def variants(layer: Convolution, inputs: Inputs) -> tuple[Variant, ...]:
    frame, tile = _plan(layer, inputs)
    return (DEFAULT,) if frame.in_place and frame.is_one_run else stripes(frame.positions, tile.positions)


def cost(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    frame, tile = _plan(layer, inputs)
    stripes_ = stripes_of(frame.positions, _stripe(frame, tile, variant), tile.positions)
    striped = len(stripes_) > MOST_UNROLLED
    unrolled = STRIPE_CYCLES if len(stripes_) == MOST_UNROLLED else 0
    fetches = first_fetch(tile, frame.weight_bytes, memory, len(stripes_) * frame.groups)
    own = sum(_cycles(frame, tile, layer.shape[-1], stripe, memory, striped=striped) for stripe in stripes_)
    return C_CYCLES + fetches + unrolled + own


def code(layer: Convolution, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    frame, tile = _plan(layer, inputs)
    stripe, size = _stripe(frame, tile, variant), frame.item_bytes
    weights = bring_weights(frame.weight_bytes, tile).routine
    routines: dict[str, Routine] = {"weights": weights, "tile": tile_routine(tile)}
    if not frame.in_place:
        routines["widen"] = widen(size, unsigned=bool(reading(inputs[0])))
    if not _reads_frame(frame, tile):
        routines["gather"] = patch_copy(frame.window(tile.positions))
    fields = {**frame.fields(), **_tile_fields(layer, tile), "stripe": stripe}
    numbers = frame.numbers(stripes_of(frame.positions, stripe, tile.positions))
    fields |= {"frame_numbers": numbers} if numbers else {}
    fields |= {"input_zero": layer.zero} if layer.zero and numbers else {}
    fields |= {role: routine.name for role, routine in routines.items()}
    filters = frame.taps(layer.kernel).reshape(frame.groups, layer.shape[-1] // frame.groups, -1)
    constants = (
        Constant("kernel", weight_type(layer), paired(filters, tile), layer.kernel_numbers),
        Constant("bias", "int32_t", records_of(layer, tile.finish)),
    )
    call = KernelCall("convolution_patches", ("input", "output", "scratch", "kernel", "bias"), fields)
    scratch = tile.weight_bytes + tile.end_bytes + 2 * numbers
    if not _reads_frame(frame, tile):
        scratch += 4 * tile.words * tile.positions * math.ceil(min(stripe, frame.positions) / tile.positions)
    parts = frame.groups * math.ceil(frame.positions / stripe)
    return LayerCode(
        (call,),
        constants,
        scratch,
        routines=tuple(routines.values()),
        code_bytes=_code_bytes(frame, tile, stripe),
        turns=(turns_of_pairs(tile, routines, layer.shape[-1] // frame.groups, frame.positions, parts),),
    )


def _code_bytes(frame: Frame, tile: Tile, stripe: int) -> int:
    """Of the C around the tile, about: as GCC makes it of so many loops."""
    framed = 0 if frame.in_place else 50 if frame.is_contiguous else 130 if frame.is_shared else 240
    gathered = 0 if _reads_frame(frame, tile) else 60
    rest = 40 if frame.positions % tile.positions else 0
    return 90 + framed + gathered + rest + (240 if stripe < frame.positions else 0)


def _tile_fields(layer: Convolution, tile: Tile) -> Fields:
    fields: Fields = {"output_channels": layer.shape[-1], "output_bytes": tile.finish.store_bytes, "words": tile.words}
    fields |= {"filters": tile.filters, "tile_positions": tile.positions, "end_bytes": tile.end_bytes}
    return fields | {"weight_words": weight_words(tile, layer.weight_bytes)}


@lru_cache(maxsize=64)
def _plan(layer: Convolution, inputs: Inputs) -> tuple[Frame, Tile]:
    """The tile that takes the least cycles over all positions."""
    frame, finish = frame_of(layer), known_ending(ending_in(layer, inputs[0]))
    filters, all_ = layer.shape[-1] // frame.groups, layer.shape[-1]
    tiles = [
        _tile(frame, min(filters, 2), positions, all_, finish, most)
        for positions in range(1, min(frame.positions, MOST_POSITIONS) + 1)
        for most in (LONG_CODE, SHORT_CODE)
    ]
    whole = Stripe(0, 0, frame.positions)
    return frame, min(tiles, key=lambda tile: _cycles(frame, tile, all_, whole, memory=USUAL, about=True))


def _tile(frame: Frame, filters: int, positions: int, outputs: int, finish: Ending, most: int) -> Tile:
    """From the frame, where it reaches all positions of the tile; else from patches."""
    if frame.is_one_run:
        tile = rows(filters, positions, frame.words, outputs, finish, frame.position_step, most)
        if tile.fits:
            return tile
    return interleaved(filters, positions, frame.words, outputs, finish, most)


def _reads_frame(frame: Frame, tile: Tile) -> bool:
    """Or does it need patches?"""
    return frame.is_one_run and tile.word_step == 4 and tile.tile_step == tile.positions * frame.position_step


def _stripe(frame: Frame, tile: Tile, variant: Variant) -> int:
    """Positions that are laid out at a time."""
    return tile.positions * math.ceil(math.ceil(frame.positions / tile.positions) / variant.stripes)


def _cycles(
    frame: Frame,
    tile: Tile,
    filters: int,
    stripe: Stripe,
    memory: Memory,
    *,
    striped: bool = False,
    about: bool = False,
) -> float:
    """Of all groups over a stripe."""
    of_frame = frame.cycles(stripe) * (1 if frame.is_shared else frame.groups)
    gathered = 0 if _reads_frame(frame, tile) else frame.gather_cycles(frame.window(tile.positions), stripe)
    positions, of_group = stripe.stop - stripe.start, filters // frame.groups
    own: float = pairs_cycles(tile, of_group, positions, frame.weight_bytes, memory, striped=striped, about=about)
    return striped * STRIPE_CYCLES + of_frame + frame.groups * (gathered + own)
