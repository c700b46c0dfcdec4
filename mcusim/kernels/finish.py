"""What ends sums in assembly: scale, activation, saturation, store. In C it is nn_finish and nn_store.

Finish          a shift, known to the code
FactorFinish    a factor for each channel, which lies in memory behind its bias: its record
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from mcusim.kernels.assembly import Assembly, at, constant, imm
from mcusim.kernels.calls import finish_fields
from mcusim.kernels.once import once_by_weights
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.affine import Affine, Multiplied
from mcusim.numbers.factors import MULTIPLIER_BITS, Factors, high_product
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import Activation, storage_fields
from mcusim.numbers.power_of_two import Shift
from mcusim.system.arrays import Array

MOST_SHIFT = 31
FACTOR = ("multiplier", "addend", "shift")
LEFT_AT, SIGN_AT = 8, 16  # bits of the shift of a record: how far a sum goes to the left, and its sign to the right
MOST_SUM = MOST_ADDEND = 1 << 30  # a sum is doubled, and a product with its addend has 31 bits
CLAMP_CYCLES = 3  # CMP, IT, MOV

Limits = tuple[int | None, int | None]  # of outputs, where they are not those of the saturation


@dataclass(frozen=True)
class Finish:
    """A shift to the right, and limits that SSAT or USAT know. `fields` are those of NN_FINISH.

    `saturate`: `ssat` or `usat`, to `bits`. `ceiling`: of an activation, below what saturation leaves.
    `room`: what a sum may be raised by before 32 bits are too few. `store_bytes`: of an output.
    `unit_bits`: of its numbers.
    """

    shift: int
    saturate: str
    bits: int
    ceiling: int | None
    room: int
    store_bytes: int
    unit_bits: int
    fields: dict[str, Any] = field(hash=False)

    record_words = 1  # of a channel: its bias
    doubled = False

    @property
    def key(self) -> str:
        """What two layers that share a routine have in common, as a part of its name."""
        return f"{self.compact_key}_s{self.shift}"

    @property
    def compact_key(self) -> str:
        """Likewise, where the shift is in a register."""
        ceiling = "" if self.ceiling is None else f"_{'r' if self.raised else 'c'}{self.ceiling}"
        return f"int{self.unit_bits}_{self.saturate}{self.bits}{ceiling}"

    @property
    def raised(self) -> int:
        """What a sum begins with besides its bias, so that the ceiling is where saturation ends: 0 for nothing.

        One more instruction takes it away again, and what is below 0 with it.
        """
        more = 0 if self.ceiling is None else ((1 << self.bits) - 1 - self.ceiling) << self.shift
        return more if more <= self.room else 0

    def saturated(
        self,
        a: Assembly,
        sums: Sequence[str],
        spare: str,
        *,
        more: int = 0,
        shift: str | None = None,
        raised: bool = False,
    ) -> None:
        """Sums in registers -> numbers as they are stored. `spare` is lost.

        `more`: bits to shift besides. `shift`: the register that holds all of them, where the code does not know them.
        `raised`: did the sums begin with `raised`?
        """
        known = self.shift + more
        for name in sums:
            if shift is not None:
                a("asr", name, name, shift)
            a(self.saturate, name, imm(self.bits), name, *([f"asr #{known}"] if known and shift is None else []))
        if self.ceiling is None:
            return
        if raised and self.raised:
            a("movw", spare, imm(self.raised >> self.shift))
            for name in sums:
                a("uqsub16", name, name, spare)
            return
        a("movw", spare, imm(self.ceiling))  # ceiling - (what is missing to it, if anything)
        for name in sums:
            a("uqsub16", name, spare, name)
        for name in sums:
            a("sub", name, spare, name)

    def store(self, a: Assembly, name: str, base: str, offset: int = 0) -> None:
        a("strb" if self.store_bytes == 1 else "strh", name, at(base, offset))


@dataclass(frozen=True)
class FactorFinish:
    """Sums are rounded twice, as nn_scaled does it, in five instructions; four where nothing is below its zero.

    `single`: they are rounded once, in four: of the product 32 bits are cut off, and the shift rounds.

    A record is the bias and what FACTOR names. `limits`: of outputs, where they are not those of the saturation.
    `above_zero`: is the least output that for 0, or is no sum shifted to the right? Then its sign is no matter.
    `doubled`: are sums twice as large? That is what the product takes, and saves an instruction where weights are
    doubled on their way into RAM. `left`: are there factors of 1 and more, whose sums are shifted to the left?
    `mixed`: do signs matter of some channels, but not of those with factors of 1/2 and more?
    `raw`: does the product take sums as they are?
    """

    saturate: str
    bits: int
    limits: Limits
    above_zero: bool
    store_bytes: int
    unit_bits: int
    fields: dict[str, Any] = field(hash=False)
    doubled: bool = False
    left: bool = False
    mixed: bool = False
    single: bool = False
    raw: bool = False

    record_words = 1 + len(FACTOR)
    ceiling = None
    raised = 0

    @property
    def key(self) -> str:
        """As of Finish."""
        limits = "".join(
            f"_{name}{abs(one)}" for name, one in zip(self._names, self.limits, strict=True) if one is not None
        )
        signs = "_once" if self.single else "" if self.above_zero else "_some_signs" if self.mixed else "_signs"
        signs += "_raw" * self.raw
        signs += "_left" * self.left
        return f"int{self.unit_bits}_{self.saturate}{self.bits}_factors{signs}{limits}" + "_doubled" * self.doubled

    compact_key = key  # no code knows a factor

    @property
    def _names(self) -> tuple[str, str]:
        low, high = self.limits
        return "fn" if low and low < 0 else "f", "cn" if high and high < 0 else "c"

    @property
    def cycles(self) -> int:
        """Of a sum."""
        return self._instructions + sum(CLAMP_CYCLES for limit in self.limits if limit is not None)

    @property
    def code_bytes(self) -> int:
        """Of a sum."""
        return 4 * self._instructions + 10 * sum(one is not None for one in self.limits)

    @property
    def _instructions(self) -> int:
        """Without those of limits."""
        signs = 0 if self.above_zero else 3 + self.left if self.mixed else 1
        return 3 + (not self.doubled and not self.raw) + signs

    @property
    def factor(self) -> tuple[str, ...]:
        """What it needs of a record, behind the bias."""
        return FACTOR

    def load(self, a: Assembly, registers: Sequence[str], base: str, offset: int) -> None:
        """What `factor` names, of a record whose multiplier is at `offset`: LDR pair with those around them."""
        for index, register in enumerate(registers[: len(self.factor)]):
            a("ldr", register, at(base, offset + 4 * index))

    def scaled(
        self, a: Assembly, sums: Sequence[str], factor: Sequence[str], spare: str, *, more: int | None = None
    ) -> None:
        """Sums of a channel in registers -> numbers as they are stored. `factor`: as loaded. `spare` is lost.

        `more`: as which power of two sums come, all their bits right; that of `doubled` where nothing is said.
        """
        multiplier, addend, shift = factor
        bits = self.doubled if more is None else more
        if self.left and self.above_zero:
            a("lsr", spare, shift, imm(LEFT_AT))
        for name in sums:
            if not self.above_zero and not self.mixed:
                a("add", spare, addend, name, "asr #31")
            if self.left:
                self._go_left(a, name, shift, spare, bits)
            elif bits != (taken := 1 - self.raw):
                a("lsl" if bits < taken else "asr", name, name, imm(abs(bits - taken)))
            if self.mixed:
                a("lsr", spare, shift, imm(SIGN_AT))
                a("lsr", spare, name, spare)
                a("sub", spare, addend, spare)
            a(self.product, name, name, multiplier, addend if self.above_zero else spare)
        self.shifted(a, sums, shift, spare)

    @property
    def product(self) -> str:
        """Its instruction."""
        return "smmla" if self.single else "smmlar"

    def _go_left(self, a: Assembly, name: str, shift: str, spare: str, bits: int) -> None:
        """So far as the record says. `bits`: as of `scaled`. Without signs `spare` knows it already."""
        if bits:
            a("asr", name, name, imm(bits))
        if not self.above_zero:
            a("lsr", spare, shift, imm(LEFT_AT))
        a("lsl", name, name, spare)

    def shifted(self, a: Assembly, sums: Sequence[str], shift: str, spare: str = "") -> None:
        """The end of `scaled`, behind the product. `shift`: a register. `spare`: as of `limit`."""
        for name in sums:
            a("asr", name, name, shift)
            a(self.saturate, name, imm(self.bits), name)
        self.limit(a, sums, spare)

    def limit(self, a: Assembly, sums: Sequence[str], spare: str = "") -> None:
        """To `limits`. `spare`: a register for one, if it `has_wide_limits`."""
        for limit, condition in zip(self.limits, ("lt", "gt"), strict=True):
            if limit is None:
                continue
            known = spare if self.has_wide_limits else imm(limit)
            if self.has_wide_limits:
                constant(a, spare, limit)
            for name in sums:
                a("cmp", name, known)
                a("it", condition)
                a(f"mov{condition}", name, known)

    @property
    def has_wide_limits(self) -> bool:
        """That no instruction has in itself."""
        return self.bits > 8 and self.limits != (None, None)

    @property
    def is_special(self) -> bool:
        """Does it take more registers than others do?"""
        return self.left or self.mixed or self.has_wide_limits

    def store(self, a: Assembly, name: str, base: str, offset: int = 0) -> None:
        a("strb" if self.store_bytes == 1 else "strh", name, at(base, offset))


Ending = Finish | FactorFinish


def known_ending(ending: Ending | None) -> Ending:
    """Of a layer that has one, as `fits` has seen."""
    assert ending is not None
    return ending


@once_by_weights
def ending_of(layer: WeightedSum, *, doubled: bool = False) -> Ending | None:
    """None for a layer whose numbers end in another way.

    `doubled`: would the sums of affine numbers come so, where they are not shifted to the left anyway, and weights are
    bytes?
    """
    found = _factor_finish(layer) if isinstance(layer.rescale, Multiplied) else finish_of(layer)
    if not doubled or not isinstance(found, FactorFinish) or found.left or found.raw or layer.weight_bytes > 1:
        return found
    return replace(found, doubled=True, fields={**found.fields, "doubled": 1})


def records(layer: WeightedSum, ending: Ending) -> Array:
    """(channels,) biases, or (channels, record_words): what is behind them in the record, as 32 bits."""
    if isinstance(ending, Finish):
        return layer.bias
    assert isinstance(layer.rescale, Multiplied)
    scale = _scale(layer.rescale, layer.peak_sum, raw=ending.raw)
    shifts = scale.right
    if ending.left or ending.mixed or ending.single:
        shifts = shifts | scale.left + (not ending.raw) << LEFT_AT | np.where(shifts > 0, 31, 32) << SIGN_AT
    columns = (layer.bias << ending.doubled, scale.multipliers, scale.addends, shifts)
    return np.stack(np.broadcast_arrays(*columns), axis=-1).astype(np.int32)


def less_zero(layer: WeightedSum) -> WeightedSum:
    """For a kernel that takes the zero off its inputs: its bias does not do so any more."""
    if not layer.zero:
        return layer
    taken = layer.zero * layer.kernel.reshape(len(layer.kernel), -1).sum(axis=1, dtype=np.int64)
    return replace(layer, bias=layer.bias + taken)


class Scale(NamedTuple):
    """Of each channel, or of all. `right`: bits behind the product. `left`: before it, besides the doubling."""

    multipliers: Array
    addends: Array
    right: Array
    left: Array


def _scale(rescale: Multiplied, peak_sum: int, *, raw: bool = False) -> Scale:
    """Of products that are less than half of what a shift takes away nothing is left: a small shift does that as well,
    and leaves room for the addend. Rounded once there is always one, so sums go further to the left.
    """
    single = rescale.factors.is_once
    multipliers, shifts = _normal(rescale.factors) if single else (rescale.factors.multipliers, -rescale.factors.shifts)
    nothing = (shifts > 0) & (1 << np.maximum(shifts - 1, 0) > high_product(np.array(peak_sum), multipliers))
    shifts, multipliers = np.where(nothing, 1 + raw, shifts), np.where(nothing, 1, multipliers)
    right = np.where(shifts > 0, shifts - raw, int(single))
    left = np.where(shifts > 0, 0, single - shifts)
    return Scale(multipliers, (1 << right >> 1) + (rescale.numbers.zero << right), right, left)


def _normal(factors: Factors) -> tuple[Array, Array]:
    """What is rounded once -> multipliers of 31 bits, and shifts behind products of doubled sums with 32 bits less."""
    spare = MULTIPLIER_BITS - np.frexp(factors.multipliers)[1]
    return factors.multipliers << spare, factors.shifts + spare - MULTIPLIER_BITS


def _factor_finish(layer: WeightedSum) -> FactorFinish | None:
    """None where a factor, or the output, needs what the five instructions do not know."""
    rescale, numbers, own = layer.rescale, layer.numbers, layer.arithmetic
    if not isinstance(rescale, Multiplied) or not isinstance(numbers, Affine) or own is None:
        return None
    if not rescale.factors.multipliers.size or numbers.bits != own.bits or own.bits not in (8, 16):
        return None
    single, scale = rescale.factors.is_once, _scale(rescale, layer.peak_sum, raw=True)
    raw = bool(single and own.bits > 8 and scale.right.min() > 0 and not scale.left.any())
    scale = scale if raw else _scale(rescale, layer.peak_sum)
    if layer.peak_sum << int(scale.left.max()) >= MOST_SUM << raw or np.abs(scale.addends).max() >= MOST_ADDEND:
        return None
    limits = limits_of(layer.activation, numbers)
    above_zero = is_above_zero(limits, numbers)
    fields = {**_limit_fields(limits, numbers), **storage_fields(numbers), **({"single": 1} if single else {})}
    saturate, bits = "ssat" if numbers.signed else "usat", numbers.bits
    if limits == (0, None):
        saturate, bits, limits = "usat", bits - 1, (None, None)
    large = scale.left + (scale.right == 0) > 0
    no_sign = single or above_zero or bool(large.all())
    forms = {"left": bool(scale.left.any()), "mixed": not no_sign and bool(large.any()), "single": single, "raw": raw}
    return FactorFinish(saturate, bits, limits, no_sign, numbers.dtype.itemsize, own.bits, fields, **forms)


def limits_of(activation: Activation, numbers: Affine) -> Limits:
    low, high = (int(one) for one in activation.limit(np.array([-(2**31), 2**31 - 1]), numbers))
    return low if low > numbers.minimum else None, high if high < numbers.maximum else None


def is_above_zero(limits: Limits, numbers: Affine) -> bool:
    """Is the least output that for 0?"""
    return (numbers.minimum if limits[0] is None else limits[0]) == numbers.zero


def _limit_fields(limits: Limits, numbers: Affine) -> dict[str, Any]:
    """Of NN_LIMIT, the same for all layers that end in the same code."""
    low, high = limits
    if limits == (None, None):
        return {"activation": "NN_LINEAR"}
    own = {"floor": numbers.minimum if low is None else low}
    return {"activation": "NN_RELU_CEILING", "ceiling": numbers.maximum if high is None else high, **own}


def finish_of(layer: WeightedSum) -> Finish | None:
    """None for a layer whose numbers end in another way."""
    if not isinstance(layer.rescale, Shift) or layer.numbers is None or layer.arithmetic is None:
        return None
    if not 0 <= layer.rescale.shift <= MOST_SHIFT:
        return None
    numbers, fields = layer.numbers, finish_fields(layer)
    no_sign = numbers.minimum == 0 or layer.activation.relu
    bits = numbers.maximum.bit_length() if no_sign else numbers.bits
    ceiling = fields.get("ceiling")
    ceiling = ceiling if ceiling is not None and ceiling < numbers.maximum else None
    how, size = "usat" if no_sign else "ssat", numbers.dtype.itemsize
    room = ACCUMULATOR_LIMIT - layer.peak_sum
    return Finish(layer.rescale.shift, how, bits, ceiling, room, size, layer.arithmetic.bits, fields)
