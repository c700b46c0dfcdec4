"""How several rows of weights lie in words, and what multiplies a word of them: the forms of dense layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcusim.kernels.assembly import Assembly, imm
from mcusim.kernels.finish import Finish
from mcusim.system.arrays import Array

HIGHEST_PAIRED = 2**23  # 256 x a sum has to fit in 32 bits


@dataclass(frozen=True)
class Form:
    """Rows that are multiplied at a time. Two of a layer's inputs lie in each word of `xs` registers.

    `span`: words of inputs that `weight_words` words of weights meet. `word_cycles`: of what `multiply` writes, a word
    of weights. `end_cycles`: of `end`, a row, but for what reads `totals`: words in front of the inputs that `settle`
    needs, of which the last is the sum of all products of two inputs that meet, the one before it 128 x the sum of all.
    """

    NAME: ClassVar[str]
    LAYOUT: ClassVar[tuple[str, ...]]
    PROOF: ClassVar[tuple[str, ...]]
    span: ClassVar[int] = 1
    weight_words: ClassVar[int] = 1
    word_cycles: ClassVar[float] = 1
    end_cycles: ClassVar[float] = 1
    spares: ClassVar[int] = 0
    sum_words: ClassVar[float] = 1  # registers of a row's sum
    totals: ClassVar[int] = 0
    rows_at_a_time: ClassVar[tuple[int, ...]] = (2, 3, 4, 5, 6)

    rows: int
    xs: int
    ws: int

    @property
    def twin(self) -> str:
        return f"rows_{self.NAME}"

    @property
    def fields(self) -> dict[str, int]:
        """Of the twin, besides its sizes."""
        return {}

    @property
    def units(self) -> int:
        """How often `weight_words` words of weights meet the same `span` words of inputs."""
        return self.rows

    @property
    def sums(self) -> list[str]:
        """Names of the registers that begin as a row's bias, in the order of the rows."""
        return [f"sum{row}" for row in range(self.rows)]

    def multiply(self, a: Assembly, unit: int, words: list[str], inputs: list[str]) -> None:
        """The products of `weight_words` words of weights, which are lost."""
        raise NotImplementedError

    def settle(self, a: Assembly, total: str) -> None:
        """What makes sums those of their rows, but for `raised_bits`."""

    @property
    def settled(self) -> list[str]:
        """Of `sums` those that hold one for each row then."""
        return self.sums

    @property
    def raised_bits(self) -> tuple[int, ...]:
        """As which power of two each row's sum is there then."""
        return (0,) * self.rows

    def end(self, a: Assembly, finish: Finish, total: str, spare: str) -> list[str]:
        """Sums become outputs; -> the register of each row's."""
        self.settle(a, total)
        finish.saturated(a, self.settled, spare)
        return self.settled

    def packed(self, rows: Array, bias: Array) -> Array:
        """Rows (blocks, rows, pairs, 2) and biases (blocks, rows) -> words (blocks, words) as they are read."""
        raise NotImplementedError


class Paired(Form):
    """Bytes of two rows side by side: half a word is 256 x a weight of the first row + one of the second.

    -128 beside a negative one has no room: for weights of which none is -128.
    """

    NAME = "paired"
    LAYOUT: ClassVar[tuple[str, ...]] = (
        "weights  blocks: the sums' first values, then for each two words of inputs two for each two rows: half of one",
        "         is 256 x a weight of the first row + one of the second",
    )
    PROOF: ClassVar[tuple[str, ...]] = (
        "A sum of halves is 256 x the first row's + the second's. The second alone, with lower bytes w, v of weights",
        "and inputs x, y: wx + vy is (w + y)(v + x) - wv - yx. All wv are in the sum's first value, all yx are summed",
        "in front of the inputs. What both differ by is 256 x the first row's, which 32 bits hold: mcusim knows from",
        "the weights that no row's sum reaches 2^23. On the way sums may wrap round.",
    )
    span = 2
    weight_words = 2
    word_cycles = 2.5
    end_cycles: ClassVar[float] = 2
    totals = 1
    rows_at_a_time: ClassVar[tuple[int, ...]] = (2, 4, 6, 8)
    extend: ClassVar[str] = "sxtab16"
    raised: ClassVar[int] = 0  # of the second row's weights

    @property
    def twin(self) -> str:
        return "rows_paired"

    @property
    def fields(self) -> dict[str, int]:
        return {"raised": 1} if self.raised else {}

    @property
    def units(self) -> int:
        return self.rows // 2

    def multiply(self, a: Assembly, unit: int, words: list[str], inputs: list[str]) -> None:
        first, second = self.sums[2 * unit : 2 * unit + 2]
        for word, input_ in zip(words, inputs, strict=True):
            a("smlad", first, word, input_, first)
        for word, input_ in zip(words, reversed(inputs), strict=True):
            a(self.extend, word, input_, word)
        a("smlad", second, *words, second)

    @property
    def raised_bits(self) -> tuple[int, ...]:
        return (8, 0) * self.units

    def settle(self, a: Assembly, total: str) -> None:
        firsts, seconds = self.sums[::2], self.sums[1::2]
        a("ldr", total, "[input, #-4]")
        for second in seconds:
            a("sub", second, second, total)
        for first, second in zip(firsts, seconds, strict=True):
            a("sub", first, first, second)
        if self.raised:
            a("ldr", total, "[input, #-8]")
        for second in seconds if self.raised else ():
            a("sub", second, second, total)

    def end(self, a: Assembly, finish: Finish, total: str, spare: str) -> list[str]:
        self.settle(a, total)
        finish.saturated(a, self.sums[::2], spare, more=8)
        finish.saturated(a, self.sums[1::2], spare)
        return self.sums

    def packed(self, rows: Array, bias: Array) -> Array:
        wide, start = rows.astype(np.int64), bias.astype(np.int64).copy()
        lower = wide[:, 1::2] + self.raised
        start[:, ::2] = 256 * start[:, ::2] + start[:, 1::2]
        start[:, 1::2] -= np.sum(lower[:, :, ::2] * lower[:, :, 1::2], axis=(2, 3))
        halves = 256 * wide[:, ::2] + lower
        by_two = halves.reshape(*halves.shape[:2], -1, 2, 2)
        return _joined(start, by_two.transpose(0, 2, 1, 3, 4))


class Raised(Paired):
    """Likewise for any weights: those of the second row are 128 larger, and have no sign."""

    NAME = "raised"
    LAYOUT = (*Paired.LAYOUT, "         + 128")
    PROOF = (*Paired.PROOF, "The second row's is 128 x the sum of all inputs too large, which lies there, too.")
    end_cycles = 2.5
    totals = 2
    extend = "uxtab16"
    raised = 128


class Apart(Form):
    """Bytes of a row, four in a word: for sums that are too large to be paired."""

    NAME = "apart"
    LAYOUT = (
        "weights  blocks: the sums' first values, then for each two words of inputs one for each row: its bytes meet",
        "         the lower number of the first, that of the second, the upper number of the first, of the second",
    )
    PROOF: ClassVar[tuple[str, ...]] = ("No sum overflows: mcusim has the bound of each from its weights.",)
    span = 2
    word_cycles = 4
    spares = 1

    def multiply(self, a: Assembly, unit: int, words: list[str], inputs: list[str]) -> None:
        (word,) = words
        sum_ = self.sums[unit]
        a("sxtb16", "even", word)
        a("smlad", sum_, "even", inputs[0], sum_)
        a("sxtb16", word, word, "ror #8")
        a("smlad", sum_, word, inputs[1], sum_)

    def packed(self, rows: Array, bias: Array) -> Array:
        """Pairs hold numbers 0 and 2, 1 and 3 of four: so the bytes of a word are in order."""
        blocks, count = rows.shape[:2]
        fours = rows.reshape(blocks, count, -1, 2, 2).transpose(0, 2, 1, 4, 3)
        words = np.ascontiguousarray(fours.astype(np.int8)).reshape(blocks, -1).view("<i4")
        return np.concatenate([bias.astype(np.int32), words], axis=1)


class ApartLong(Apart):
    """Likewise with sums of 64 bits. At the end they become the nearest that 32 bits hold."""

    NAME = "apart_long"
    PROOF: ClassVar[tuple[str, ...]] = (
        "Sums have 64 bits, and are saturated to 32: mcusim proved that outputs are at their ends where that cuts.",
    )
    end_cycles = 5
    sum_words = 2
    rows_at_a_time = (2, 3, 4)

    @property
    def sums(self) -> list[str]:
        return [f"{part}{row}" for row in range(self.rows) for part in ("low", "high")]

    @property
    def settled(self) -> list[str]:
        return self.sums[::2]

    def multiply(self, a: Assembly, unit: int, words: list[str], inputs: list[str]) -> None:
        (word,) = words
        both = self.sums[2 * unit : 2 * unit + 2]
        a("sxtb16", "even", word)
        a("smlald", *both, "even", inputs[0])
        a("sxtb16", word, word, "ror #8")
        a("smlald", *both, word, inputs[1])

    def settle(self, a: Assembly, total: str) -> None:
        for low, high in zip(self.sums[::2], self.sums[1::2], strict=True):
            a("cmp", high, low, "asr #31")
            a("itt", "ne")
            a("mvnne", low, imm(1 << 31))
            a("eorne", low, low, high, "asr #31")

    def packed(self, rows: Array, bias: Array) -> Array:
        starts = np.stack([bias & 0xFFFFFFFF, bias >> 32], axis=-1).reshape(len(bias), -1)
        words = super().packed(rows, bias)[:, bias.shape[1] :]
        return np.concatenate([starts.astype(np.uint32).view(np.int32), words], axis=1)


class Halfwords(Form):
    """Weights of 16 bits: two of a row in a word."""

    NAME = "halfwords"
    LAYOUT = (
        "weights  blocks: the sums' first values, then for each word of inputs a word of two weights for each row",
    )
    PROOF = Apart.PROOF

    def multiply(self, a: Assembly, unit: int, words: list[str], inputs: list[str]) -> None:
        (word,) = words
        sum_ = self.sums[unit]
        a("smlad", sum_, word, inputs[0], sum_)

    def packed(self, rows: Array, bias: Array) -> Array:
        return _joined(bias, rows.transpose(0, 2, 1, 3))


class Long(Halfwords):
    """Likewise with sums of 64 bits."""

    NAME = "long"
    PROOF = ("Sums have 64 bits. Shifted they have 32: mcusim has the bound of each from its weights.",)
    end_cycles = 3
    sum_words = 2
    rows_at_a_time = (2, 3, 4)

    @property
    def sums(self) -> list[str]:
        return [f"{part}{row}" for row in range(self.rows) for part in ("low", "high")]

    def multiply(self, a: Assembly, unit: int, words: list[str], inputs: list[str]) -> None:
        (word,) = words
        a("smlald", *self.sums[2 * unit : 2 * unit + 2], word, inputs[0])

    def end(self, a: Assembly, finish: Finish, total: str, spare: str) -> list[str]:
        lows = self.sums[::2]
        for low, high in zip(lows, self.sums[1::2], strict=True):  # by 1 at least, or 32 bits would not do
            a("lsr", low, low, imm(finish.shift))
            a("orr", low, low, high, f"lsl #{32 - finish.shift}")
        finish.saturated(a, lows, spare, more=-finish.shift)
        return lows

    def packed(self, rows: Array, bias: Array) -> Array:
        words = np.stack([bias & 0xFFFFFFFF, bias >> 32], axis=-1)
        return _joined(words.reshape(len(bias), -1), rows.transpose(0, 2, 1, 3))


class Shared(Form):
    """Bytes of two rows side by side, for inputs of 16 bits: their common sum has 64 bits."""

    NAME = "shared"
    LAYOUT = (
        "weights  blocks: the sums' first values, then for each word of inputs one for each two rows: half of it is",
        "         256 x a weight of the first row + one of the second",
    )
    PROOF: ClassVar[tuple[str, ...]] = (
        "A sum of halves is 256 x the first row's + the second's, in 64 bits; one of lower bytes is the second's.",
        "Each row's fits in 32: mcusim has the bound from its weights.",
    )
    word_cycles = 3
    end_cycles = 3
    sum_words = 1.5
    rows_at_a_time = (2, 4)

    @property
    def units(self) -> int:
        return self.rows // 2

    @property
    def sums(self) -> list[str]:
        return [f"{part}{unit}" for unit in range(self.units) for part in ("both", "high", "second")]

    @property
    def settled(self) -> list[str]:
        return [name for name in self.sums if not name.startswith("high")]

    def multiply(self, a: Assembly, unit: int, words: list[str], inputs: list[str]) -> None:
        (word,) = words
        both, high, second = self.sums[3 * unit : 3 * unit + 3]
        a("smlald", both, high, word, inputs[0])
        a("sxtb16", word, word)
        a("smlad", second, word, inputs[0], second)

    def settle(self, a: Assembly, total: str) -> None:
        """What both have more than the second, without its lower byte, which is 0."""
        for unit in range(self.units):
            both, high, second = self.sums[3 * unit : 3 * unit + 3]
            a("subs", both, both, second)
            a("sbc", high, high, second, "asr #31")
            a("lsr", both, both, imm(8))
            a("orr", both, both, high, "lsl #24")

    def packed(self, rows: Array, bias: Array) -> Array:
        wide, start = rows.astype(np.int64), bias.astype(np.int64)
        halves = 256 * wide[:, ::2] + wide[:, 1::2]
        both = 256 * start[:, ::2] + start[:, 1::2]
        first = np.stack([both & 0xFFFFFFFF, both >> 32, start[:, 1::2]], axis=-1)
        return _joined(first.reshape(len(rows), -1), halves.transpose(0, 2, 1, 3))


FORMS: Mapping[str, type[Form]] = {
    kind.NAME: kind for kind in (Paired, Raised, Shared, Apart, ApartLong, Halfwords, Long)
}


def _joined(start: Array, halves: Array) -> Array:
    """First values (blocks, n), and halfwords (blocks, ..., 2) from the low end -> words (blocks, words)."""
    lanes = np.ascontiguousarray(halves.astype("<i2")).reshape(len(start), -1).view("<i4")
    first = np.asarray(start, np.int64) & 0xFFFFFFFF
    return np.concatenate([first.astype(np.uint32).view(np.int32), lanes], axis=1)
