"""The transforms of exact Winograd, F(4,3): tiles of inputs -> V, weights -> U, all pairs of numbers of 16 bits."""

from __future__ import annotations

from collections.abc import Callable

from mcusim.kernels.assembly import LONGEST_OFFSET, Assembly, at, imm, several
from mcusim.kernels.winograd_points import POINTS
from mcusim.program import KernelCall, Routine

SAVED = [*(f"r{n}" for n in range(4, 12)), "lr"]
RESTORED = [*(f"r{n}" for n in range(4, 12)), "pc"]
INPUT_SIGNATURE = "const void *input, int16_t *output, int cells"
WEIGHTS_SIGNATURE = "const void *input, int16_t *output"
HALF = POINTS // 2


def step(a: Assembly, register: str, value: int) -> None:
    """register += value, in steps that an instruction holds: 12 bits, or a power of two."""
    while value:
        size = abs(value)
        some = size if size & (size - 1) == 0 else min(size, LONGEST_OFFSET)
        wide = "w" if some <= LONGEST_OFFSET else ""
        a(("add" if value > 0 else "sub") + wide, register, register, imm(some))
        value -= some if value > 0 else -some


class Stores:
    """To points that lie `apart` bytes from each other. `base` moves where a store does not reach that far."""

    def __init__(self, a: Assembly, base: str, apart: int) -> None:
        self._a, self._base, self._apart = a, base, apart
        within = (LONGEST_OFFSET - 12) // apart + 1
        self.near = POINTS if within >= POINTS else HALF if within >= HALF else min(within, 2)
        self._first = 0

    def __call__(self, name: str, point: int, offset: int) -> None:
        first = point // self.near * self.near
        step(self._a, self._base, (first - self._first) * self._apart)
        self._first = first
        self._a("str", name, at(self._base, (point - first) * self._apart + offset))

    def end(self, advance: int) -> None:
        """Back to the first point, and on to the next words."""
        step(self._a, self._base, advance - self._first * self._apart)
        self._first = 0


def input_transform(channels: int, bytes_: int, unsigned: bool, cell_step: int, apart: int) -> Routine:
    """Tiles of 6 positions of `channels` numbers of `bytes_`, one `cell_step` bytes after the other."""
    row = channels * bytes_
    kind = ("unsigned" if unsigned else "signed") if bytes_ == 1 else "pairs"
    name = f"nn_winograd_input_{kind}_{channels}_{cell_step}_{apart}"
    a = Assembly(name, _input_head(name, channels, bytes_, unsigned, cell_step, apart))
    a.register("input", "r0", "the words of a tile's first position; the others lie behind it")
    a.register("output", "r1", "words of the point 0")
    words = [a.register(f"in{i}", f"r{3 + i}", f"position {i}: a word as it is stored") for i in range(POINTS)]
    free = [a.register(f"t{i}", register) for i, register in enumerate(("r2", "r9", "r10", "r11", "r12", "lr"))]
    a.block("On the stack: the end of the channels, tiles left")
    a("push", several(["r2", *SAVED]))
    a("sub", "sp", "sp", imm(8))
    store = Stores(a, "output", apart)
    with a.loop("tile", "A tile") as tile:
        a("addw", "t0", "input", imm(row))
        a("str", "t0", "[sp]")
        with a.loop("channels", "Six positions of the same channels") as again:
            for i in range(1, POINTS):
                a("ldr", words[i], at("input", i * row))
            a("ldr", words[0], "[input]", imm(4))
            if bytes_ == 1:
                extend = "uxtb16" if unsigned else "sxtb16"
                _half(a, _into(a, extend, words, free), free, lambda name, point: store(name, point, 0))
                a.block("Likewise channels 1 and 3 of the four")
                back = store.near < POINTS
                _half(a, _turned(a, extend, words), free, lambda name, point: store(name, point, 4), back_first=back)
                store.end(8)
            else:
                _half(a, lambda i: words[i], free, lambda name, point: store(name, point, 0))
                store.end(4)
            a("ldr", "t0", "[sp]")
            a("cmp", "input", "t0")
            a("bne", again)
        step(a, "input", cell_step - row)
        a("ldr", "t0", at("sp", 8))
        a("subs", "t0", "t0", imm(1))
        a("str", "t0", at("sp", 8))
        a("bne", tile)
    a("add", "sp", "sp", imm(12))
    a("pop", several(RESTORED))
    fields = {"channels": channels, "is_unsigned": int(unsigned), "cell_step": cell_step // bytes_, "apart": apart // 2}
    call = KernelCall("winograd_input", ("input", "output", "cells"), fields)
    return Routine(name, a.text, a.code_bytes, INPUT_SIGNATURE, call)


def _into(a: Assembly, extend: str, words: list[str], free: list[str]) -> Callable[[int], str]:
    """Numbers 0 and 2 of a word, in a register that is free."""

    def expanded(i: int) -> str:
        name = free.pop()
        a(extend, name, words[i])
        return name

    return expanded


def _turned(a: Assembly, extend: str, words: list[str]) -> Callable[[int], str]:
    """Numbers 1 and 3 of a word, in its place."""

    def expanded(i: int) -> str:
        a(extend, words[i], words[i], "ror #8")
        return words[i]

    return expanded


def _half(
    a: Assembly,
    expanded: Callable[[int], str],
    free: list[str],
    store: Callable[[str, int], None],
    *,
    back_first: bool = False,
) -> None:
    """All points of a pair of channels. `free` registers are taken from, and those that are done with, put there.

    `back_first`: points 3, 4, 5 before 0, 1, 2, since that is where the stores are.
    """
    e4, e2 = expanded(4), expanded(2)
    u = free.pop()
    a("ssub16", u, e4, e2)
    if back_first:
        e1, e3 = expanded(1), expanded(3)
        v = free.pop()
        _back(a, (u, v, e1, e3), expanded, free, store)
        free.append(v)
        _front(a, (u, e4, e2, e1, e3), expanded, free, store)
        free.append(u)
        return
    e1, e3 = _front(a, (u, e4, e2, "", ""), expanded, free, store)
    _back(a, (u, e1, e1, e3), expanded, free, store)
    free += [u, e1, e3]
    words = {f"in{i}" for i in range(POINTS)}
    free[:] = sorted({name for name in free if name not in words})


def _front(
    a: Assembly,
    names: tuple[str, ...],
    expanded: Callable[[int], str],
    free: list[str],
    store: Callable[[str, int], None],
) -> tuple[str, str]:
    """4 d0 - 5 d2 + d4, and (d4 - 4 d2) +- (d3 - 4 d1); -> d1 and d3"""
    u, e4, e2, e1, e3 = names
    e0 = expanded(0)
    a("ssub16", e0, e0, e2)
    a("sadd16", e0, e0, e0)
    a("sadd16", e0, e0, e0)
    a("sadd16", e0, e0, u)
    store(e0, 0)
    free.append(e0)
    a("sadd16", e2, e2, e2)
    a("sadd16", e2, e2, e2)
    a("ssub16", e4, e4, e2)
    free.append(e2)
    if not e1:
        e1, e3 = expanded(1), expanded(3)
    b = free.pop()
    a("sadd16", b, e1, e1)
    a("sadd16", b, b, b)
    a("ssub16", b, e3, b)
    t = free.pop()
    a("sadd16", t, e4, b)
    store(t, 1)
    a("ssub16", t, e4, b)
    store(t, 2)
    free += [t, b, e4]
    return e1, e3


def _back(
    a: Assembly,
    names: tuple[str, ...],
    expanded: Callable[[int], str],
    free: list[str],
    store: Callable[[str, int], None],
) -> None:
    """(d4 - d2) -+ 2 (d1 - d3), and 4 d1 - 5 d3 + d5"""
    u, v, e1, e3 = names
    a("ssub16", v, e1, e3)
    a("sadd16", v, v, v)
    t = free.pop()
    a("ssub16", t, u, v)
    store(t, 3)
    a("sadd16", t, u, v)
    store(t, 4)
    free.append(t)
    a("sadd16", v, v, v)
    e5 = expanded(5)
    t = free.pop()
    a("ssub16", t, e5, e3)
    a("sadd16", t, t, v)
    store(t, 5)
    free += [t, e5]


def weight_transform(channels: int, bytes_: int, rows: int, apart: int) -> Routine:
    """Two filters of `rows` rows of 3 taps of `channels` numbers -> six points each, their words side by side."""
    row, words = channels * bytes_, rows * channels // 2
    name = f"nn_winograd_weights_{'bytes' if bytes_ == 1 else 'pairs'}_{channels}_{rows}"
    a = Assembly(name, _weights_head(name, channels, bytes_, rows, apart))
    a.register("input", "r0", "words of the first tap; the others lie behind it")
    a.register("output", "r1", "words of the point 0")
    taps = [a.register(f"g{i}", f"r{2 + i}", f"tap {i}: a word as it is stored") for i in range(3)]
    pairs = [a.register(f"e{i}", f"r{5 + i}", f"tap {i}: a pair of numbers") for i in range(3)]
    for i in range(2):
        a.register(f"t{i}", f"r{8 + i}")
    a.register("end", "r10", "of the channels")
    a.register("filters", "r11")
    a.register("rows", "lr")
    a("push", several(SAVED))
    a("mov", "filters", imm(2))
    store = Stores(a, "output", apart)
    with a.loop("filter", "A filter") as filter_:
        a("mov", "rows", imm(rows))
        with a.loop("row", "A row of the window") as again_row:
            a("addw", "end", "input", imm(row))
            with a.loop("channels", "Three taps of the same channels") as again:
                for i in (1, 2):
                    a("ldr", taps[i], at("input", i * row))
                a("ldr", taps[0], "[input]", imm(4))
                if bytes_ == 1:
                    for half in range(2):
                        for tap, pair in zip(taps, pairs, strict=True):
                            a("sxtb16", pair, tap, *(["ror #8"] if half else []))
                        _points(a, pairs, lambda name, point, half=half: store(name, point, 8 * half))  # type: ignore[misc]
                    store.end(16)
                else:
                    _points(a, taps, lambda name, point: store(name, point, 0))
                    store.end(8)
                a("cmp", "input", "end")
                a("bne", again)
            step(a, "input", 2 * row)
            a("subs", "rows", "rows", imm(1))
            a("bne", again_row)
        step(a, "output", 4 - 8 * words)
        a("subs", "filters", "filters", imm(1))
        a("bne", filter_)
    a("pop", several(RESTORED))
    fields = {"channels": channels, "rows": rows, "apart": apart // 2}
    return Routine(
        name, a.text, a.code_bytes, WEIGHTS_SIGNATURE, KernelCall("winograd_weights", ("input", "output"), fields)
    )


def _points(a: Assembly, taps: list[str], store: Callable[[str, int], None]) -> None:
    """g0; g0 + g2 +- g1; g0 + 4 g2 +- 2 g1; g2"""
    g0, g1, g2 = taps
    store(g0, 0)
    a("sadd16", "t0", g0, g2)
    a("sadd16", "t1", "t0", g1)
    store("t1", 1)
    a("ssub16", "t1", "t0", g1)
    store("t1", 2)
    a("sadd16", "t0", g2, g2)
    a("sadd16", "t0", "t0", "t0")
    a("sadd16", "t0", "t0", g0)
    a("sadd16", g1, g1, g1)
    a("sadd16", "t1", "t0", g1)
    store("t1", 3)
    a("ssub16", "t1", "t0", g1)
    store("t1", 4)
    store(g2, 5)


def _input_head(name: str, channels: int, bytes_: int, unsigned: bool, cell_step: int, apart: int) -> list[str]:
    numbers = (
        f"numbers of 8 bits {'without a sign' if unsigned else 'with a sign'}" if bytes_ == 1 else "numbers of 16 bits"
    )
    return [
        f"{name}: tiles of 6 positions for F(4,3), {numbers}.",
        "",
        f"input    tiles, {cell_step} bytes from one to the next: [6 positions][{channels} channels]",
        f"output   [6 points][tiles][{channels} channels] of 16 bits; points lie {apart} bytes apart",
        "cells    tiles",
        "",
        "V0 = 4 d0 - 5 d2 + d4                V1, V2 = (d4 - 4 d2) +- (d3 - 4 d1)",
        "V5 = 4 d1 - 5 d3 + d5                V3, V4 = (d4 - d2) -+ 2 (d1 - d3)",
        "The largest is 10 times an input: mcusim proved that it fits in 16 bits.",
        *(
            ["Words of four numbers become pairs: numbers 0 and 2, then 1 and 3, as those of the weights."]
            if bytes_ == 1
            else []
        ),
    ]


def _weights_head(name: str, channels: int, bytes_: int, rows: int, apart: int) -> list[str]:
    return [
        f"{name}: two filters of {rows} x 3 taps for F(4,3), numbers of {8 * bytes_} bits.",
        "",
        f"input    [2 filters][{rows} rows][3 taps][{channels} channels]",
        f"output   [6 points][words][2 filters] pairs of numbers of 16 bits; points lie {apart} bytes apart",
        "",
        "U0 = g0,  U1, U2 = g0 + g2 +- g1,  U3, U4 = g0 + 4 g2 +- 2 g1,  U5 = g2",
        "The largest is 7 times a weight: mcusim proved that it fits in 16 bits.",
    ]
