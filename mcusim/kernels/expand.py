"""Bytes -> numbers of 16 bits, and words -> words: how weights come from flash into the scratch memory."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from mcusim.kernels.assembly import SAVED, WORD_BYTES, Assembly, at, constant, imm, several
from mcusim.kernels.instructions import REFILL
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.program import KernelCall, Routine

TURN = 8  # words


class Timed(NamedTuple):
    """A routine, and the cycles and bytes of its parts: of a call, a turn of `TURN` words, half a turn, a word more."""

    routine: Routine
    parts: tuple[float, ...]
    code: tuple[int, ...]

    def cycles(self, words: int, memory: Memory) -> float:
        turns, left = divmod(words, TURN)
        halves, few = divmod(left, TURN // 2)
        call, turn, half, one = self.parts
        total = call + turns * turn + halves * half + few * one
        total -= REFILL * (2 * (turns > 0) + halves + 2 * (few > 0))  # loops are entered, and left, without a branch
        return total + memory.streamed(WORD_BYTES * words + memory.granule_bytes / 2)  # it begins anywhere

    def run(self, words: int) -> int:
        """Bytes of the code that a call runs."""
        turns, left = divmod(words, TURN)
        call, turn, half, one = self.code
        return call + turn * (turns > 0) + half * (left >= TURN // 2) + one * (left % (TURN // 2) > 0)


def expand_cycles(words: int, *, zero: int = 0) -> float:
    """Of one call, from RAM."""
    return _timed_expand(unsigned=False, doubled=False, zero=zero).cycles(words, NO_WAITS)


def copy_cycles(words: int, memory: Memory = NO_WAITS) -> float:
    return _timed_copy().cycles(words, memory)


def into_ram(item_bytes: int, *, unsigned: bool = False, doubled: bool = False) -> Timed:
    """What makes numbers of so many bytes ready in RAM: `expand_bytes`, twice as large where they are to be `doubled`,
    or `copy_words` where they have more.
    """
    return _timed_expand(unsigned=unsigned, doubled=doubled, zero=0) if item_bytes == 1 else _timed_copy()


def expand_bytes(*, unsigned: bool = False, zero: int = 0) -> Routine:
    """Each word of 4 numbers of 8 bits becomes two: numbers 0 and 2, then 1 and 3, less `zero`."""
    return _timed_expand(unsigned=unsigned, doubled=False, zero=zero).routine


@lru_cache(maxsize=64)
def _timed_expand(*, unsigned: bool, doubled: bool, zero: int) -> Timed:
    name = "nn_expand_doubled" if doubled else "nn_expand_unsigned" if unsigned else "nn_expand_signed"
    name += f"_less_{'n' if zero < 0 else ''}{abs(zero)}" if zero else ""
    extend = ("uxtab16" if unsigned else "sxtab16", "less") if zero else ("uxtb16" if unsigned else "sxtb16",)
    a = Assembly(
        name,
        [
            f"{name}: numbers of 8 bits become numbers of 16, {'without a sign' if unsigned else 'signed'}"
            f"{', twice as large' if doubled else ''}{f', less {zero}' if zero else ''}.",
            "",
            "input    words of 4 numbers",
            "output   two words for each: numbers 0 and 2, then 1 and 3",
        ],
    )

    def some(count: int) -> None:
        pairs = [f"r{4 + i}" for i in range(2 * count)]
        for i in reversed(range(count)):
            load_word(a, pairs[2 * i + 1], i, count)
        for i in range(count):
            _extend(a, extend, pairs[2 * i], pairs[2 * i + 1])
            _extend(a, extend, pairs[2 * i + 1], pairs[2 * i + 1], "ror #8")
        for pair in pairs if doubled else ():
            a("sadd16", pair, pair, pair)
        a("stm", "output!", several(pairs))

    _by_words(a, some, less=zero)
    fields = {"is_unsigned": int(unsigned), **({"doubled": 1} if doubled else {})}
    fields |= {"input_zero": zero} if zero else {}
    return _timed(a, "expand", fields)


def _extend(a: Assembly, how: tuple[str, ...], to: str, *operands: str) -> None:
    mnemonic, *added = how
    a(mnemonic, to, *added, *operands)


def copy_words() -> Routine:
    return _timed_copy().routine


@lru_cache(maxsize=1)
def _timed_copy() -> Timed:
    name = "nn_word_copy"
    a = Assembly(name, [f"{name}: words from flash into RAM."])

    def some(count: int) -> None:
        words = [f"r{4 + i}" for i in range(count)]
        for i in reversed(range(count)):
            load_word(a, words[i], i, count)
        a("stm", "output!", several(words)) if count > 1 else a("str", words[0], "[output]", imm(4))

    _by_words(a, some)
    return _timed(a, "copy_words", {"pairs": 2})


def load_word(a: Assembly, register: str, index: int, count: int) -> None:
    """Word `index` of `count`. LDR, since a map may begin at any address; the pointer moves with the first word's."""
    a("ldr", register, "[input]", imm(4 * count)) if index == 0 else a("ldr", register, at("input", 4 * index))


def _by_words(a: Assembly, some: Callable[[int], None], *, less: int = 0) -> None:
    """`less`: what `less` takes off both halves of a register when it is added, unless it is 0."""
    a.register("input", "r0")
    a.register("output", "r1")
    a.register("left", "r2", "words, less those of a turn")
    if less:
        a.register("less", "r3", "what is added, in both halves")
    a("push", several([*SAVED, "lr"]))
    if less:
        constant(a, "less", (-less & 0xFFFF) * 0x10001)
    a("subs", "left", "left", imm(TURN))
    a("blt", f".L{a.name}_rest")
    with a.part("turn"), a.loop("turn", f"{TURN} words, half of them at a time") as again:
        some(TURN // 2)
        some(TURN // 2)
        a("subs", "left", "left", imm(TURN))
        a("bge", again)
    a.block("Half a turn, if there is as much left")
    a.place("rest")
    a("adds", "left", "left", imm(TURN // 2))
    a("blt", f".L{a.name}_few")
    with a.part("half"):
        some(TURN // 2)
        a("sub", "left", "left", imm(TURN // 2))
    a.block("What is left, word by word")
    a.place("few")
    a("adds", "left", "left", imm(TURN // 2))
    a("beq", f".L{a.name}_end")
    with a.part("one"), a.counted("one", "A word", "left"):
        some(1)
    a.place("end")
    a("pop", several([*SAVED, "pc"]))


def _timed(a: Assembly, twin: str, parameters: dict[str, int]) -> Timed:
    call = KernelCall(twin, ("input", "output", "words"), parameters)
    made = a.routine("const void *input, int16_t *output, int words", call)
    names = ("", "turn", "half", "one")
    return Timed(made, tuple(a.parts[name] for name in names), tuple(a.part_bytes[name] for name in names))
