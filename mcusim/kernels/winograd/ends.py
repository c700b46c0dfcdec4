"""How the sums of the points of exact Winograd become outputs."""

from mcusim.kernels.assembly import Assembly, imm
from mcusim.kernels.finish import Ending, FactorFinish
from mcusim.kernels.straight import StraightFinish

FOUR = (
    "With M the sums of the six points, and a, b, c, d a third of M1 + M2, M3 + M4, M1 - M2, M3 - M4, outputs are",
    "(2 M0 - 4 a + b) / 8, (d - 2 c) / 4, (b - a) / 2 and (2 M5 + 2 d - c) / 2, all exact.",
    "",
    "Sums wrap round at 32 bits, and a third is the product with 0xAAAAAAAB, the inverse of 3 modulo 2^32: so what",
    "stands in these brackets is right modulo 2^32, and mcusim proved that 8 times an output fits in 32 bits.",
)
TWO = (
    "With M the sums of the four points, outputs are M0 + (M1 + M2) / 2 and (M1 - M2) / 2 - M3, both exact: M1 and M2",
    "are both odd or both even.",
    "",
    "M0, M3 and sums with them may wrap round at 32 bits, as mcusim proved that M1, M2 and the outputs fit in.",
)


def four(a: Assembly, bias: str, finish: Ending, shift: str | None, factor: int) -> tuple[str, ...]:
    """M of six points in r4 to r9, a third in r3 -> four outputs.

    `shift`: where it lies, one more. `factor`: on the stack, where the filter's lies; of a line its addend comes as
    the power of two of the last outputs.
    """
    a("add", "r5", "r5", bias)
    a("add", "r10", "r5", "r6")
    a("sub", "r11", "r5", "r6")
    a("add", "r5", "r7", "r8")
    a("sub", "r6", "r7", "r8")
    for name in ("r10", "r11", "r5", "r6"):
        a("mul", name, name, "r3")
    a("sub", "r7", "r5", "r10", "lsl #2")
    a("add", "r4", "r7", "r4", "lsl #1")  # 8 times the first output
    a("sub", "r7", "r6", "r11", "lsl #1")  # 4 times the second
    a("sub", "r8", "r5", "r10")  # twice the third
    a("add", "r9", "r9", "r6")
    a("rsb", "r9", "r11", "r9", "lsl #1")  # twice the fourth
    names = ("r4", "r7", "r8", "r9")
    if isinstance(finish, FactorFinish):
        _scaled(a, dict(zip(names, (3, 2, 1, 1), strict=True)), finish, factor, ("r5", "r6", "r10"))
        return names
    if shift is None:
        for name, bits in zip(names, (3, 2, 1, 1), strict=True):
            finish.saturated(a, [name], "r10", more=bits)
        return names
    a("ldr", "r11", shift)
    a("asr", "r4", "r4", imm(2))
    a("asr", "r7", "r7", imm(1))
    finish.saturated(a, names, "r10", shift="r11")
    return names


def two(a: Assembly, bias: str, finish: Ending, shift: str | None, factor: int) -> tuple[str, ...]:
    """M of four points in r4 to r7 -> two outputs."""
    a("asrs", "r5", "r5", imm(1))  # the carry: are M1 and M2 odd?
    a("add", "r5", "r5", bias)
    a("adc", "r8", "r5", "r6", "asr #1")
    a("sub", "r9", "r5", "r6", "asr #1")
    a("add", "r4", "r4", "r8")
    a("sub", "r5", "r9", "r7")
    names = ("r4", "r5")
    if isinstance(finish, FactorFinish):
        _scaled(a, dict.fromkeys(names, 0), finish, factor, ("r6", "r7", "r10"))
        return names
    if shift is None:
        finish.saturated(a, names, "r10")
        return names
    a("ldr", "r11", shift)
    finish.saturated(a, names, "r10", shift="r11")
    return names


def _scaled(a: Assembly, sums: dict[str, int], finish: FactorFinish, factor: int, free: tuple[str, ...]) -> None:
    """`sums`: as which power of two each register has its own. `free` and r11 are lost."""
    finish.load(a, free, "sp", factor)
    there = min(sums.values())
    for bits in sorted(set(sums.values())):
        if isinstance(finish, StraightFinish) and not finish.bare and bits > there:
            a("lsl", free[1], free[1], imm(bits - there))
            there = bits
        finish.scaled(a, [name for name, own in sums.items() if own == bits], free, "r11", more=bits)
