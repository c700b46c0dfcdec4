"""Columns of windows -> numbers that lie apart, so that several windows lie side by side."""

from mcusim.kernels.assembly import Assembly, add_constant, at, imm, several
from mcusim.program import KernelCall, Routine

AT_A_TIME = 4
SAVED = ("r4", "r5", "r6")
CALL_CYCLES = 12  # what is not of a column


def spread(channels: int, column: int, step: int) -> Routine:
    """Of each column `channels` words; the next one lies `column` words behind. Each goes `step` words further."""
    name = f"nn_spread_{channels}_{column}_{step}"
    a = Assembly(
        name,
        [
            f"{name}: columns of {channels} words, {column} words apart, go where words lie {step} words apart.",
            "",
            "to, from, number of columns (at least 1)",
        ],
    )
    a.register("to", "r0")
    a.register("from", "r1")
    a.register("columns", "r2", "left")
    a.register("fours", "r3", "left of a column")
    words = ("r4", "r5", "r6", "r12")
    fours, rest = divmod(channels, AT_A_TIME)
    a("push", several([*SAVED, "lr"]))
    with a.counted("column", "A column", "columns"):
        if fours:
            with a.counted("four", f"{AT_A_TIME} words", "fours", fours):
                _some(a, words, step)
        if rest:
            a.block("The rest of the column")
            _some(a, words[:rest], step)
        add_constant(a, "from", 4 * (column - channels), "fours")
    a("pop", several([*SAVED, "pc"]))
    twin = KernelCall("spread", ("to", "from", "columns"), {"channels": channels, "column": column, "step": step})
    return a.routine("float *to, const float *from, int columns", twin)


def _some(a: Assembly, words: tuple[str, ...], step: int) -> None:
    for index, word in enumerate(words):
        a("ldr", word, at("from", 4 * index))
    a("add", "from", "from", imm(4 * len(words)))
    for index, word in enumerate(words):
        a("str", word, at("to", 4 * step * index))
    a("add", "to", "to", imm(4 * step * len(words)))


def column_cycles(channels: int, *, apart: bool) -> int:
    """`apart`: from a column to the next there are more words than these."""
    fours, rest = divmod(channels, AT_A_TIME)
    loop = fours * (2 * AT_A_TIME + 3) + (3 * fours if fours > 1 else 0)
    return loop + (2 * rest + 3 if rest else 0) + apart + 3
