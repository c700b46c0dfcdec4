"""2 filters x 4 tiles of exact two-dimensional Winograd: products of each point, then 16 outputs of each from them."""

from functools import lru_cache

from mcusim.kernels.assembly import SAVED, Assembly, Timed, at, constant, imm, several
from mcusim.kernels.finish import Ending, FactorFinish, Finish
from mcusim.kernels.squares.points import LEFT_BITS, NINTH, OUTPUTS, POINTS, SIDE, TILES
from mcusim.kernels.straight import StraightFinish
from mcusim.kernels.winograd.stores import step
from mcusim.kernels.winograd.tile import POINT_BYTES, Layout, registers, sums_of_points
from mcusim.program import KernelCall

POINTERS = "const int16_t *input, const int16_t *weights, void *output, const int32_t *bias, const int32_t *offsets"
SIGNATURE = f"{POINTERS}, int groups"
# On the stack above the sums: what the filters' outputs end with, then the table of rows that are outputs
OUTPUT, INPUT, WEIGHTS, UNIT, LEFT = 0, 4, 8, 12, 16
ENDINGS, ENDING_BYTES = 20, 16
TABLE = ENDINGS + 2 * ENDING_BYTES
ROW_BYTES = 4 * SIDE
FRAME = TABLE + OUTPUTS * ROW_BYTES
OFFSETS, GROUPS = FRAME + 4 + 4 * len(SAVED), FRAME + 8 + 4 * len(SAVED)  # the caller's
MADE = ("r4", "r7", "r8", "r9")  # the four outputs of six points in r4 to r9
FOUR = (
    "With M the sums of six points, and a, b, c, d the numbers M1 + M2, M3 + M4, M1 - M2, M3 - M4, 6 M0 - 4 a + b is",
    "24 times an output, d - 2 c 12 times the next, b - a 6 times, and 2 (3 M5 + d) - c, too: down the columns first,",
    "then along the rows. So 9 * 2^k times an output is left. The product with the inverse of 9 modulo 2^32, shifted,",
    "makes 64 times it, and the bias comes with it. Sums wrap round at 32 bits: all is right modulo 2^32, and mcusim",
    "proved that 64 times an output fits in 32 bits.",
)


@lru_cache(maxsize=256)
def timed_tile(layout: Layout, finish: Ending, *, in_flash: bool) -> tuple[Timed, int]:
    """Each is a group of four tiles. And bytes of the code of outputs, which runs for every tile of a filter.

    `in_flash`: are weights?
    """
    name = f"nn_squares_{layout.words}_{layout.output}_{layout.output_tile}_{finish.key}"
    a = Assembly(name, _head(name, layout))
    registers(a, in_flash=in_flash)
    _enter(a, finish)
    with a.part("group"), a.loop("group", "Four tiles: so many points are left") as group:
        a("mov", "weight0", imm(POINTS))
        a("push", "{weight0}")
        sums_of_points(a, layout)
        a.block("Outputs. r12 sums of a tile, r2 where the next one lies, r3 what a filter's outputs end with")
        a("str", "input", at("sp", layout.m_bytes + INPUT))
        a("ldr", "r2", at("sp", layout.m_bytes + OFFSETS))
        a("add", "r12", "sp", imm(4))
        a("addw", "r3", "sp", imm(layout.m_bytes + ENDINGS))
        _filters(a, layout, finish)
        a.block("The next four tiles")
        a("add", "sp", "sp", imm(layout.m_bytes))
        a("ldr", "r1", at("sp", OUTPUT))
        a("add", "r2", "r2", imm(4 * TILES))
        a("str", "r2", at("sp", OFFSETS))
        a("sub", "r1", "r1", imm(2 * finish.store_bytes))
        a("str", "r1", at("sp", OUTPUT))
        a("ldr", "input", at("sp", INPUT))
        a("ldr", "weights", at("sp", WEIGHTS))
        a("ldr", "r1", at("sp", GROUPS))
        a("subs", "r1", "r1", imm(1))
        a("str", "r1", at("sp", GROUPS))
        a("bne", group)
    a("add", "sp", "sp", imm(FRAME))
    a("pop", several([*SAVED, "pc"]))
    fields = {
        "words": layout.words,
        "apart": layout.apart // 2,
        "filters": layout.output // finish.store_bytes,
        "row": layout.output_tile // finish.store_bytes,
        **finish.fields,
    }
    call = KernelCall("squares_tile", ("input", "weights", "output", "bias", "offsets", "groups"), fields)
    *_, turns = layout.plan
    each = a.parts["group"] + POINTS * (a.parts["point"] + turns * a.parts["turn"])
    each += 2 * a.parts["filter"] + 2 * TILES * (a.parts["tile"] + SIDE * a.parts["column"])
    of_outputs = a.part_bytes["tile"] + a.part_bytes["column"]
    return Timed(a.routine(SIGNATURE, call), a.parts[""], each), of_outputs


def _enter(a: Assembly, finish: Ending) -> None:
    a.block("On the stack: output, weights, what ends the outputs of two filters")
    a("push", several([*SAVED, "lr"]))
    a("sub", "sp", "sp", imm(FRAME))
    a("str", "r2", at("sp", OUTPUT))
    a("str", "r1", at("sp", WEIGHTS))
    a("mov", "weights", "r1")
    a("add", "r2", "sp", imm(ENDINGS))
    known = finish.factor if isinstance(finish, FactorFinish) else ()
    for filter_ in range(2):
        for index, register in enumerate(("r4", "r5", "r6", "r7")[: finish.record_words]):
            a("ldr", register, at("r3", 4 * (finish.record_words * filter_ + index)))
        a("lsl", "r4", "r4", imm(LEFT_BITS))
        if isinstance(finish, StraightFinish) and not finish.bare:  # its addend has the power of two of the sums
            a("lsl", "r6", "r6", imm(LEFT_BITS))
        for index, register in enumerate((*("r5", "r6", "r7")[: len(known)], "r4")):
            a("str", register, at("r2", ENDING_BYTES * filter_ + 4 * index))


def _filters(a: Assembly, layout: Layout, finish: Ending) -> None:
    """Outputs of four tiles of both filters; r2 is then where it was."""
    state = {name: at("sp", layout.m_bytes + place) for name, place in (("unit", UNIT), ("left", LEFT))}
    table = layout.m_bytes + TABLE
    with a.part("tile"), a.loop("tile", "A tile of a filter: points down the columns become rows of outputs") as tile:
        a("add", "r0", "r12", imm(POINT_BYTES * (POINTS - SIDE)))
        a("addw", "r1", "sp", imm(table))
        with a.part("column"), a.counted("column", "Six points", "lr", SIDE):
            for point in range(SIDE):
                a("ldr", f"r{4 + point}", at("r0", POINT_BYTES * (SIDE - 1 - point)))
            _four(a)
            for row in range(1, OUTPUTS):
                a("str", MADE[row], at("r1", row * ROW_BYTES))
            a("str", MADE[0], "[r1]", imm(4))
            a("sub", "r0", "r0", imm(SIDE * POINT_BYTES))
        a.block("r0 rows, r1 output; the inverse of 9 times three powers of two in lr, r2 and r12")
        a("ldr", "r0", at("sp", layout.m_bytes + OUTPUT))
        a("ldr", "r1", "[r2]", imm(4))
        a("str", "r2", at("sp", layout.m_bytes + LEFT))
        a("str", "r12", state["unit"])
        a("add", "r1", "r1", "r0")
        a("addw", "r0", "sp", imm(table))
        constant(a, "lr", NINTH)
        a("lsl", "r2", "lr", imm(1))
        a("lsl", "r12", "lr", imm(2))
        ninths = ["lr", "r2", "r12"]
        for row in range(OUTPUTS):
            _row(a, layout, finish, row, ninths)
        a.block("The next tile; of the second filter the same four")
        a("ldr", "r2", state["left"])
        a("ldr", "r12", state["unit"])
        a("ldr", "r0", at("sp", layout.m_bytes + OFFSETS))
        a("add", "r12", "r12", imm(4))
        a("add", "r1", "r0", imm(4 * TILES))
        a("cmp", "r2", "r1")
        a("bne", tile)
    with a.part("filter"):
        a("ldr", "r1", at("sp", layout.m_bytes + OUTPUT))
        a("addw", "r0", "sp", imm(4 + 8 * TILES))
        a("add", "r1", "r1", imm(finish.store_bytes))
        a("str", "r1", at("sp", layout.m_bytes + OUTPUT))
        a("add", "r3", "r3", imm(ENDING_BYTES))
        a("sub", "r2", "r2", imm(4 * TILES))
        a("cmp", "r12", "r0")
        a("bne", tile)


def _four(a: Assembly) -> None:
    """M of six points in r4 to r9 -> 24, 12, 6 and 6 times the outputs in MADE."""
    a("add", "r10", "r5", "r6")
    a("sub", "r5", "r5", "r6")
    a("add", "r11", "r7", "r8")
    a("sub", "r7", "r7", "r8")
    a("add", "r4", "r4", "r4", "lsl #1")
    a("sub", "r6", "r11", "r10", "lsl #2")
    a("add", "r9", "r9", "r9", "lsl #1")
    a("add", "r4", "r6", "r4", "lsl #1")
    a("add", "r9", "r9", "r7")
    a("sub", "r8", "r11", "r10")
    a("rsb", "r9", "r5", "r9", "lsl #1")
    a("sub", "r7", "r7", "r5", "lsl #1")


def _row(a: Assembly, layout: Layout, finish: Ending, row: int, ninths: list[str]) -> None:
    """Four outputs side by side. `ninths` become those of the next row: larger, as its numbers are smaller."""
    a.block(f"Row {row}")
    a("ldm", "r0!", several(f"r{4 + point}" for point in range(SIDE)))
    _four(a)
    known = len(finish.factor) if isinstance(finish, FactorFinish) else 0
    factor = ("r5", "r6", "r10")[:known]
    bias = "r11" if known == 3 else "r10"
    if factor:
        a("ldm", "r3", several([*factor, bias]))
    else:
        a("ldr", bias, "[r3]")
    for name, ninth in zip(MADE, (ninths[0], ninths[1], ninths[2], ninths[2]), strict=True):
        a("mla", name, name, ninth, bias)
    if isinstance(finish, Finish):
        finish.saturated(a, MADE, "r10", more=LEFT_BITS)
    else:
        finish.scaled(a, MADE, factor, "r11", more=LEFT_BITS)
    for index, name in enumerate(MADE):
        finish.store(a, name, "r1", index * layout.output)
    if row < OUTPUTS - 1:
        step(a, "r1", layout.output_tile)
    if row < 2:  # 24, 12, 6 and 6 times
        a("lsl", ninths[0], ninths[0], imm(3))
        ninths.append(ninths.pop(0))


def _head(name: str, layout: Layout) -> list[str]:
    return [
        f"{name}: F(4 x 4, 3 x 3) for 2 filters x 4 tiles of 4 x 4 outputs, {2 * layout.words} products a sum.",
        "",
        f"input    V: [groups][{POINTS} points][{TILES} tiles][{layout.words} words] pairs",
        f"weights  U: [{POINTS} points][{layout.words} words][2 filters] pairs; points lie {layout.apart} bytes apart",
        f"output   of the first filter; outputs lie {layout.output} bytes apart, their rows {layout.output_tile}",
        "bias     of the two filters, and behind each what scales its sums, where that is more than a shift",
        "offsets  bytes from `output` to the first output of each tile",
        "groups   of four tiles",
        "",
        *FOUR,
        "The address of the input ends the loop over the words, so that no register counts: each point of the first",
        "tile ends at a multiple of a power of two.",
    ]
