"""Inputs as depthwise convolutions read them: 4 channels taken apart, and pairs of columns put side by side."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from mcusim.kernels.assembly import SAVED, Assembly, Timed, constant, imm, several
from mcusim.kernels.depthwise.frame import Pointer
from mcusim.kernels.depthwise.window import CHANNELS, WORD_BYTES
from mcusim.program import KernelCall, Routine

PAIRS = 4  # at most, that are unrolled
_LOAD_ONE = {"signed": "ldrsb", "unsigned": "ldrb", "wide": "ldrsh"}


class Spread(NamedTuple):
    """`width` columns of each row of `input_width`, from column `before` of the planes on; around them lie zeros.

    `channels`: of the input. `words`: pairs of columns of a row of the planes. `kind`: `signed` or `unsigned` for 8
    bits, `wide` for 16. `input_zero`: of 8 bits, taken off what is read; so what lies around is 0 in any case.
    """

    channels: int
    input_width: int
    width: int
    before: int
    words: int
    kind: str
    input_zero: int = 0

    @property
    def position_bytes(self) -> int:
        return self.channels * (2 if self.kind == "wide" else 1)


@lru_cache(maxsize=256)
def spread(shape: Spread) -> Timed:
    return _Spreading(shape).routine()


def over_rows(a: Assembly, row: Callable[[], None], less: int = 0) -> float:
    """The function around what is done for each of `rows`, with a `zero`; -> the cycles of one.

    `less`: what `less` holds in both halves, unless it is 0.
    """
    a("push", several([*SAVED, "lr"]))
    a("movw", "zero", imm(0))
    if less:
        constant(a, "less", (less & 0xFFFF) * 0x10001)
    before = a.cycles
    with a.counted("row", "A row", "rows"):
        row()
    cycles = a.cycles - before
    a("pop", several([*SAVED, "pc"]))
    return cycles


def timed(routine: Routine, a: Assembly, each: float) -> Timed:
    """Of a function that was written once, with what it repeats."""
    return Timed(routine, a.cycles - each, each)


class _Spreading:
    def __init__(self, shape: Spread) -> None:
        self.shape = shape
        sizes = f"{shape.channels}x{shape.input_width}_{shape.width}_from_{shape.before}_of_{shape.words}"
        zero = shape.input_zero
        less = f"_less_{'n' if zero < 0 else ''}{abs(zero)}" if zero else ""
        self.name = f"nn_depthwise_spread_{shape.kind}_{sizes}{less}"
        self.a = Assembly(self.name, _head(self.name, shape))
        self.wide, self.few = shape.kind == "wide", shape.channels < CHANNELS
        self.x = Pointer(self.a, "input")
        self._function()

    def routine(self) -> Timed:
        shape = self.shape
        fields = {"channels": shape.channels, "input_width": shape.input_width, "width": shape.width}
        fields |= {"before": shape.before, "words": shape.words, "is_unsigned": int(shape.kind == "unsigned")}
        fields |= {"input_zero": shape.input_zero} if shape.input_zero else {}
        twin = KernelCall("depthwise_spread", ("input", "planes", "rows"), fields)
        signature = "const void *input, void *planes, int rows"
        return timed(self.a.routine(signature, twin), self.a, self.row_cycles)

    def _function(self) -> None:
        a = self.a
        a.register("input", "r0", "rows of positions of all channels")
        a.register("planes", "r1", "rows of pairs of columns of 4 channels")
        a.register("rows", "r2", "that are left")
        a.register("zero", "lr")
        if self.shape.input_zero:
            a.register("less", "r11", "what is added, in both halves")
        self.row_cycles = over_rows(a, self._row, -self.shape.input_zero)

    def _extended(self, to: str, name: str, *turned: str) -> None:
        """Bytes 0 and 2 of a register, or of one that is turned, as 16 bits."""
        kind = "u" if self.shape.kind == "unsigned" else "s"
        if self.shape.input_zero:
            self.a(f"{kind}xtab16", to, "less", name, *turned)
        else:
            self.a(f"{kind}xtb16", to, name, *turned)

    def _row(self) -> None:
        shape = self.shape
        lead = shape.before % 2
        pairs, tail = divmod(shape.width - lead, 2)
        self.x.moved = 0
        self._zeros(shape.before // 2)
        if lead:
            self.a.block("A column whose left neighbour is a zero")
            self._alone(0, low=False)
        self._pairs(pairs, lead)
        if tail:
            self.a.block("A column whose right neighbour is a zero")
            self._alone(shape.width - 1, low=True)
        self._zeros(shape.words - shape.before // 2 - lead - pairs - tail)
        self.x.move(shape.input_width * shape.position_bytes)

    def _zeros(self, words: int) -> None:
        for _ in range(words):
            self._store(("zero",) * CHANNELS)

    def _store(self, names: tuple[str, ...]) -> None:
        """A word of each channel; the pointer moves with the last store."""
        for channel in range(1, len(names)):
            self.a("str", names[channel], f"[planes, #{4 * channel}]")
        self.a("str", names[0], "[planes]", imm(WORD_BYTES))

    def _load(self, column: int, names: tuple[str, ...], *, alone: bool = False) -> None:
        """All four channels of a position: of bytes they are in the first register. Of fewer, each in its own.

        `alone`: is it not put beside another column?
        """
        start, kind = column * self.shape.position_bytes, self.shape.kind
        self.x.reach(start, start + 4)
        if self.few:
            size = self.shape.position_bytes // self.shape.channels
            for channel, name in enumerate(names[: self.shape.channels]):
                self.a(_LOAD_ONE[kind], name, self.x.at(start + size * channel))
            if alone and self.shape.input_zero:
                for name in names[: self.shape.channels]:
                    self.a("sadd16", name, name, "less")
            return
        self.a("ldr", names[0], self.x.at(start))
        if self.wide:
            self.a("ldr", names[1], self.x.at(start + 4))

    def _extend(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Which halves of registers are channels 0 to 3: `!` is the high one."""
        if self.few:
            return names[: self.shape.channels]
        low, high = names[:2]
        if self.wide:
            return low, f"{low}!", high, f"{high}!"
        self._extended(high, low, "ror #8")
        self._extended(low, low)
        return low, high, f"{low}!", f"{high}!"

    def _alone(self, column: int, *, low: bool) -> None:
        """One column and a zero."""
        a, made, spare = self.a, [], iter(("r7", "r8", "r9"))
        self._load(column, ("r3", "r4", "r5"), alone=True)
        for half in self._extend(("r3", "r4", "r5")):
            name = half.rstrip("!")
            if half == name:  # the high half of this register is still to come
                made.append(next(spare))
                a("uxth", made[-1], name) if low else a("lsl", made[-1], name, "#16")
            else:
                made.append(name)
                a("lsr", name, name, "#16") if low else a("bfc", name, "#0", "#16")
        self._store(tuple(made))

    def _pairs(self, pairs: int, first: int) -> None:
        if not pairs:
            return
        step = 2 * self.shape.position_bytes
        turns = pairs // PAIRS
        if turns > 1:
            self.x.move(first * self.shape.position_bytes)
            with self.a.counted("pairs", f"{PAIRS} pairs of columns", "r12", turns):
                base = self.x.moved
                self._unrolled(PAIRS, first)
                self.x.move(base + PAIRS * step)
            self.x.moved += (turns - 1) * PAIRS * step
        done = turns * PAIRS if turns > 1 else 0
        self._unrolled(pairs - done, first + 2 * done)

    def _unrolled(self, pairs: int, first: int) -> None:
        """Pairs of columns, two at a time where registers last."""
        make = self._few_pair if self.few else self._wide_pair if self.wide else self._byte_pairs
        at_once = 2 if make == self._byte_pairs else 1
        for pair in range(0, pairs, at_once):
            column = first + 2 * pair
            columns = 2 * min(at_once, pairs - pair)
            start = column * self.shape.position_bytes
            self.x.reach(start, start + columns * self.shape.position_bytes + 4)
            self.a.block(f"{columns} columns")
            make(column, columns)

    def _byte_pairs(self, column: int, columns: int) -> None:
        """Channels 0 and 1 of two columns come into one word, 2 and 3 into another; SXTB16 takes these apart."""
        a, names = self.a, ("r3", "r4", "r5", "r6")[:columns]
        for index, name in enumerate(names):
            self._load(column + index, (name,))
        for left, right in zip(names[::2], names[1::2], strict=True):
            a("pkhbt", "r7", left, right, "lsl #16")
            a("pkhtb", "r9", right, left, "asr #16")
            self._extended("r8", "r7", "ror #8")
            self._extended("r7", "r7")
            self._extended("r10", "r9", "ror #8")
            self._extended("r9", "r9")
            self._store(("r7", "r8", "r9", "r10"))

    def _wide_pair(self, column: int, columns: int) -> None:
        a = self.a
        self._load(column, ("r3", "r4"))
        self._load(column + 1, ("r5", "r6"))
        for index, (left, right) in enumerate((("r3", "r5"), ("r4", "r6"))):
            a("pkhbt", f"r{7 + 2 * index}", left, right, "lsl #16")
            a("pkhtb", f"r{8 + 2 * index}", right, left, "asr #16")
        self._store(("r7", "r8", "r9", "r10"))

    def _few_pair(self, column: int, columns: int) -> None:
        lefts, rights = ("r3", "r4", "r5")[: self.shape.channels], ("r6", "r7", "r8")[: self.shape.channels]
        self._load(column, lefts)
        self._load(column + 1, rights)
        for left, right in zip(lefts, rights, strict=True):
            self.a("pkhbt", left, left, right, "lsl #16")
            if self.shape.input_zero:
                self.a("sadd16", left, left, "less")
        self._store(lefts)


@lru_cache
def zeros(number_bytes: int) -> Timed:
    """For rows of the planes that lie in the padding, a pair of columns of 4 channels at a time."""
    name = f"nn_depthwise_zeros_n{8 * number_bytes}"
    a = Assembly(name, [f"{name}: zeros for `words` pairs of columns of 4 channels."])
    a("push", "{r4, lr}")
    for name in ("r2", "r3", "r4", "lr"):
        a("movw", name, imm(0))
    before = a.cycles
    with a.counted("word", "A pair of columns", "r1"):
        a("stm", "r0!", "{r2, r3, r4, lr}")
    word_cycles = a.cycles - before
    a("pop", "{r4, pc}")
    twin = KernelCall("depthwise_zeros", ("planes", "words"), {"channels": CHANNELS})
    return timed(a.routine("void *planes, int words", twin), a, word_cycles)


def _head(name: str, shape: Spread) -> list[str]:
    numbers = "16 bits" if shape.kind == "wide" else f"8 bits, {shape.kind},"
    return [
        f"{name}: numbers of {numbers} as the planes of up to 4 channels.",
        "",
        f"input    [rows][{shape.input_width} positions][{shape.channels} channels], from the first of up to 4 on",
        f"planes   numbers of 16 bits: [rows][{shape.words} pairs of columns][4 channels][2 columns]",
        "",
        f"{shape.width} positions of a row are read, and lie from column {shape.before} on; zeros are around them.",
    ]
