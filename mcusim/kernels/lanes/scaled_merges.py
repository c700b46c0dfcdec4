"""Products of two arrays of affine numbers: word by word, bit for bit."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mcusim.kernels.assembly import Assembly, constant, imm
from mcusim.kernels.calls import Fields, reading_all
from mcusim.kernels.finish import Limits, is_above_zero, limits_of
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.scaled_sums import MORE, limits_key
from mcusim.kernels.lanes.streams import Work
from mcusim.kernels.lanes.words import FAR, SPARE, Words, packed
from mcusim.layers.merge import Multiply
from mcusim.numbers.affine import ScaledProduct, as_affine
from mcusim.numbers.numbers import LINEAR

MULTIPLIER, ADDEND, X_ZERO, Y_ZERO, SIGNED_ADDEND = "r6", "r7", "r10", "r11", "r9"
MOST_SHIFT, MOST_ADDEND = 20, 1 << 30


@dataclass(frozen=True)
class ScaledMultiplying(Work):
    """(x - zero) * (y - zero) * multiplier / 2**(31 + shift), rounded twice: as FactorFinish does it."""

    zeros: tuple[int, int]
    multiplier: int
    shift: int
    zero: int
    unsigned_inputs: tuple[bool, bool]
    unsigned: bool
    above_zero: bool  # is the least output that for 0? Then the sign of a product is no matter
    limits: Limits
    fields: Fields = field(compare=False)

    twin_kernel = "product_words"

    @property
    def words(self) -> Words:
        return Words(8, self.unsigned, LINEAR, None, 1)

    @property
    def key(self) -> str:
        signs = "".join("u" if one else "s" for one in (*self.unsigned_inputs, self.unsigned))
        numbers = (*(zero % 256 for zero in self.zeros), self.multiplier, self.shift, self.zero % 256)
        told = "_".join(f"{number:x}" for number in numbers)
        return f"scaled_product_{signs}{'z' * self.above_zero}_{told}{limits_key(self.limits)}"

    @property
    def summary(self) -> Sequence[str]:
        (first, second), scale = self.zeros, f"{self.multiplier} / 2^31, / 2^{self.shift}"
        return (f"(x - {first}) * (y - {second}) * {scale}, + {self.zero}, limited; rounded twice.",)

    def prepare(self, a: Assembly) -> None:
        constant(a, MULTIPLIER, self.multiplier)
        constant(a, ADDEND, (1 << self.shift >> 1) + (self.zero << self.shift))
        for name, zero in zip((X_ZERO, Y_ZERO), self.zeros, strict=True):
            constant(a, name, -zero % 2**16 * 0x00010001)

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        (one,), (other,) = x, y
        for even, word, zero, unsigned in zip(
            (FAR, SPARE), (one, other), (X_ZERO, Y_ZERO), self.unsigned_inputs, strict=True
        ):
            widen = "uxtab16" if unsigned else "sxtab16"
            a(widen, even, zero, word)
            a(widen, word, zero, word, "ror #8")
        a("sadd16", SPARE, SPARE, SPARE)  # products come doubled
        a("sadd16", other, other, other)
        a("smulbb", MORE, FAR, SPARE)
        a("smultt", FAR, FAR, SPARE)
        a("smulbb", SPARE, one, other)
        a("smultt", one, one, other)
        for name in (MORE, FAR, SPARE, one):
            self._scale(a, name)
        packed(a, one, MORE, SPARE, FAR, one)
        self.words.keep_within(a, one, self.limits, other)

    def _scale(self, a: Assembly, name: str) -> None:
        signs = self.shift > 0 and not self.above_zero
        if signs:
            a("add", SIGNED_ADDEND, ADDEND, name, "asr #31")
        a("smmlar", name, name, MULTIPLIER, SIGNED_ADDEND if signs else ADDEND)
        shift = [f"asr #{self.shift}"] * (self.shift > 0)
        a("usat" if self.unsigned else "ssat", name, imm(8), name, *shift)


def multiplying_of(layer: Multiply, inputs: Inputs, repeated: int | None) -> ScaledMultiplying | None:
    """None for other than 8 bits, or factors from 1 on. `repeated`: the input that is y, where not the second."""
    product = layer.product
    if not isinstance(product, ScaledProduct):
        return None
    entries = [as_affine(entry.numbers) for entry in inputs if entry.numbers is not None]
    if any(one.bits != 8 for one in (*entries, product.numbers)):
        return None
    order = (1, 0) if repeated == 0 else (0, 1)
    factors, zero = product.rescale.factors, product.numbers.zero
    multiplier, shift = int(factors.multipliers[0]), -int(factors.shifts[0])
    if factors.is_once or not 0 <= shift <= MOST_SHIFT or abs(zero) << shift >= MOST_ADDEND:
        return None
    zeros = (product.zeros[order[0]], product.zeros[order[1]])
    own = {**product.fields(layer.activation), **({"zeros": zeros} if any(zeros) else {})}
    fields = {**reading_all(tuple(inputs[index] for index in order)), **own}
    limits = limits_of(layer.activation, product.numbers)
    signs = (not entries[order[0]].signed, not entries[order[1]].signed)
    unsigned = not product.numbers.signed
    return ScaledMultiplying(
        zeros, multiplier, shift, zero, signs, unsigned, is_above_zero(limits, product.numbers), limits, fields
    )
