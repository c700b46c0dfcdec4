"""The inputs of a dense layer of bytes, as numbers of 16 bits, and in passing what sums of rows are freed from."""

from functools import cache

from mcusim.kernels.assembly import SAVED, Assembly, constant, imm, several
from mcusim.kernels.expand import load_word
from mcusim.program import KernelCall, Routine

SIGNATURE = "const void *input, int16_t *output, int sixteens, int32_t *totals"
MOST_TOTALS = 2
EVENS, ODDS = [f"even{i}" for i in range(4)], [f"odd{i}" for i in range(4)]


def row_inputs(*, unsigned: bool, totals: int) -> Routine:
    """Sixteen numbers a turn; what is left of them is C's."""
    return _timed(unsigned=unsigned, totals=totals)[0]


def row_input_cycles(*, totals: int) -> tuple[float, float]:
    """Of a call, and of a turn."""
    _, a = _timed(unsigned=False, totals=totals)
    return a.parts[""], a.parts["turn"]


@cache
def _timed(*, unsigned: bool, totals: int) -> tuple[Routine, Assembly]:
    name = f"nn_row_inputs_{'unsigned' if unsigned else 'signed'}{'_summed' if totals == MOST_TOTALS else ''}"
    a = Assembly(name, _head(name, unsigned, totals))
    _registers(a)
    a("push", several(["r3", *SAVED, "lr"]))
    a("mov", "products", imm(0))
    if totals == MOST_TOTALS:
        a("mov", "sum", imm(0))
        constant(a, "each", 0x00800080)
    how = "Words one by one, which takes no longer than LDM, from any address"
    with a.part("turn"), a.counted("sixteen", how, "left"):
        _sixteen(a, "uxtb16" if unsigned else "sxtb16", summed=totals == MOST_TOTALS)
    a.block("Where the totals go is on the stack")
    a("ldr", "r0", "[sp]", imm(4))
    if totals == MOST_TOTALS:
        a("str", "sum", "[r0]")
    a("str", "products", "[r0, #4]")
    a("pop", several([*SAVED, "pc"]))
    fields = {"is_unsigned": int(unsigned), "totals": totals}
    return a.routine(SIGNATURE, KernelCall("row_inputs", ("input", "output", "sixteens", "totals"), fields)), a


def _sixteen(a: Assembly, extend: str, *, summed: bool) -> None:
    for index in (1, 2, 3, 0):
        load_word(a, ODDS[index], index, len(ODDS))
    for even, odd in zip(EVENS, ODDS, strict=True):
        a(extend, even, odd)
        a(extend, odd, odd, "ror #8")
        a("smlad", "products", even, odd, "products")
        for pair in (even, odd) if summed else ():
            a("smlad", "sum", pair, "each", "sum")
    a("stm", "output!", several([name for pair in zip(EVENS, ODDS, strict=True) for name in pair]))


def _registers(a: Assembly) -> None:
    for index, (register, meaning) in enumerate([("input", ""), ("output", ""), ("left", "turns"), ("products", "")]):
        a.register(register, f"r{index}", meaning)
    for index in range(4):
        a.register(EVENS[index], f"r{4 + 2 * index}", "numbers 0 and 2")
        a.register(ODDS[index], f"r{5 + 2 * index}", "all four, then numbers 1 and 3")
    a.register("sum", "r12", "128 x all numbers")
    a.register("each", "lr", "128 in each half")


def _head(name: str, unsigned: bool, totals: int) -> list[str]:
    return [
        f"{name}: numbers of 8 bits become numbers of 16, {'without a sign' if unsigned else 'signed'}.",
        "",
        "input    sixteens x 16 numbers, anywhere",
        "output   two words for each 4 of them: numbers 0 and 2, then 1 and 3",
        f"totals   the first {'is 128 x the sum of all of them' if totals == MOST_TOTALS else 'stays as it is'},",
        "         the second the sum of the products of numbers 0 and 1, and 2 and 3, of each four",
    ]
