"""A depthwise convolution as this kernel runs it: stripes, planes, the functions that it calls and their cycles."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

from mcusim.kernels import expand
from mcusim.kernels.assembly import LONGEST_OFFSET, Timed
from mcusim.kernels.calls import bias_of, reading, weight_type
from mcusim.kernels.depthwise.across import COLUMNS, IntegerAcross, resident
from mcusim.kernels.depthwise.down import COLUMNS as DOWN_COLUMNS
from mcusim.kernels.depthwise.down import IntegerDown, skips
from mcusim.kernels.depthwise.down import fits as can_go_down
from mcusim.kernels.depthwise.floats import FloatAcross, FloatDown, FloatPart, goes_across, goes_down, stays
from mcusim.kernels.depthwise.floats_spread import FloatSpread, float_spread
from mcusim.kernels.depthwise.frame import Frame, written
from mcusim.kernels.depthwise.part import Part
from mcusim.kernels.depthwise.price import AROUND_BYTES, INNER_BYTES, Plan, Work, cycles
from mcusim.kernels.depthwise.spread import Spread, spread, zeros
from mcusim.kernels.depthwise.window import CHANNELS, WORD_BYTES, folded, packed, window_of
from mcusim.kernels.finish import FactorFinish, known_ending, less_zero
from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.memory import NO_WAITS, USUAL, Memory
from mcusim.kernels.straight import ending_in, records_of
from mcusim.layers.convolution import Convolution
from mcusim.layers.planes import plane
from mcusim.program import Constant, Routine, Turns

FLOAT_COLUMNS = (8, 4, 2)  # side by side
MOST_WORDS = 4000  # of a row of the planes; of float32 four channels have to be within reach
Q = TypeVar("Q", Part, FloatPart)


class Shape(ABC):
    """A layer in stripes of `rows` rows of outputs: the last one begins earlier rather than being smaller.

    `words`: of 4 bytes for each of 4 channels, in a row of the planes.
    """

    words: int
    most_words: int
    input_bytes: int
    output_bytes: int
    filter_words: int  # of weights in RAM
    weight_bytes: int  # of a filter in flash
    tap_bytes: int  # of a weight in flash
    channel_bytes: int  # from a channel of the planes to the next
    column_bytes: int  # likewise for columns, on average
    doubled: bool  # weights in RAM

    def __init__(self, layer: Convolution, parts: int) -> None:
        self.layer, self.window = layer, window_of(layer)
        self.height, self.width, self.filters = plane(layer.shape)
        self.input_height, self.input_width, self.channels = plane(layer.input_shape)
        self.rows = -(-self.height // parts)
        self.stripes = -(-self.height // self.rows)
        self.left = layer.padding[1][0]
        self.multiplier = self.filters // self.channels

    # ---- what numbers differ in

    @abstractmethod
    def plans(self) -> Iterator[Plan]: ...

    @property
    @abstractmethod
    def spread(self) -> Timed:
        """How rows of inputs come into the planes."""

    @property
    @abstractmethod
    def constants(self) -> tuple[Constant, ...]: ...

    @property
    @abstractmethod
    def unaligned(self) -> float:
        """Cycles more, on average, to load 4 channels of a position that begin anywhere."""

    # ---- what they share

    @property
    def make_ready(self) -> expand.Timed:
        """Brings weights into RAM."""
        return expand.into_ram(self.tap_bytes, doubled=self.doubled)

    @property
    def why_not(self) -> str | None:
        """Loads and stores have to reach what they are for."""
        if self.words > self.most_words:
            return "its rows are too long"
        if next(self.plans(), None) is None or 3 * self.channels * self.input_bytes > LONGEST_OFFSET:
            return "its positions lie too far apart"
        return None

    def _reach(self, columns: int) -> bool:
        """So many outputs side by side from one pointer?"""
        return columns * self.filters * self.output_bytes <= LONGEST_OFFSET

    @property
    def used(self) -> int:
        """Columns of the input that some window sees."""
        return min(self.input_width, self.window.columns(self.width) - self.left)

    @cached_property
    def plan(self) -> Plan:
        return min(self.plans(), key=lambda plan: plan.cycles)

    def _cut(self, kind: Callable[[Q], Frame[Q]], part: Q) -> Timed:
        """Without rows of zeros where it can be."""
        cut = replace(part, empty=(self._zeros_above(0), self._zeros_below(0)))
        above = replace(part, empty=(self._zeros_above(0), 0))
        return written(kind, next((one for one in (cut, above) if self.stripes == 1 and skips(one)), part))

    def _plan(
        self, make: Callable[[int, int], Timed], columns: int, *, in_registers: bool, goes_down: bool = False
    ) -> Plan:
        """`make`: of so many tiles of so many columns."""
        tiles, rest = divmod(self.width, columns)
        full, last = make(tiles, columns) if tiles else None, make(1, rest) if rest else None
        return Plan(full, last, columns, self.width - rest, in_registers, goes_down)

    @property
    def ready_bytes(self) -> int:
        """Of the weights of 4 channels, made ready in RAM."""
        return 0 if self.plan.in_registers else 4 * CHANNELS * self.multiplier * self.filter_words

    @property
    def scratch_bytes(self) -> int:
        return self.window.rows(self.rows) * self.words * WORD_BYTES + self.ready_bytes

    @property
    def _zeros(self) -> Timed:
        return zeros(self.input_bytes)

    @property
    def routines(self) -> tuple[Routine, ...]:
        plan = self.plan
        made = [self.spread.routine, *(part.routine for part in plan.parts)]
        made += [] if plan.in_registers else [self.make_ready.routine]
        made += [self._zeros.routine] if self._empty_rows else []
        return tuple(made)

    @property
    def turns(self) -> Turns:
        """Of four channels."""
        work = self.work(self.plan, NO_WAITS)
        calls = {part.routine.name: work.calls / work.turns for part in work.parts} | {self.spread.routine.name: 1.0}
        calls |= {} if self.plan.in_registers else {self.make_ready.routine.name: 1.0}
        return Turns(work.turns, calls, AROUND_BYTES + INNER_BYTES * (work.calls > work.turns))

    def fields(self) -> dict[str, Any]:
        plan = self.plan
        fields: dict[str, Any] = {"output_bytes": self.output_bytes, "multiplier": self.multiplier}
        fields |= {"stripe": self.rows, "words": self.words, "channel_bytes": self.channel_bytes}
        fields |= {"filter_bytes": self.weight_bytes}
        fields |= {"zeros": self._zeros.routine.name} if self._empty_rows else {}
        fields |= {"spread": self.spread.routine.name}
        fields |= {"tiles": plan.tiles.routine.name} if plan.tiles else {}
        fields |= self._rest_fields(plan)
        fields |= (
            {} if plan.in_registers else {"weights": self.make_ready.routine.name, "ready_words": self.filter_words}
        )
        return fields

    def _rest_fields(self, plan: Plan) -> dict[str, Any]:
        if not plan.rest:
            return {}
        column = plan.first * self.window.stride_width
        return {"rest": plan.rest.routine.name, "rest_column": plan.first, "rest_bytes": column * self.column_bytes}

    def cycles(self, memory: Memory) -> float:
        return cycles(self.work(self.plan, memory), memory)

    def work(self, plan: Plan, memory: Memory) -> Work:
        blocks, stay = math.ceil(self.channels / CHANNELS), plan.in_registers
        turns = self.stripes * blocks
        words = 0 if stay else self.weight_bytes // 4 * min(CHANNELS, self.channels) * self.multiplier
        several = [(self._zeros_above(stripe), self._zeros_below(stripe)) for stripe in range(self.stripes)]
        return Work(
            turns,
            turns if self.multiplier == 1 else self.stripes * self.channels,
            self.stripes * self.filters,
            plan.parts,
            plan.strips,
            self.spread,
            blocks * (self.stripes * self.window.rows(self.rows) - self._empty_rows),
            self.used * self.unaligned,
            self._zeros,
            sum(rows > 0 for stripe in several for rows in stripe),
            self._empty_rows * self.words,
            self.make_ready.cycles(words, memory) if words else 0,
            self.make_ready.run(words) if words else 0,
            self.weight_bytes // 4 if stay else 0,
        )

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


class IntegerShape(Shape):
    """Two columns of a channel in a word."""

    channel_bytes, column_bytes = 4, WORD_BYTES // 2
    most_words = MOST_WORDS

    def __init__(self, layer: Convolution, inputs: Inputs, parts: int = 1) -> None:
        super().__init__(layer, parts)
        finish = known_ending(ending_in(layer, inputs[0]))
        self.folded = folded(layer)
        self.read = window_of(self.folded)  # the window as it is read
        self.finish, self.output_bytes, self.doubled = finish, finish.store_bytes, finish.doubled
        self.words = self.read.input_words(self.width)
        if self._is_folded:
            columns = (self.width - 1) * self.read.stride_width + self.read.height * self.read.width
            self.words = -(-columns // 2)
        self.unseen = self._unseen()
        self.words -= self.unseen
        self.input_bytes, self.tap_bytes = layer.number_bytes, layer.weight_bytes
        self.unsigned = bool(reading(inputs[0]))
        self.filter_words = self.read.stored_words
        self.weight_bytes = 2 * self.tap_bytes * self.filter_words

    @property
    def _goes_down(self) -> bool:
        return can_go_down(self.read) and not self._is_folded and self._reach(DOWN_COLUMNS)

    def _unseen(self) -> int:
        """Words of a row that are all zeros, behind the map, and of which only the last column alone sees any."""
        rest, step = self.width % DOWN_COLUMNS, self.read.stride_width
        if not rest or not self._goes_down:
            return 0
        first, own = (self.width - rest) * step // 2, self.read.input_words(rest)
        before = first - step + self.read.input_words(DOWN_COLUMNS) if first else 0
        return min(own - 1, max(0, first + own - max(before, -(-(self.left + self.used) // 2))))

    @property
    def _is_folded(self) -> bool:
        return self.folded is not self.layer

    @property
    def why_not(self) -> str | None:
        """Loads, stores and what registers there are for the end of a sum."""
        if isinstance(self.finish, FactorFinish) and self.finish.is_special:
            return "its factors are too large, or limits too wide"
        return super().why_not

    def plans(self) -> Iterator[Plan]:
        stay = resident(self.read)
        weight_bytes = self.tap_bytes if stay else 4
        if self._reach(COLUMNS) and not self.unseen:
            yield self._plan(
                lambda n, c: written(IntegerAcross, self._part(n, c, weight_bytes)), COLUMNS, in_registers=stay
            )
        if self._goes_down:
            make = lambda n, c: self._cut(IntegerDown, self._part(n, c, self.tap_bytes))  # noqa: E731
            yield self._plan(make, DOWN_COLUMNS, in_registers=True, goes_down=True)

    def _part(self, tiles: int, columns: int, weight_bytes: int) -> Part:
        return Part(
            self.read,
            self.rows,
            tiles,
            columns,
            self.read.width // 2 if self._is_folded else self.words,
            self.filters,
            self.width,
            self.multiplier,
            self.finish,
            weight_bytes,
            self.tap_bytes,
            unseen=self.unseen if columns < DOWN_COLUMNS else 0,
        )

    @property
    def spread(self) -> Timed:
        kind = "wide" if self.input_bytes > 1 else "unsigned" if self.unsigned else "signed"
        return spread(Spread(self.channels, self.input_width, self.used, self.left, self.words, kind, self.layer.zero))

    @property
    def constants(self) -> tuple[Constant, ...]:
        kernel = Constant("kernel", weight_type(self.layer), packed(self.folded, self.read), self.layer.kernel_numbers)
        return kernel, Constant("bias", "int32_t", records_of(less_zero(self.layer), self.finish))

    @property
    def unaligned(self) -> float:
        if self.channels < CHANNELS:
            return 0
        if self.input_bytes > 1:
            return 1 if self.channels % 2 else 0
        return 1.25 if self.channels % 2 else self.channels % 4 / 4


class FloatShape(Shape):
    """Columns of a channel side by side."""

    input_bytes = output_bytes = column_bytes = tap_bytes = 4
    most_words = LONGEST_OFFSET // 12
    unaligned = 0.0
    doubled = False

    def __init__(self, layer: Convolution, parts: int = 1) -> None:
        super().__init__(layer, parts)
        self.words = self.window.columns(self.width)
        self.channel_bytes = 4 * self.words
        self.filter_words = self.window.height * self.window.width
        self.weight_bytes = 4 * self.filter_words

    @cached_property
    def plan(self) -> Plan:
        """The one that is cheapest with all around it."""
        return min(self.plans(), key=lambda plan: cycles(self.work(plan, USUAL), USUAL))

    def plans(self) -> Iterator[Plan]:
        for columns in filter(self._reach, FLOAT_COLUMNS):
            if goes_across(self.window, columns):
                yield self._across(columns, stay=stays(self.window, columns))
            if goes_down(self.window, columns):
                make = lambda n, c: self._cut(FloatDown, self._part(n, c, True))  # noqa: E731
                yield self._plan(make, columns, in_registers=True, goes_down=True)

    def _across(self, columns: int, *, stay: bool) -> Plan:
        return self._plan(lambda n, c: written(FloatAcross, self._part(n, c, stay)), columns, in_registers=stay)

    def _part(self, tiles: int, columns: int, stay: bool) -> FloatPart:
        finish = FloatFinish(self.layer.activation)
        shape = self.window, self.rows, tiles, columns, self.words, self.filters, self.width, self.multiplier
        return FloatPart(*shape, finish, stay)

    @property
    def spread(self) -> Timed:
        return float_spread(FloatSpread(self.channels, self.input_width, self.used, self.left, self.words))

    @property
    def constants(self) -> tuple[Constant, ...]:
        kernel = self.layer.kernel.reshape(self.filters, -1)
        return Constant("kernel", "number_t", kernel), Constant("bias", "accumulator_t", bias_of(self.layer))


def shape_of(layer: Convolution, inputs: Inputs, parts: int = 1) -> Shape:
    return FloatShape(layer, parts) if layer.kernel_numbers is None else IntegerShape(layer, inputs, parts)
