"""The transform of inputs of exact two-dimensional Winograd: a tile of 6 x 6 positions -> V, pairs of 16 bits."""

from functools import lru_cache

from mcusim.kernels.assembly import SAVED, WORD_BYTES, Assembly, Timed, at, imm, several
from mcusim.kernels.squares.points import SIDE, TILES
from mcusim.kernels.winograd.inputs import FOUR, half_of_word, in_place, into_free
from mcusim.kernels.winograd.stores import Stores
from mcusim.program import KernelCall

SIGNATURE = "const void *input, int16_t *output, int pitch"
COLUMN_BYTES = SIDE * WORD_BYTES  # on the stack: one point of all rows, of a pair of channels
TABLE_BYTES = SIDE * 2 * COLUMN_BYTES
INPUT, OUTPUT, END, FRAME = TABLE_BYTES, TABLE_BYTES + 4, TABLE_BYTES + 8, TABLE_BYTES + 12


@lru_cache(maxsize=256)
def timed_inputs(channels: int, unsigned: bool) -> Timed:
    """Each is a word: four channels of a tile."""
    name = f"nn_squares_input_{'unsigned' if unsigned else 'signed'}_{channels}"
    a = Assembly(name, _head(name, channels, unsigned))
    a.register("input", "r0", "a row of positions: words of the first; later the points of rows, on the stack")
    a.register("output", "r1", "where points of rows go, on the stack; later V, words of the point 0")
    words = [a.register(f"in{i}", f"r{3 + i}", f"position {i} of a row, or row {i}") for i in range(SIDE)]
    free = [a.register(f"t{i}", register) for i, register in enumerate(("r2", "r9", "r10", "r11", "r12", "lr"))]
    a.block("On the stack: points of rows, a table [points][pairs][rows]; input, output, end of the channels; pitch")
    a("push", several(["r2", *SAVED, "lr"]))
    a("sub", "sp", "sp", imm(FRAME))
    a("str", "output", at("sp", OUTPUT))
    a("addw", "t0", "input", imm(channels))
    a("str", "t0", at("sp", END))
    with a.part("word"), a.loop("channels", "Four channels of all positions") as again:
        a("str", "input", at("sp", INPUT))
        a("mov", "output", "sp")
        _rows(a, channels, "uxtb16" if unsigned else "sxtb16", words, free)
        a("mov", "input", "sp")
        a("ldr", "output", at("sp", OUTPUT))
        _columns(a, channels, words, free)
        a.block("The next four channels")
        a("ldr", "input", at("sp", INPUT))
        a("ldr", "t0", at("sp", END))
        a("ldr", "output", at("sp", OUTPUT))
        a("add", "input", "input", imm(WORD_BYTES))
        a("add", "output", "output", imm(2 * WORD_BYTES))
        a("str", "output", at("sp", OUTPUT))
        a("cmp", "input", "t0")
        a("bne", again)
    a("add", "sp", "sp", imm(FRAME + 4))
    a("pop", several([*SAVED, "pc"]))
    fields = {"channels": channels, "is_unsigned": int(unsigned)}
    call = KernelCall("squares_input", ("input", "output", "pitch"), fields)
    each = a.parts["word"] + SIDE * (a.parts["row"] + a.parts["column"])
    return Timed(a.routine(SIGNATURE, call), a.parts[""], each)


def _rows(a: Assembly, channels: int, extend: str, words: list[str], free: list[str]) -> None:
    """Six positions of each row -> six points, of both pairs of channels, into the table."""
    with a.part("row"), a.loop("row", "A row of positions: numbers 0 and 2 of their words, then 1 and 3") as again:
        for i, word in enumerate(words):
            a("ldr", word, at("input", i * channels))
        half_of_word(a, into_free(a, extend, words, free), free, lambda name, point: _put(a, name, point, 0))
        half_of_word(a, in_place(a, extend, words), free, lambda name, point: _put(a, name, point, 1))
        a("ldr", "t1", at("sp", FRAME))
        a("add", "output", "output", imm(WORD_BYTES))
        a("add", "t0", "sp", imm(COLUMN_BYTES))
        a("add", "input", "input", "t1")
        a("cmp", "output", "t0")
        a("bne", again)


def _put(a: Assembly, name: str, point: int, pair: int) -> None:
    a("str", name, at("output", (2 * point + pair) * COLUMN_BYTES))


def _columns(a: Assembly, channels: int, words: list[str], free: list[str]) -> None:
    """A point of all six rows -> six points of V, of both pairs."""
    apart = 2 * channels * TILES
    store = Stores(a, "output", SIDE, apart)
    with a.part("column"), a.loop("column", "A point of all rows becomes six") as again:
        a("ldm", "input!", several(words))
        half_of_word(a, lambda i: words[i], free, lambda name, point: store(name, point, 0))
        a("ldm", "input!", several(words))
        back = store.near < SIDE
        half_of_word(a, lambda i: words[i], free, lambda name, point: store(name, point, WORD_BYTES), back_first=back)
        store.end(SIDE * apart)
        a("add", "t0", "sp", imm(TABLE_BYTES))
        a("cmp", "input", "t0")
        a("bne", again)


def _head(name: str, channels: int, unsigned: bool) -> list[str]:
    sign = "without a sign" if unsigned else "with a sign"
    return [
        f"{name}: a tile of 6 x 6 positions for F(4 x 4, 3 x 3), numbers of 8 bits {sign}.",
        "",
        f"input    its first position; positions of a row lie {channels} bytes apart",
        f"output   [36 points][{TILES} tiles][{channels} channels] of 16 bits, of a tile among them; point 6 j + i is",
        "         the i-th down a column of what is the j-th along the rows",
        "pitch    bytes from row to row of the input",
        "",
        *FOUR[:2],
        "along the rows, and again down the columns. The largest is 100 times an input: mcusim proved that it fits in",
        "16 bits. Words of four numbers become pairs: numbers 0 and 2, then 1 and 3, as those of the weights.",
    ]
