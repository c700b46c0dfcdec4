"""The inputs of a dense layer of bytes, as numbers of 16 bits, and their sum in passing."""

from __future__ import annotations

from mcusim.kernels.assembly import SAVED, Assembly, constant, imm, several
from mcusim.kernels.expand import load_word
from mcusim.program import KernelCall, Routine

SIGNATURE = "const void *input, int16_t *output, int sixteens, int32_t *sum"
INPUTS = 16  # a turn
TURN_CYCLES = 33


def row_inputs(*, unsigned: bool) -> Routine:
    """Sixteen numbers a turn; what is left of them is C's."""
    name = "nn_row_inputs_unsigned" if unsigned else "nn_row_inputs_signed"
    extend = "uxtb16" if unsigned else "sxtb16"
    a = Assembly(
        name,
        [
            f"{name}: numbers of 8 bits become numbers of 16, {'without a sign' if unsigned else 'signed'}.",
            "",
            "input    sixteens x 16 numbers, anywhere",
            "output   two words for each 4 of them: numbers 0 and 2, then 1 and 3",
            "sum      of all of them",
        ],
    )
    for index, (register, meaning) in enumerate([("input", ""), ("output", ""), ("left", "turns"), ("total", "")]):
        a.register(register, f"r{index}", meaning)
    evens, odds = [f"even{i}" for i in range(4)], [f"odd{i}" for i in range(4)]
    for index in range(4):
        a.register(evens[index], f"r{4 + 2 * index}", "numbers 0 and 2")
        a.register(odds[index], f"r{5 + 2 * index}", "all four, then numbers 1 and 3")
    a.register("one", "r12", "in each half" if not unsigned else "zero")
    a("push", several(["r3", *SAVED, "lr"]))
    constant(a, "one", 0 if unsigned else 0x00010001)
    a("mov", "total", imm(0))
    with a.loop("sixteen", "Words one by one, which takes no longer than LDM, from any address") as again:
        for index in (1, 2, 3, 0):
            load_word(a, odds[index], index, len(odds))
        for even, odd in zip(evens, odds, strict=True):
            a(extend, even, odd)
            if unsigned:
                a("usada8", "total", odd, "one", "total")
            a(extend, odd, odd, "ror #8")
            if not unsigned:
                a("smlad", "total", even, "one", "total")
                a("smlad", "total", odd, "one", "total")
        a("stm", "output!", several([name for pair in zip(evens, odds, strict=True) for name in pair]))
        a("subs", "left", "left", imm(1))
        a("bne", again)
    a.block("Where the sum goes is on the stack")
    a("ldr", "r0", "[sp]", imm(4))
    a("str", "total", "[r0]")
    a("pop", several([*SAVED, "pc"]))
    twin = KernelCall("row_inputs", ("input", "output", "sixteens", "sum"), {"is_unsigned": int(unsigned)})
    return a.routine(SIGNATURE, twin)
