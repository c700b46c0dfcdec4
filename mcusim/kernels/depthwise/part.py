"""What one function of a depthwise convolution of integers computes, and how weights and biases come into registers."""

from dataclasses import dataclass
from functools import cached_property

from mcusim.kernels.assembly import Assembly, at, imm
from mcusim.kernels.depthwise.frame import BIAS, BIASES, WEIGHTS, RoutineFacts, Shared
from mcusim.kernels.depthwise.window import NO_TAP, WORD_BYTES, Product
from mcusim.kernels.finish import Ending, Finish
from mcusim.kernels.straight import StraightFinish
from mcusim.program import ASSEMBLY, KernelCall

ARGUMENTS = ("x", "weights", "output", "bias", "channels")
FACTOR_LOADS, STRAIGHT_LOADS = 5, 4  # instructions, about: a factor, and inputs whose registers it took
RECORD = ", scaled as its sums are, and behind it what scales them"
SIGNATURE = "const void *x, const void *weights, void *output, const void *bias, int channels"


@dataclass(frozen=True, eq=False)
class Part(Shared):
    """Of integers. `words`: pairs of columns.

    `number_bytes`: of the layer's weights; `weight_bytes`: as many where they come from flash, 4 where they are words
    made ready in RAM. `unseen`: words at the end of what a row of the window reaches that lie behind the map and its
    planes: products with their zeros are left out.
    """

    finish: Ending
    weight_bytes: int
    number_bytes: int
    unseen: int = 0

    column_bytes = WORD_BYTES // 2

    @property
    def resident(self) -> bool:
        return self.weight_bytes < 4

    @property
    def doubling(self) -> bool:
        """Are weights doubled where they come into registers? In RAM they are already."""
        return self.finish.doubled and self.weight_bytes == 1

    @property
    def filter_bytes(self) -> int:
        return min(4, 2 * self.weight_bytes) * self.window.stored_words

    @property
    def channel_step(self) -> int:
        return 4 if self.multiplier == 1 else 0

    @property
    def code_bytes_of_a_row(self) -> int:
        w, columns = self.window, self.columns
        products = len(self.products) * w.height
        ends = ending_words(self.finish, columns)
        return 4 * (products + self.input_words * w.stride_height + ends + 2)

    @cached_property
    def products(self) -> list[Product]:
        """Of a row of the window."""
        return [one for one in self.window.products(self.columns) if one.word < self.input_words]

    @property
    def input_words(self) -> int:
        """That they take."""
        return self.window.input_words(self.columns) - self.unseen

    @property
    def routine(self) -> RoutineFacts:
        fields = {**self.fields("words"), "row_words": len(self.window.pairs)}
        fields |= {"packed": int(self.weight_bytes == 1), "multiplier": self.multiplier, **self.finish.fields}
        fields |= {"doubling": 1} if self.doubling else {}
        fields |= {"seen": self.input_words} if self.unseen else {}
        return RoutineFacts(SIGNATURE, ASSEMBLY, KernelCall("depthwise_tile", ARGUMENTS, fields))

    @property
    def layouts(self) -> list[str]:
        finish = self.finish
        kind = "bytes, in the order in which SXTB16 takes them apart" if self.weight_bytes == 1 else "16 bits"
        return [
            "",
            f"x        16 bits: [rows][{self.words} pairs of columns][4 channels][2 columns], from a channel on",
            f"weights  of each filter: [{self.window.height}][{len(self.window.pairs)} pairs of taps][2], as {kind}",
            f"output   of {finish.store_bytes} bytes each: [rows][{self.width}][{self.filters} filters], from one on",
            f"bias     of each filter{', with what rounds in it' if isinstance(finish, Finish) else RECORD}",
            "",
            "No sum overflows at its end: mcusim has the bound of each from its weights, and what needs more than 32",
            "bits does not come here; on the way sums wrap round.",
        ]

    @property
    def key(self) -> str:
        numbers = f"w{8 * self.weight_bytes}_n{8 * self.number_bytes}_o{8 * self.finish.store_bytes}"
        return self.key_with(f"{numbers}_{self.finish.key}") + f"_u{self.unseen}" * (self.unseen > 0)


def ending_words(ending: Ending, columns: int) -> int:
    """Instructions that end the sums of so many columns."""
    if isinstance(ending, Finish):
        return 2 * columns
    loads = STRAIGHT_LOADS if isinstance(ending, StraightFinish) else FACTOR_LOADS
    return columns * (ending.code_bytes // 4 + 1) + loads


def taps(pair: tuple[int, int]) -> str:
    """What a word of weights holds."""
    return f"taps {pair[0]}, {pair[1]}" if pair[0] != NO_TAP else f"tap {pair[1]} in the high half"


class IntegerLoads:
    """Of a function, whose text is `a` and whose part is `part`."""

    a: Assembly
    part: Part

    def load_bias(self, spare: str, bias: str) -> None:
        """Of this channel, into a register and the frame."""
        a = self.a
        a("ldr", spare, at("sp", BIASES))
        a("ldr", bias, f"[{spare}]", "#4")
        a("str", spare, at("sp", BIASES))
        a("str", bias, at("sp", BIAS))

    def load_weights(self, names: list[str], spare: str) -> None:
        """All of this channel stay in registers."""
        a, part = self.a, self.part
        a("ldr", spare, at("sp", WEIGHTS))
        if part.weight_bytes == 1:
            raw = [names[min(index, len(names) - 1)] for index in range(1, len(names) + 1, 2)]
            for index, name in enumerate(raw):
                a("ldr", name, at(spare, 4 * index))
            for index, name in enumerate(raw):
                low = names[2 * index]
                a("sxtb16", low, name)
                if low != name:
                    a("sxtb16", name, name, "ror #8")
            for name in names if part.doubling else ():
                a("sadd16", name, name, name)
        else:
            raw = names
            for index, name in enumerate(names):
                a("ldr", name, at(spare, 4 * index))
        a("addw", spare, spare, imm(part.filter_bytes))
        a("str", spare, at("sp", WEIGHTS))
