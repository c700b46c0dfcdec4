"""The transform of weights of exact Winograd: rows of three taps -> U, pairs of numbers of 16 bits of two filters."""

from collections.abc import Callable
from functools import lru_cache

from mcusim.kernels.assembly import SAVED, WORD_BYTES, Assembly, Timed, at, imm, several
from mcusim.kernels.winograd.points import F43, Scheme
from mcusim.kernels.winograd.stores import Stores, step
from mcusim.program import KernelCall

SIGNATURE = "const void *input, int16_t *output"


@lru_cache(maxsize=256)
def timed_weights(scheme: Scheme, channels: int, bytes_: int, rows: int, apart: int) -> Timed:
    """Two filters of `rows` rows of 3 taps of `channels` numbers -> their points, their words side by side."""
    row, words = channels * bytes_, rows * channels // 2
    kind = f"{'bytes' if bytes_ == 1 else 'pairs'}{'' if scheme is F43 else f'_{scheme.points}'}"
    name = f"nn_winograd_weights_{kind}_{channels}_{rows}"
    a = Assembly(name, _head(name, scheme, channels, bytes_, rows, apart))
    a.register("input", "r0", "words of the first tap; the others lie behind it")
    a.register("output", "r1", "words of the point 0")
    taps = [a.register(f"g{i}", f"r{2 + i}", f"tap {i}: a word as it is stored") for i in range(3)]
    pairs = [a.register(f"e{i}", f"r{5 + i}", f"tap {i}: a pair of numbers") for i in range(3)]
    for i in range(2):
        a.register(f"t{i}", f"r{8 + i}")
    a.register("end", "r10", "of the channels")
    a.register("filters", "r11")
    a.register("rows", "lr")
    a("push", several([*SAVED, "lr"]))
    a("mov", "filters", imm(2))
    store = Stores(a, "output", scheme.points, apart)
    with a.part("filter"), a.counted("filter", "A filter", "filters"):
        a("mov", "rows", imm(rows))
        with a.part("row"), a.counted("row", "A row of the window", "rows"):
            a("addw", "end", "input", imm(row))
            with a.part("word"), a.loop("channels", "Three taps of the same channels") as again:
                for i in (1, 2):
                    a("ldr", taps[i], at("input", i * row))
                a("ldr", taps[0], "[input]", imm(4))
                if bytes_ == 1:
                    for half in range(2):
                        for tap, pair in zip(taps, pairs, strict=True):
                            a("sxtb16", pair, tap, *(["ror #8"] if half else []))
                        points_of_taps(a, scheme, pairs, lambda name, point, half=half: store(name, point, 8 * half))  # type: ignore[misc]
                    store.end(16)
                else:
                    points_of_taps(a, scheme, taps, lambda name, point: store(name, point, 0))
                    store.end(8)
                a("cmp", "input", "end")
                a("bne", again)
            step(a, "input", 2 * row)
        step(a, "output", 4 - 8 * words)
    a("pop", several([*SAVED, "pc"]))
    fields = {"outputs": scheme.outputs_of_a_tile, "channels": channels, "rows": rows, "apart": apart // 2}
    call = KernelCall("winograd_weights", ("input", "output"), fields)
    of_rows = rows * (a.parts["row"] + row // WORD_BYTES * a.parts["word"])
    return Timed(a.routine(SIGNATURE, call), a.parts[""] + 2 * (a.parts["filter"] + of_rows))


def points_of_taps(a: Assembly, scheme: Scheme, taps: list[str], store: Callable[[str, int], None]) -> None:
    """g0; g0 + g2 +- g1; of F(4,3) g0 + 4 g2 +- 2 g1; g2"""
    g0, g1, g2 = taps
    store(g0, 0)
    a("sadd16", "t0", g0, g2)
    a("sadd16", "t1", "t0", g1)
    store("t1", 1)
    a("ssub16", "t1", "t0", g1)
    store("t1", 2)
    if scheme is F43:
        a("sadd16", "t0", g2, g2)
        a("sadd16", "t0", "t0", "t0")
        a("sadd16", "t0", "t0", g0)
        a("sadd16", g1, g1, g1)
        a("sadd16", "t1", "t0", g1)
        store("t1", 3)
        a("ssub16", "t1", "t0", g1)
        store("t1", 4)
    store(g2, scheme.points - 1)


def _head(name: str, scheme: Scheme, channels: int, bytes_: int, rows: int, apart: int) -> list[str]:
    more = ["U0 = g0,  U1, U2 = g0 + g2 +- g1,  U3 = g2"]
    if scheme is F43:
        more = ["U0 = g0,  U1, U2 = g0 + g2 +- g1,  U3, U4 = g0 + 4 g2 +- 2 g1,  U5 = g2"]
    return [
        f"{name}: two filters of {rows} x 3 taps for F({scheme.outputs_of_a_tile},3), numbers of {8 * bytes_} bits.",
        "",
        f"input    [2 filters][{rows} rows][3 taps][{channels} channels]",
        f"output   [{scheme.points} points][words][2 filters] pairs of 16 bits; points lie {apart} bytes apart",
        "",
        *more,
        "mcusim proved that they fit in 16 bits, for these very weights.",
    ]
