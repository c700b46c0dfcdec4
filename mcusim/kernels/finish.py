"""What ends sums in assembly: scale, activation, saturation, store. In C it is nn_finish and nn_store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcusim.kernels.assembly import Assembly, at, imm
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.power_of_two import Shift

MOST_SHIFT = 31


@dataclass(frozen=True)
class Finish:
    """A shift to the right, and limits that SSAT or USAT know. `fields` are those of NN_FINISH.

    `saturate`: `ssat` or `usat`, to `bits`. `ceiling`: of an activation, below what saturation leaves.
    `store_bytes`: of an output.
    """

    shift: int
    saturate: str
    bits: int
    ceiling: int | None
    store_bytes: int
    fields: dict[str, Any]

    @property
    def key(self) -> str:
        """What two layers that share a routine have in common, as a part of its name."""
        return f"{self.compact_key}_s{self.shift}"

    @property
    def compact_key(self) -> str:
        """Likewise, where the shift is in a register."""
        return f"{self.saturate}{self.bits}{'' if self.ceiling is None else f'_c{self.ceiling}'}"

    def saturated(
        self, a: Assembly, sums: Sequence[str], spare: str, *, more: int = 0, shift: str | None = None
    ) -> None:
        """Sums in registers -> numbers as they are stored. `spare` is lost.

        `more`: bits to shift besides. `shift`: the register that holds all of them, where the code does not know them.
        """
        known = self.shift + more
        for name in sums:
            if shift is not None:
                a("asr", name, name, shift)
            a(self.saturate, name, imm(self.bits), name, *([f"asr #{known}"] if known and shift is None else []))
        if self.ceiling is not None:
            a("movw", spare, imm(self.ceiling))
            for name in sums:
                a("cmp", name, spare)
                a("it", "gt")
                a("movgt.w", name, spare)

    def store(self, a: Assembly, name: str, base: str, offset: int = 0) -> None:
        a("strb" if self.store_bytes == 1 else "strh", name, at(base, offset))


def finish_of(layer: WeightedSum) -> Finish | None:
    """None for a layer whose numbers end in another way."""
    if not isinstance(layer.rescale, Shift) or layer.numbers is None or layer.kernel_numbers is None:
        return None
    numbers, fields = layer.numbers, dict(layer.rescale.fields(layer.activation))
    if numbers.bits > layer.kernel_numbers.bits:
        fields["storage"] = "NN_WIDE"
    no_sign = numbers.minimum == 0 or layer.activation.relu
    bits = numbers.maximum.bit_length() if no_sign else numbers.bits
    ceiling = fields.get("ceiling")
    ceiling = ceiling if ceiling is not None and ceiling < numbers.maximum else None
    return Finish(layer.rescale.shift, "usat" if no_sign else "ssat", bits, ceiling, numbers.dtype.itemsize, fields)
