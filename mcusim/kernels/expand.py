"""Bytes -> numbers of 16 bits, and words -> words: how weights come from flash into the scratch memory."""

from __future__ import annotations

from collections.abc import Callable

from mcusim.kernels.assembly import Assembly, at, imm, several
from mcusim.program import KernelCall, Routine

SAVED = several([*(f"r{n}" for n in range(4, 12)), "lr"])
RESTORED = several([*(f"r{n}" for n in range(4, 12)), "pc"])


def expand_bytes(*, unsigned: bool = False) -> Routine:
    """Each word of 4 numbers of 8 bits becomes two: numbers 0 and 2, then 1 and 3."""
    name = "nn_expand_unsigned" if unsigned else "nn_expand_signed"
    extend = "uxtb16" if unsigned else "sxtb16"
    a = Assembly(
        name,
        [
            f"{name}: numbers of 8 bits become numbers of 16, {'without a sign' if unsigned else 'signed'}.",
            "",
            "input    words of 4 numbers",
            "output   two words for each: numbers 0 and 2, then 1 and 3",
        ],
    )

    def some(count: int) -> None:
        words, pairs = [f"r{3 + i}" for i in range(count)], [f"r{4 + i}" for i in range(2 * count)]
        # From the last word on, so that no pair is written over a word that is still needed.
        words = [pairs[2 * i + 1] for i in range(count)]
        _load(a, words)
        for i in range(count):
            a(extend, pairs[2 * i], words[i])
            a(extend, words[i], words[i], "ror #8")
        a("stm", "output!", several(pairs)) if count > 1 else a("strd", *pairs, "[output]", imm(8))

    _by_fours(a, some)
    return _routine(a, "const void *input, int16_t *output, int words", "expand", {"is_unsigned": int(unsigned)})


def copy_words() -> Routine:
    name = "nn_word_copy"
    a = Assembly(name, [f"{name}: words from flash into RAM."])

    def some(count: int) -> None:
        words = [f"r{4 + i}" for i in range(count)]
        _load(a, words)
        a("stm", "output!", several(words)) if count > 1 else a("str", words[0], "[output]", imm(4))

    _by_fours(a, some)
    return _routine(a, "const void *input, int16_t *output, int words", "copy_words", {"pairs": 2})


def _load(a: Assembly, words: list[str]) -> None:
    """One by one, which takes no longer than LDM, from any address: a caller's bytes may lie anywhere."""
    for i in range(1, len(words)):
        a("ldr", words[i], at("input", 4 * i))
    a("ldr", words[0], "[input]", imm(4 * len(words)))


def _by_fours(a: Assembly, some: Callable[[int], None]) -> None:
    a.register("input", "r0")
    a.register("output", "r1")
    a.register("left", "r2", "words, less four")
    a("push", SAVED)
    a("subs", "left", "left", imm(4))
    a("blt", f".L{a.name}_rest")
    with a.loop("four", "Four words") as again:
        some(4)
        a("subs", "left", "left", imm(4))
        a("bge", again)
    a.block("What is left, word by word")
    a.place("rest")
    a("adds.w", "left", "left", imm(4))
    a("beq", f".L{a.name}_end")
    with a.loop("one", "A word") as again:
        some(1)
        a("subs", "left", "left", imm(1))
        a("bne", again)
    a.place("end")
    a("pop", RESTORED)


def _routine(a: Assembly, signature: str, twin: str, parameters: dict[str, int]) -> Routine:
    call = KernelCall(twin, ("input", "output", "words"), parameters)
    return Routine(a.name, a.text, a.code_bytes, signature, call)
