"""The transform of weights of exact two-dimensional Winograd: windows of 3 x 3 taps -> U, pairs of 16 bits."""

from functools import lru_cache

from mcusim.kernels.assembly import SAVED, WORD_BYTES, Assembly, Timed, at, imm, several
from mcusim.kernels.squares.points import SIDE
from mcusim.kernels.winograd.points import F43, WINDOW
from mcusim.kernels.winograd.stores import Stores, step
from mcusim.kernels.winograd.weights import SIGNATURE, points_of_taps
from mcusim.program import KernelCall

COLUMN_BYTES = WINDOW * WORD_BYTES  # on the stack: one point of all rows, of a pair of channels
TABLE_BYTES = SIDE * 2 * COLUMN_BYTES
OUTPUT, END, FILTERS, FRAME = TABLE_BYTES, TABLE_BYTES + 4, TABLE_BYTES + 8, TABLE_BYTES + 12
PAIR_BYTES = 2 * WORD_BYTES  # a pair of numbers of both filters


@lru_cache(maxsize=256)
def timed_weights(channels: int, apart: int) -> Timed:
    """Two filters; their words side by side."""
    name = f"nn_squares_weights_{channels}"
    a = Assembly(name, _head(name, channels, apart))
    a.register("input", "r0", "words of the first tap; the others lie behind it")
    a.register("output", "r1", "words of the point 0 of a column")
    taps = [a.register(f"g{i}", f"r{2 + i}", f"tap {i}: a word as it is stored, or a pair") for i in range(WINDOW)]
    pairs = [a.register(f"e{i}", f"r{5 + i}", f"tap {i}: a pair of numbers") for i in range(WINDOW)]
    for i in range(2):
        a.register(f"t{i}", f"r{8 + i}")
    a.register("table", "r10", "points of rows, on the stack: [points][pairs][rows]")
    a.register("rest", "r11")
    a.block("Behind the table: output, end of the channels, filters left")
    a("push", several([*SAVED, "lr"]))
    a("sub", "sp", "sp", imm(FRAME))
    a("mov", "rest", imm(2))
    with a.part("filter"), a.loop("filter", "A filter") as filter_:
        a("str", "rest", at("sp", FILTERS))
        a("addw", "rest", "input", imm(channels))
        a("str", "rest", at("sp", END))
        with a.part("word"), a.loop("channels", "Nine taps of the same four channels") as again:
            a("str", "output", at("sp", OUTPUT))
            _rows(a, channels, taps, pairs)
            _columns(a, apart, taps)
            a.block("The next four channels")
            a("ldr", "output", at("sp", OUTPUT))
            a("ldr", "rest", at("sp", END))
            step(a, "input", WORD_BYTES - 9 * channels)
            a("add", "output", "output", imm(2 * PAIR_BYTES))
            a("cmp", "input", "rest")
            a("bne", again)
        step(a, "input", 8 * channels)
        step(a, "output", WORD_BYTES - channels // 2 * PAIR_BYTES)
        a("ldr", "rest", at("sp", FILTERS))
        a("subs", "rest", "rest", imm(1))
        a("bne", filter_)
    a("add", "sp", "sp", imm(FRAME))
    a("pop", several([*SAVED, "pc"]))
    call = KernelCall("squares_weights", ("input", "output"), {"channels": channels, "apart": apart // 2})
    of_a_word = a.parts["word"] + WINDOW * a.parts["row"] + SIDE * a.parts["column"]
    return Timed(a.routine(SIGNATURE, call), a.parts[""] + 2 * (a.parts["filter"] + channels // WORD_BYTES * of_a_word))


def _rows(a: Assembly, channels: int, taps: list[str], pairs: list[str]) -> None:
    """Three taps of each row -> six points, of both pairs of channels, into the table."""
    a("mov", "table", "sp")
    with a.part("row"), a.loop("row", "A row of taps") as again:
        for i, tap in enumerate(taps):
            a("ldr", tap, at("input", i * channels))
        for half in range(2):
            for tap, pair in zip(taps, pairs, strict=True):
                a("sxtb16", pair, tap, *(["ror #8"] if half else []))
            points_of_taps(a, F43, pairs, lambda name, point, half=half: _put(a, name, point, half))  # type: ignore[misc]
        step(a, "input", WINDOW * channels)
        a("add", "table", "table", imm(WORD_BYTES))
        a("add", "rest", "sp", imm(COLUMN_BYTES))
        a("cmp", "table", "rest")
        a("bne", again)


def _put(a: Assembly, name: str, point: int, pair: int) -> None:
    a("str", name, at("table", (2 * point + pair) * COLUMN_BYTES))


def _columns(a: Assembly, apart: int, taps: list[str]) -> None:
    """A point of all three rows -> six points of U, of both pairs."""
    store = Stores(a, "output", SIDE, apart)
    a("mov", "table", "sp")
    with a.part("column"), a.loop("column", "A point of all rows becomes six") as again:
        for half in range(2):
            a("ldm", "table!", several(taps))
            points_of_taps(a, F43, taps, lambda name, point, half=half: store(name, point, half * PAIR_BYTES))  # type: ignore[misc]
        store.end(SIDE * apart)
        a("add", "rest", "sp", imm(TABLE_BYTES))
        a("cmp", "table", "rest")
        a("bne", again)


def _head(name: str, channels: int, apart: int) -> list[str]:
    return [
        f"{name}: two filters of 3 x 3 taps for F(4 x 4, 3 x 3), numbers of 8 bits.",
        "",
        f"input    [2 filters][3 rows][3 taps][{channels} channels]",
        f"output   [36 points][words][2 filters] pairs of 16 bits; points lie {apart} bytes apart; point 6 j + i is",
        "         the i-th down a column of what is the j-th along the rows",
        "",
        "U0 = g0,  U1, U2 = g0 + g2 +- g1,  U3, U4 = g0 + 4 g2 +- 2 g1,  U5 = g2",
        "along the rows, and again down the columns: at most 49 times a weight, which fits in 16 bits.",
    ]
