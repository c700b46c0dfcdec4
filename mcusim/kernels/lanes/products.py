"""Products of two arrays, number by number: two products of 16 bits, or four of 8, from words of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.calls import Fields
from mcusim.kernels.kernel import Inputs, known
from mcusim.kernels.lanes.combined import Rows, combined, combined_cycles, rows_of, why_no_rows
from mcusim.kernels.lanes.scaled_merges import ScaledMultiplying, multiplying_of
from mcusim.kernels.lanes.streams import ALONE, LAYER, Limited, stream
from mcusim.kernels.lanes.words import FAR, FEW_WORDS, SPARE, Words, fetched, packed, unaligned, words_of_layer
from mcusim.kernels.memory import Memory
from mcusim.layers import Add, Multiply
from mcusim.numbers.affine import ScaledProduct
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import LINEAR, RELU
from mcusim.numbers.power_of_two import ShiftedProduct
from mcusim.program import KernelCall, LayerCode

ROUNDING, ODD_X, ODD_Y = "r6", "r10", "r11"
MOST_SHIFT = 31  # of a saturation
# Fitted: cycles of a row in C, and of a number that its words leave over
ROW, REAL_ROW, LIMITED_ROW, LEFT = 8.0, 10.0, 2.0, 11.5
SHORTEST_ROW = 16  # bytes: below, calls cost more than they save


@dataclass(frozen=True)
class Multiplying(Limited):
    """(x * y + `rounding`) >> `shift`, saturated to `bits`, `positive` ones not below 0; `limits` come after."""

    limits: Words
    bits: int
    positive: bool
    shift: int
    rounding: int
    fields: tuple[tuple[str, Any], ...]

    twin_kernel = "product_words"

    @property
    def key(self) -> str:
        if self.limits.real:
            return f"product_{self.limits.key}"
        return f"product_{'u' * self.positive}{self.bits}_{self.shift}_{self.rounding}_{self.limits.key}"

    @property
    def summary(self) -> Sequence[str]:
        if self.limits.real:
            return ("x * y, limited.",)
        return (f"(x * y + {self.rounding}) >> {self.shift}, limited. Products have 32 bits.",)

    def prepare(self, a: Assembly) -> None:
        if self.rounding:
            constant(a, ROUNDING, self.rounding)

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        for one, other in zip(x, y, strict=True):
            if self.limits.real:
                a("vmul.f32", one, one, other)
            elif self.limits.number_bytes == 1:
                self._bytes(a, one, other)
            else:
                self._halves(a, one, other, FAR)
        self.limits.limit(a, x, y[0])

    def _bytes(self, a: Assembly, x: str, y: str) -> None:
        for odd, word in ((ODD_X, x), (ODD_Y, y)):
            a("sxtb16", odd, word, "ror #8")
            a("sxtb16", word, word)
        for to, (one, other), high in (
            (FAR, (x, y), 0),
            (x, (x, y), 1),
            (SPARE, (ODD_X, ODD_Y), 0),
            (y, (ODD_X, ODD_Y), 1),
        ):
            self._product(a, to, one, other, high)
        for number in (FAR, x, SPARE, y):
            self._saturate(a, number)
        packed(a, x, FAR, SPARE, x, y)

    def _halves(self, a: Assembly, x: str, y: str, low: str) -> None:
        self._product(a, low, x, y, 0)
        self._product(a, x, x, y, 1)
        self._saturate(a, low)
        self._saturate(a, x)
        a("pkhbt", x, low, x, "lsl #16")

    def _product(self, a: Assembly, to: str, x: str, y: str, high: int) -> None:
        halves = "tt" if high else "bb"
        if self.rounding:
            a(f"smla{halves}", to, x, y, ROUNDING)
        else:
            a(f"smul{halves}", to, x, y)

    def _saturate(self, a: Assembly, number: str) -> None:
        shift = [f"asr #{self.shift}"] * (self.shift > 0)
        a("usat" if self.positive else "ssat", number, imm(self.bits), number, *shift)


def why_not(layer: Multiply, inputs: Inputs) -> str | None:
    over, product = rows_of(layer), layer.product
    if isinstance(product, ScaledProduct):
        why = why_no_rows(over)
        return why or (None if _scaled(layer, inputs) else "its factor is below 1, of numbers of 8 bits")
    if over is None:
        return "it repeats one input in each row of channels, and in no other way"
    if over.rows > 1 and over.numbers * layer.dtype.itemsize < SHORTEST_ROW:
        return f"its rows have {SHORTEST_ROW} bytes"
    if product is None:
        return None
    if not isinstance(product, ShiftedProduct) or not 0 <= product.rescale.shift <= MOST_SHIFT:
        return "it is for scales of powers of two"
    return "its products have 32 bits" if product.accumulator_peak > ACCUMULATOR_LIMIT else None


def _scaled(layer: Multiply, inputs: Inputs) -> tuple[ScaledMultiplying, Rows] | None:
    """Of affine numbers."""
    over = rows_of(layer)
    made = None if over is None else multiplying_of(layer, inputs, over.repeated)
    return None if made is None or over is None else (made, over)


def cost(layer: Multiply, inputs: Inputs, memory: Memory) -> float:
    if (scaled := _scaled(layer, inputs)) is not None:
        return combined_cycles(*scaled, memory)
    over = known(rows_of(layer))
    made, size = stream(_multiplying(layer, inputs)), layer.dtype.itemsize
    rows, numbers = over.rows, over.numbers
    words, rest = divmod(numbers * size, 4)
    around = REAL_ROW + LIMITED_ROW * layer.activation.relu if layer.numbers is None else ROW
    row = around * (rows > 1) + rest // size * (LEFT if rows > 1 else ALONE) + (made.cycles(words) if words else 0)
    return LAYER + rows * (row + words * unaligned(numbers * size) * (rows > 1)) + fetched((made.routine,), memory)


def multiply(layer: Multiply, inputs: Inputs) -> LayerCode:
    if (scaled := _scaled(layer, inputs)) is not None:
        return combined(*scaled)
    over = known(rows_of(layer))
    work = _multiplying(layer, inputs)
    routine = stream(work).routine
    fields: Fields = {"rows": over.rows, "numbers": over.numbers, **({"y": over.y} if over.y else {})}
    call = KernelCall("multiply_lanes", ("inputs", "output"), {**fields, "product": routine.name, **dict(work.fields)})
    return LayerCode((call,), routines=(routine,))


def _multiplying(layer: Multiply, inputs: Inputs) -> Multiplying:
    if layer.product is None:
        fields = layer.activation.fields(None)
        return Multiplying(words_of_layer(layer, inputs), 0, False, 0, 0, tuple(fields.items()))
    assert isinstance(layer.product, ShiftedProduct)
    words, bits, positive = saturated(layer)
    words, shift = replace(words, several=FEW_WORDS // 2), layer.product.rescale.shift
    fields = layer.product.fields(layer.activation)
    return Multiplying(words, bits, positive, shift, layer.product.rounding, tuple(fields.items()))


def saturated(layer: Multiply | Add) -> tuple[Words, int, bool]:
    """How a shifted sum or product is limited: its words, and the bits of a saturation, with a sign or without."""
    numbers, limits = known(layer.numbers), layer.activation.fields(layer.numbers)
    ceiling, positive = limits.get("ceiling", numbers.maximum), numbers.minimum == 0 or layer.activation.relu
    limited = positive and ceiling < numbers.maximum
    words = Words(8 * layer.dtype.itemsize, limited, RELU if limited else LINEAR, ceiling if limited else None)
    return words, numbers.maximum.bit_length() + (not positive), positive
