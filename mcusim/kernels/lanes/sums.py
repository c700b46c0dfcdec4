"""Sums of two arrays in as many lanes as a word has: shifts are halvings, and what has no room saturates exactly.

(x + y * 2^k + r) >> s, rounded down, is y + ((x + r) >> s) for k = s, and a mean of y and x >> k, halved further, for
k < s: nothing on the way has more bits than a number, and floor(floor(n / 2) / 2) is floor(n / 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.calls import reading
from mcusim.kernels.kernel import Inputs, known
from mcusim.kernels.lanes.streams import Limited
from mcusim.kernels.lanes.words import FAR, SPARE, Words, words_of_layer
from mcusim.layers.add import Add
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.numbers.power_of_two import ShiftedAddition

# How both meet: in lanes that saturate as the output does; in halves of their sum; as a difference of numbers with no
# sign, which cannot be below 0; and where one alone has a sign, either way.
Ending = Literal["saturated", "halved", "difference", "mixed", "mixed halves"]
SIGNS = 0x80808080  # of bytes


@dataclass(frozen=True)
class Summing(Limited):
    """(x + y * 2^`scale`) >> `shift`. `limits`: of the sums. `coarse`: the input that is y."""

    limits: Words
    ending: Ending
    x_unsigned: bool
    y_unsigned: bool
    scale: int
    shift: int
    nearest: bool
    coarse: int
    fields: tuple[tuple[str, Any], ...]

    twin_kernel = "sum_of_two"

    @property
    def key(self) -> str:
        if self.limits.real:
            return f"sum_{self.limits.key}"
        signs = "".join("u" if unsigned else "s" for unsigned in (self.x_unsigned, self.y_unsigned))
        how = f"{self.ending.replace(' ', '_')}_{self.scale}_{self.shift}{'n' if self.nearest else ''}"
        storage = "_to_unsigned" if ("storage", "NN_UNSIGNED") in self.fields else ""
        return f"sum_{signs}_{how}_{self.limits.key}{storage}"

    @property
    def summary(self) -> Sequence[str]:
        if self.limits.real:
            return ("x + y, limited.",)
        half = f" + {1 << self.shift - 1}" if self.nearest else ""
        return (
            f"(x + y * 2^{self.scale}{half}) >> {self.shift}, limited: {self.ending}.",
            "",
            "No step needs more bits than a number has: x is shifted before y comes, by halving, which rounds down,",
            "and floor(floor(n / 2) / 2) is floor(n / 4). Only the last step saturates.",
        )

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        if self.limits.real:
            for one, other in zip(x, y, strict=True):
                a("vadd.f32", one, one, other)
        elif self.scale == self.shift:
            self._halve(a, x, self.x_unsigned, self.shift, self.nearest << self.shift >> 1)
            self._meet(a, x, y)
        else:
            self._halve(a, x, self.x_unsigned, self.scale, 0)
            self._meet_halved(a, x, y)
        self.limits.limit(a, x, y[0])

    @property
    def _bits(self) -> int:
        return 8 * self.limits.number_bytes

    def _halve(self, a: Assembly, names: Sequence[str], unsigned: bool, times: int, more: int) -> None:
        """`more` is added before."""
        for time in range(times):
            if time < 2:
                constant(a, FAR, 0 if time else more * (0x01010101 if self._bits == 8 else 0x00010001))
            for name in names:
                a(f"{'u' if unsigned else 's'}hadd{self._bits}", name, name, FAR)

    def _meet(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        if self.ending == "difference":  # x + 128, less 127 - y, less 1
            constant(a, FAR, SIGNS >> 7)
        elif self.ending == "mixed":
            a("mov", FAR, imm(0))
        for one, other in zip(x, y, strict=True):
            if self.ending == "saturated":
                a(f"{'u' if self.x_unsigned else ''}qadd{self._bits}", one, one, other)
            elif self.ending == "difference":
                a("eor", one, one, imm(SIGNS))
                a("eor", other, other, imm(SIGNS ^ 0xFFFFFFFF))
                a("uqsub8", one, one, other)
                a("uqsub8", one, one, FAR)
            else:
                _add_signed(a, one, *((one, other) if self.x_unsigned else (other, one)))

    def _meet_halved(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        """x + y + 1 is x less the complement of y. Numbers with a sign are raised by 128 where the other has none."""
        times, unsigned = self.shift - self.scale, self.x_unsigned or self.y_unsigned
        near = self.nearest and times == 1
        for one, other in zip(x, y, strict=True):
            if self.x_unsigned != self.y_unsigned:
                signed = other if self.x_unsigned else one
                a("eor", signed, signed, imm(SIGNS))
            if near:
                a("mvn", other, other)
            a(f"{'u' if unsigned else 's'}h{'sub' if near else 'add'}{self._bits}", one, one, other)
            if near and unsigned:
                a("eor", one, one, imm(SIGNS))
        self._halve(a, x, unsigned, times - 1, self.nearest << times >> 2)
        if self.ending == "mixed halves":  # what was raised is below 0 again
            constant(a, FAR, (128 >> times) * (SIGNS >> 7))
            for one in x:
                a("uqsub8", one, one, FAR)


def _add_signed(a: Assembly, to: str, unsigned: str, signed: str) -> None:
    """What is not negative is added, and what is negative subtracted: one of them is 0. FAR is 0."""
    a("ssub8", SPARE, signed, FAR)
    a("sel", SPARE, signed, FAR)
    a("usub8", signed, SPARE, signed)
    a("uqadd8", SPARE, unsigned, SPARE)
    a("uqsub8", to, SPARE, signed)


def summing_of(layer: Add, inputs: Inputs) -> Summing | None:
    """None where no lane has room."""
    if len(inputs) != 2:
        return None
    if layer.addition is None:
        limits = words_of_layer(layer, inputs)
        fields = layer.activation.fields(None)
        return Summing(limits, "saturated", False, False, 0, 0, False, 1, tuple(fields.items()))
    addition, most = layer.addition, 7 if layer.dtype.itemsize == 1 else 15
    if not isinstance(addition, ShiftedAddition) or min(addition.shifts) != 0:
        return None
    coarse, scale, shift = int(addition.shifts[1] >= addition.shifts[0]), max(addition.shifts), addition.rescale.shift
    if scale > shift or shift > most or addition.rounding not in (0, 1 << shift >> 1):
        return None
    x, y = inputs[1 - coarse], inputs[coarse]
    signs = (bool(reading(x)), bool(reading(y)))
    found = _ending(layer, (x, y), signs, scale == shift)
    if found is None:
        return None
    positive, limited = found[1].unsigned or found[1].activation.relu, found[1].ceiling is not None
    own = addition.fields(layer.activation if limited else RELU if positive else LINEAR)  # equal ones look alike
    own |= {"shifts": (0, scale)} if scale else {}
    own |= {"unsigned_inputs": signs[0] + 2 * signs[1]} if any(signs) else {}
    return Summing(found[1], found[0], *signs, scale, shift, addition.rounding > 0, coarse, tuple(own.items()))


def _ending(layer: Add, inputs: Inputs, signs: tuple[bool, bool], whole: bool) -> tuple[Ending, Words] | None:
    """How numbers meet, and the limits of their sum. `whole`: no shift is left then."""
    numbers, activation = known(layer.numbers), layer.activation
    bits = 8 * layer.dtype.itemsize
    unsigned = numbers.minimum == 0
    if any(entry.numbers is None or entry.numbers.bits != numbers.bits for entry in inputs):
        return None
    if whole and numbers.bits != bits:
        return None
    positive = unsigned or activation.relu
    if signs[0] != signs[1]:
        if not positive or numbers.bits != bits:
            return None
        return ("mixed" if whole else "mixed halves"), _limits(layer, bits, True, LINEAR)
    if signs[0] and not unsigned:
        return None
    if whole and unsigned and not signs[0]:
        return "difference", _limits(layer, bits, True, LINEAR)
    own = RELU if positive and not signs[0] else LINEAR
    return ("saturated" if whole else "halved"), _limits(layer, bits, signs[0], own)


def _limits(layer: Add, bits: int, unsigned: bool, own: Activation) -> Words:
    """Of lanes that are `unsigned` or not: none is above the output's numbers, or the activation's ceiling."""
    numbers, fields = known(layer.numbers), layer.activation.fields(layer.numbers)
    most = (1 << bits) - 1 if unsigned else (1 << bits - 1) - 1
    ceiling = min(fields.get("ceiling", numbers.maximum), numbers.maximum)
    if ceiling >= most:
        return Words(bits, unsigned, own, None)
    return Words(bits, unsigned, RELU, ceiling) if unsigned or own.relu else Words(bits, unsigned, own, None)
