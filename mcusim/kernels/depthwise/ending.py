"""How the sums of a channel become outputs where each channel has a factor: from its record to the stores.

Sums take what registers they can get, so a factor stays where a register is left, and else comes from the frame into
registers whose inputs or weights are not needed any more.
"""

from collections.abc import Sequence

from mcusim.kernels.assembly import at, imm
from mcusim.kernels.depthwise.frame import BIAS, BIASES, FACTOR_AT, FRAME, Frame
from mcusim.kernels.depthwise.part import IntegerLoads, Part
from mcusim.kernels.finish import FACTOR, FactorFinish, Finish
from mcusim.kernels.straight import StraightFinish

MULTIPLIER, ADDEND, SHIFT = FACTOR
PLACES = {name: FACTOR_AT + 4 * index for index, name in enumerate(FACTOR)}  # in the frame


class IntegerEnds(IntegerLoads, Frame[Part]):
    """And how its sums end. `kept`: of FACTOR what stays in registers, by name."""

    part: Part
    kept: dict[str, str]
    bias: str

    @property
    def frame(self) -> int:
        """Of the stack, with the factor at its end: a multiple of 8 with what is pushed."""
        return FRAME if isinstance(self.part.finish, Finish) else FRAME + 8

    def keep_factor(self) -> None:
        """As far as there are registers."""
        self.kept = {}
        for name in self.names:
            if register := self.take_if_free(name, "of the channel"):
                self.kept[name] = register

    @property
    def names(self) -> tuple[str, ...]:
        """What of a record ends sums."""
        finish = self.part.finish
        return () if isinstance(finish, Finish) else finish.factor

    @property
    def lost(self) -> int:
        """Registers that are lost where sums end."""
        finish = self.part.finish
        if isinstance(finish, Finish):
            return int(finish.ceiling is not None)
        first = sum(name not in self.kept for name in finish.factor[:2])
        return max(first + (not finish.above_zero), int(SHIFT in self.names and SHIFT not in self.kept))

    def load_channel_into(self, weights: list[str], spare: str, sums: Sequence[str], xs: Sequence[str]) -> None:
        """`weights`: those that stay in registers. A bias that does not stay is lost, but in the frame."""
        bias, free = (self.bias, [*sums, *xs]) if self.bias else (sums[0], [*sums[1:], *xs])
        if weights:
            self.load_weights(weights, spare)
        self.load_record(spare, bias, free)

    def load_record(self, spare: str, bias: str, free: Sequence[str]) -> None:
        """Of this channel: its bias into a register and the frame, and its factor. `free`: registers on its way."""
        finish = self.part.finish
        if isinstance(finish, Finish):
            self.load_bias(spare, bias)
            return
        a = self.a
        a("ldr", spare, at("sp", BIASES))
        for name, register in self.kept.items():
            a("ldr", register, at(spare, self._in_record(name)))
        moved, free = [name for name in self.names if name not in self.kept], (*free, bias)
        for first in range(0, len(moved), len(free)):
            some = dict(zip(moved[first:], free, strict=False))
            for name, register in some.items():
                a("ldr", register, at(spare, self._in_record(name)))
            for name, register in some.items():
                a("str", register, at("sp", PLACES[name]))
        a("ldr", bias, f"[{spare}]", imm(4 * finish.record_words))
        a("str", spare, at("sp", BIASES))
        a("str", bias, at("sp", BIAS))

    @staticmethod
    def _in_record(name: str) -> int:
        return 4 + 4 * FACTOR.index(name)

    def saturate(self, sums: Sequence[str], free: Sequence[str]) -> None:
        """Sums of the channel -> numbers as they are stored. `free`: registers that may be lost, `lost` at least."""
        finish = self.part.finish
        if isinstance(finish, Finish):
            finish.saturated(self.a, sums, free[0])
            return
        self._scale(finish, sums, list(free))

    def _scale(self, finish: FactorFinish, sums: Sequence[str], free: list[str]) -> None:
        """The shift comes into a register that the product has left, where no other is free."""
        a, factor = self.a, dict(self.kept)
        for name in finish.factor[:2]:
            if name not in factor:
                factor[name] = free.pop(0)
        spare = "" if finish.above_zero or not free else free.pop(0)
        if SHIFT in self.names and SHIFT not in factor and free:
            factor[SHIFT] = free.pop(0)
        self._from_frame(factor)
        if isinstance(finish, StraightFinish):
            finish.scaled(a, sums, tuple(factor[name] for name in finish.factor))
            return
        for index, name in enumerate(sums):
            addend = factor[ADDEND]
            if not finish.above_zero:
                if index and not spare:
                    self._from_frame({ADDEND: addend})
                a("add", spare or addend, addend, name, "asr #31")
            if not finish.doubled and not finish.raw:
                a("lsl", name, name, imm(1))
            a(finish.product, name, name, factor[MULTIPLIER], addend if finish.above_zero else spare or addend)
        if SHIFT not in factor:
            factor[SHIFT] = spare or next(factor[name] for name in (ADDEND, MULTIPLIER) if name not in self.kept)
            self._from_frame({SHIFT: factor[SHIFT]})
        finish.shifted(a, sums, factor[SHIFT])

    def _from_frame(self, factor: dict[str, str]) -> None:
        for name, register in factor.items():
            if name not in self.kept:
                self.a("ldr", register, at("sp", PLACES[name]))
