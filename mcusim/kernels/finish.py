"""What ends sums in assembly: scale, activation, saturation, store. In C it is nn_finish and nn_store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcusim.kernels.assembly import Assembly, at, imm
from mcusim.kernels.calls import finish_fields
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.power_of_two import Shift

MOST_SHIFT = 31


@dataclass(frozen=True)
class Finish:
    """A shift to the right, and limits that SSAT or USAT know. `fields` are those of NN_FINISH.

    `saturate`: `ssat` or `usat`, to `bits`. `ceiling`: of an activation, below what saturation leaves.
    `room`: what a sum may be raised by before 32 bits are too few. `store_bytes`: of an output.
    `kernel_bits`: of the weights, as wide as the numbers of the unit.
    """

    shift: int
    saturate: str
    bits: int
    ceiling: int | None
    room: int
    store_bytes: int
    kernel_bits: int
    fields: dict[str, Any]

    @property
    def key(self) -> str:
        """What two layers that share a routine have in common, as a part of its name."""
        return f"{self.compact_key}_s{self.shift}"

    @property
    def compact_key(self) -> str:
        """Likewise, where the shift is in a register."""
        ceiling = "" if self.ceiling is None else f"_{'r' if self.raised else 'c'}{self.ceiling}"
        return f"int{self.kernel_bits}_{self.saturate}{self.bits}{ceiling}"

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


def finish_of(layer: WeightedSum) -> Finish | None:
    """None for a layer whose numbers end in another way."""
    if not isinstance(layer.rescale, Shift) or layer.numbers is None or layer.kernel_numbers is None:
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
    return Finish(layer.rescale.shift, how, bits, ceiling, room, size, layer.kernel_numbers.bits, fields)
