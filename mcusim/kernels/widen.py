"""Numbers -> as many of 16 bits in their order, from any address to any: how maps come into the scratch memory."""

from functools import lru_cache
from typing import NamedTuple

from mcusim.kernels.assembly import WORD_BYTES, Assembly, at, imm, several
from mcusim.kernels.expand import load_word
from mcusim.kernels.instructions import REFILL
from mcusim.program import KernelCall, Routine

SIGNATURE = "const void *input, int16_t *output, int numbers"
TURN = 8  # numbers of the loop
LATE = (0.0, 1.25, 0.5, 1.25)  # cycles of LDR, in the mean, at multiples of 4 and so many bytes
_DATA = [f"r{n}" for n in range(4, 10)]


class Timed(NamedTuple):
    """A routine, and its cycles: of a call, of what is around turns, of a turn of `TURN` numbers, of a number more."""

    routine: Routine
    call: float
    around: float
    turn: float
    one: float


def widen_cycles(numbers: int, item_bytes: int, step: int = 0) -> float:
    """Of one call, from RAM. `step`: numbers from one call's to the next one's; not all begin on words then."""
    turns, rest = divmod(numbers, TURN)
    late = LATE[step * item_bytes % WORD_BYTES] * TURN * item_bytes / WORD_BYTES
    timed = _timed(item_bytes)
    total = timed.call + turns * (timed.turn + late) + rest * timed.one - 2 * REFILL * (rest > 0)
    return total + (timed.around - 2 * REFILL if turns else 0)  # loops are entered, and left, without a branch


def widen(item_bytes: int, *, unsigned: bool = False) -> Routine:
    """Of numbers of one byte or two."""
    return _timed(item_bytes, unsigned=unsigned).routine


@lru_cache(maxsize=4)
def _timed(item_bytes: int, *, unsigned: bool = False) -> Timed:
    kind = "numbers" if item_bytes == 2 else "unsigned" if unsigned else "signed"
    name = f"nn_widen_{kind}"
    a = Assembly(name, _head(name, item_bytes, unsigned))
    a.register("input", "r0")
    a.register("output", "r1")
    a.register("left", "r2", "numbers, less those of a turn")
    a("subs", "left", "left", imm(TURN))
    a("blt", f".L{name}_rest")
    with a.part("around"):
        a("push", several(_DATA))
    with a.part("turn"), a.loop("turn", f"{TURN} numbers") as again:
        _halfwords(a) if item_bytes == 2 else _bytes(a, "uxtb16" if unsigned else "sxtb16")
        a("subs", "left", "left", imm(TURN))
        a("bge", again)
    with a.part("around"):
        a("pop", several(_DATA))
    a.block("What is left, one by one")
    a.place("rest")
    a("adds", "left", "left", imm(TURN))
    a("beq", f".L{name}_end")
    load = "ldrh" if item_bytes == 2 else "ldrb" if unsigned else "ldrsb"
    with a.part("one"), a.loop("one", "A number") as again:
        a(load, "r12", "[input]", imm(item_bytes))
        a("subs", "left", "left", imm(1))
        a("strh", "r12", "[output]", imm(2))
        a("bne", again)
    a.place("end")
    a("bx", "lr")
    call = KernelCall("widen", ("input", "output", "numbers"), {"bytes": item_bytes, "is_unsigned": int(unsigned)})
    return Timed(a.routine(SIGNATURE, call), *(a.parts[name] for name in ("", "around", "turn", "one")))


def _bytes(a: Assembly, extend: str) -> None:
    """Two words of four numbers. Numbers 0 and 2 of a word share a register, and 1 and 3; then neighbours do."""
    for index in (1, 0):
        load_word(a, f"r{4 + index}", index, 2)
    for index, word in enumerate(("r4", "r5")):
        a(extend, "r6", word)
        a(extend, "r7", word, "ror #8")
        a("pkhbt", "r8", "r6", "r7", "lsl #16")
        a("pkhtb", "r9", "r7", "r6", "asr #16")
        a("str", "r8", "[output]" if index == 0 else at("output", -8), *([imm(2 * TURN)] if index == 0 else []))
        a("str", "r9", at("output", -12 if index == 0 else -4))


def _halfwords(a: Assembly) -> None:
    for index in (1, 2, 3, 0):
        load_word(a, f"r{4 + index}", index, 4)
    for index in (0, 1, 2, 3):
        a(
            "str",
            f"r{4 + index}",
            *(["[output]", imm(2 * TURN)] if index == 0 else [at("output", 4 * index - 2 * TURN)]),
        )


def _head(name: str, item_bytes: int, unsigned: bool) -> list[str]:
    sign = "without a sign" if unsigned else "signed"
    what = "are copied" if item_bytes == 2 else f"of 8 bits, {sign}, become numbers of 16"
    return [f"{name}: numbers {what}, in order.", "", "Both may lie anywhere: only LDR and STR take any address."]
