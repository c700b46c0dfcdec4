"""Depthwise convolution: 4 channels at a time as planes of 16 bits, in which two columns are multiplied at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mcusim.graph import Layer
from mcusim.kernels.calls import reading, window_fields
from mcusim.kernels.depthwise_across import COLUMNS, across, resident
from mcusim.kernels.depthwise_down import COLUMNS as DOWN_COLUMNS
from mcusim.kernels.depthwise_down import down, skips
from mcusim.kernels.depthwise_down import fits as can_go_down
from mcusim.kernels.depthwise_frame import CHANNELS_A_CALL
from mcusim.kernels.depthwise_part import Part
from mcusim.kernels.depthwise_spread import Spread, spread, zeros
from mcusim.kernels.depthwise_window import CHANNELS, WORD_BYTES, packed, window_of
from mcusim.kernels.expand import copy_words, expand_bytes
from mcusim.kernels.finish import finish_of
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, stripes, why_no_dsp
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import NO_DILATION, plane
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.program import Constant, KernelCall, LayerCode, Routine

NAME = "depthwise"
SUMMARY = "depthwise convolutions in int8 and int16, windows up to 7 x 7, two columns a multiplication (Cortex-M4)"
ANY_STORAGE = True
CODE_BYTES = 400  # of the C around, about
CACHE_BYTES, FLASH_LINE_BYTES = 1024, 8  # of the L452
HOT_BYTES = 150  # of the C around, that run for all channels
LOST_BYTES = 600  # of code more than the cache holds, with which nothing is there any more when it runs again
C_CYCLES, C_CALL_CYCLES = 75, 35  # of the C around: for 4 channels; for each call more
EXPAND_CYCLES = 3.2  # of a word of weights that comes into RAM
MOST_TAPS, MOST_STRIDE = 7, 2
MOST_BYTES = 4000  # of a row of the planes, or of neighbouring outputs: what loads and stores reach


def fits(layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    if why := why_no_dsp(core):
        return why
    if not isinstance(layer, Convolution) or layer.groups != plane(layer.input_shape)[2]:
        return "it is for depthwise convolutions"
    if finish_of(layer) is None or layer.peak_sum > ACCUMULATOR_LIMIT:
        return "it is for integers with sums of 32 bits"
    if layer.dilation != NO_DILATION:
        return "its taps lie side by side"
    if max(layer.kernel.shape[1:3]) > MOST_TAPS or max(layer.strides) > MOST_STRIDE:
        return f"it is for windows up to {MOST_TAPS} x {MOST_TAPS} and strides up to {MOST_STRIDE}"
    shape = _Shape(layer, inputs)
    if max(shape.words * WORD_BYTES, 4 * layer.shape[-1] * shape.finish.store_bytes) > MOST_BYTES:
        return "its rows are too long"
    return None


def variants(layer: Layer, inputs: Inputs) -> tuple[Variant, ...]:
    return stripes(plane(layer.shape)[0], 1)


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, wait_states: int = 0) -> float:
    assert isinstance(layer, Convolution)
    return _Shape(layer, inputs, variant.stripes).cycles(wait_states)


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    assert isinstance(layer, Convolution)
    shape = _Shape(layer, inputs, variant.stripes)
    window = window_fields(layer.input_shape, layer.shape, layer.kernel.shape[1:3], layer.strides, layer.padding)
    fields: dict[str, Any] = {**window, **reading(inputs[0]), **shape.fields()}
    constants = (
        Constant("kernel", "number_t", packed(layer, shape.window), layer.kernel_numbers),
        Constant("bias", "int32_t", layer.bias),
    )
    call = KernelCall("convolution_depthwise", ("input", "output", "scratch", "kernel", "bias"), fields)
    return LayerCode((call,), constants, shape.scratch_bytes, routines=shape.routines, code_bytes=CODE_BYTES)


Make = Callable[[Part], tuple[Routine, float]]


@dataclass(frozen=True)
class _Plan:
    """Functions that compute all columns of a row: `tiles` those that come in full tiles, `rest` what is left."""

    tiles: tuple[Routine, float] | None
    rest: tuple[Routine, float] | None
    first: int  # column of the rest
    in_registers: bool  # the weights

    @property
    def parts(self) -> list[tuple[Routine, float]]:
        return [part for part in (self.tiles, self.rest) if part]

    @property
    def cycles(self) -> float:
        """Of the planes of 4 channels."""
        return sum(cycles for _, cycles in self.parts)


class _Shape:
    """A layer in stripes of `rows` rows of outputs: the last one begins earlier rather than being smaller."""

    def __init__(self, layer: Convolution, inputs: Inputs, parts: int = 1) -> None:
        finish = finish_of(layer)
        assert finish is not None
        self.layer, self.finish, self.window = layer, finish, window_of(layer)
        self.height, self.width, self.filters = plane(layer.shape)
        self.input_height, self.input_width, self.channels = plane(layer.input_shape)
        self.rows = -(-self.height // parts)
        self.stripes = -(-self.height // self.rows)
        self.number_bytes = layer.kernel.dtype.itemsize
        self.unsigned = bool(reading(inputs[0]))
        self.left = layer.padding[1][0]
        self.words = -(-self.window.columns(self.width) // 2)
        self.multiplier = self.filters // self.channels

    @property
    def used(self) -> int:
        """Columns of the input that some window sees."""
        return min(self.input_width, self.window.columns(self.width) - self.left)

    @property
    def plan(self) -> _Plan:
        plans = [self._across()]
        if can_go_down(self.window):
            plans.append(self._down())
        return min(plans, key=lambda plan: plan.cycles)

    def _down(self) -> _Plan:
        return self._plan(self._make_down, DOWN_COLUMNS, in_registers=True)

    def _make_down(self, part: Part) -> tuple[Routine, float]:
        cut = replace(part, empty=(self._zeros_above(0), self._zeros_below(0)))
        above = replace(part, empty=(self._zeros_above(0), 0))
        return down(next((one for one in (cut, above) if self.stripes == 1 and skips(one)), part))

    def _across(self) -> _Plan:
        return self._plan(across, COLUMNS, in_registers=resident(self.window))

    def _plan(self, make: Make, columns: int, *, in_registers: bool) -> _Plan:
        tiles, rest = divmod(self.width, columns)
        weight_bytes = self.number_bytes if in_registers else 4
        return _Plan(
            make(self._part(tiles, columns, weight_bytes)) if tiles else None,
            make(self._part(1, rest, weight_bytes)) if rest else None,
            self.width - rest,
            in_registers,
        )

    def _part(self, tiles: int, columns: int, weight_bytes: int) -> Part:
        return Part(
            self.window,
            self.rows,
            tiles,
            columns,
            self.words,
            self.filters,
            self.width,
            weight_bytes,
            self.number_bytes,
            self.multiplier,
            self.finish,
        )

    @property
    def spread(self) -> tuple[Routine, float]:
        """How inputs come into the planes, and the cycles of a row."""
        kind = "wide" if self.number_bytes > 1 else "unsigned" if self.unsigned else "signed"
        return spread(Spread(self.channels, self.input_width, self.used, self.left, self.words, kind))

    @property
    def expanded_bytes(self) -> int:
        """Of the weights of 4 channels, made ready in RAM."""
        if self.plan.in_registers:
            return 0
        return 4 * CHANNELS * self.multiplier * self.window.stored_words

    @property
    def scratch_bytes(self) -> int:
        return self.window.rows(self.rows) * self.words * WORD_BYTES + self.expanded_bytes

    @property
    def _weights(self) -> Routine:
        return expand_bytes() if self.number_bytes == 1 else copy_words()

    @property
    def routines(self) -> tuple[Routine, ...]:
        plan = self.plan
        made = [self.spread[0], *(part[0] for part in plan.parts)]
        made += [] if plan.in_registers else [self._weights]
        made += [zeros(self.number_bytes)[0]] if self._empty_rows else []
        return tuple(made)

    def fields(self) -> dict[str, Any]:
        plan = self.plan
        fields: dict[str, Any] = {"output_bytes": self.finish.store_bytes, "multiplier": self.multiplier}
        fields |= {"stripe": self.rows, "words": self.words, "filter_words": self.window.stored_words}
        fields |= {"zeros": zeros(self.number_bytes)[0].name} if self._empty_rows else {}
        fields |= {"spread": self.spread[0].name}
        fields |= {"tiles": plan.tiles[0].name} if plan.tiles else {}
        fields |= {"rest": plan.rest[0].name, "rest_column": plan.first} if plan.rest else {}
        fields |= {} if plan.in_registers else {"weights": self._weights.name}
        return fields

    # ---- cycles

    def cycles(self, wait_states: int) -> float:
        blocks = math.ceil(self.channels / CHANNELS)
        calls = self.channels / CHANNELS_A_CALL * self.multiplier
        rows = self.stripes * self.window.rows(self.rows) - self._empty_rows
        spreading = blocks * rows * (self.spread[1] + self.used * self._unaligned)
        nothing = self._empty_rows * self.words * zeros(self.number_bytes)[1]
        c = C_CYCLES * blocks + (C_CALL_CYCLES * len(self.plan.parts) * self.channels if self.multiplier > 1 else 0)
        made_ready = self.filters * self.window.stored_words * EXPAND_CYCLES if self.expanded_bytes else 0
        compute = self.stripes * (self.plan.cycles * calls + c + made_ready)
        return nothing + spreading + compute + self._stalls(blocks, wait_states)

    def _stalls(self, blocks: int, wait_states: int) -> float:
        """Until code and weights have come from flash; again for each block what the cache does not hold."""
        code = sum(routine.code_bytes for routine in self.routines) + HOT_BYTES
        lost = min(1.0, max(0.0, (code - CACHE_BYTES) / LOST_BYTES))
        times = 1 + (blocks * self.stripes - 1) * lost
        weights = self.stripes * self.filters * self.window.stored_words * 2 * self.number_bytes
        return (0.75 * code * times + weights) / FLASH_LINE_BYTES * wait_states

    @property
    def _unaligned(self) -> float:
        """Cycles more, on average, to load 4 channels of a position that begin anywhere."""
        if self.channels < CHANNELS:
            return 0
        if self.number_bytes > 1:
            return 1 if self.channels % 2 else 0
        return 1.25 if self.channels % 2 else self.channels % 4 / 4

    @property
    def _empty_rows(self) -> int:
        """Rows of the planes of all stripes that lie outside of the input."""
        return sum(self._zeros_above(stripe) + self._zeros_below(stripe) for stripe in range(self.stripes))

    def _zeros_above(self, stripe: int) -> int:
        return min(max(0, -self._top(stripe)), self.window.rows(self.rows))

    def _zeros_below(self, stripe: int) -> int:
        rows = self.window.rows(self.rows)
        return min(max(0, self._top(stripe) + rows - self.input_height), rows - self._zeros_above(stripe))

    def _top(self, stripe: int) -> int:
        """The row of the input that is the first one of the planes."""
        first = min(stripe * self.rows, self.height - self.rows)
        return first * self.window.stride_height - self.layer.padding[0][0]
