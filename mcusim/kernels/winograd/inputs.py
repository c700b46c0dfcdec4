"""The transform of inputs of exact Winograd: tiles of positions side by side -> V, pairs of numbers of 16 bits."""

from collections.abc import Callable
from functools import lru_cache

from mcusim.kernels.assembly import SAVED, WORD_BYTES, Assembly, Timed, at, imm, several
from mcusim.kernels.winograd.points import F43, Scheme
from mcusim.kernels.winograd.stores import Stores, step
from mcusim.program import KernelCall

SIGNATURE = "const void *input, int16_t *output, int cells"
FOUR = (
    "V0 = 4 d0 - 5 d2 + d4                V1, V2 = (d4 - 4 d2) +- (d3 - 4 d1)",
    "V5 = 4 d1 - 5 d3 + d5                V3, V4 = (d4 - d2) -+ 2 (d1 - d3)",
    "The largest is 10 times an input: mcusim proved that it fits in 16 bits.",
)
TWO = ("V0 = d0 - d2,  V1, V2 = d2 +- d1,  V3 = d1 - d3. mcusim proved that they fit in 16 bits{}.",)
LESS = ", V1 less 2^15,\nwhich sums get back with their bias"

Expanded = Callable[[int], str]  # a position -> the register with half of its numbers, each in 16 bits
Store = Callable[[str, int], None]  # a register, as a point


@lru_cache(maxsize=256)
def timed_inputs(scheme: Scheme, channels: int, bytes_: int, unsigned: bool, cell_step: int, apart: int) -> Timed:
    """Tiles of positions of `channels` numbers of `bytes_`, one `cell_step` bytes after the other."""
    row = channels * bytes_
    kind = ("unsigned" if unsigned else "signed") if bytes_ == 1 else "pairs"
    kind += "" if scheme is F43 else f"_{scheme.points}" + ("_positive" if scheme.offset else "")
    name = f"nn_winograd_input_{kind}_{channels}_{cell_step}_{apart}"
    a = Assembly(name, _head(name, scheme, channels, bytes_, unsigned, cell_step, apart))
    a.register("input", "r0", "the words of a tile's first position; the others lie behind it")
    a.register("output", "r1", "words of the point 0")
    words = [a.register(f"in{i}", f"r{3 + i}", f"position {i}: a word as it is stored") for i in range(scheme.points)]
    free = [a.register(f"t{i}", register) for i, register in enumerate(("r2", "r9", "r10", "r11", "r12", "lr"))]
    a.block("On the stack: the end of the channels, tiles left")
    a("push", several(["r2", *SAVED, "lr"]))
    a("sub", "sp", "sp", imm(8))
    store = Stores(a, "output", scheme.points, apart)
    with a.part("tile"), a.loop("tile", "A tile") as tile:
        a("addw", "t0", "input", imm(row))
        a("str", "t0", "[sp]")
        with a.part("word"), a.loop("channels", "The positions of the same channels") as again:
            _points(a, scheme, row, bytes_, "uxtb16" if unsigned else "sxtb16", words, free, store)
            a("ldr", "t0", "[sp]")
            a("cmp", "input", "t0")
            a("bne", again)
        step(a, "input", cell_step - row)
        a("ldr", "t0", at("sp", 8))
        a("subs", "t0", "t0", imm(1))
        a("str", "t0", at("sp", 8))
        a("bne", tile)
    a("add", "sp", "sp", imm(12))
    a("pop", several([*SAVED, "pc"]))
    fields = {
        "outputs": scheme.outputs_of_a_tile,
        "offset": scheme.offset,
        "channels": channels,
        "is_unsigned": int(unsigned),
        "cell_step": cell_step // bytes_,
        "apart": apart // 2,
    }
    call = KernelCall("winograd_input", ("input", "output", "cells"), fields)
    return Timed(a.routine(SIGNATURE, call), a.parts[""], a.parts["tile"] + row // WORD_BYTES * a.parts["word"])


def _points(
    a: Assembly, scheme: Scheme, row: int, bytes_: int, extend: str, words: list[str], free: list[str], store: Stores
) -> None:
    """Of the same word of all positions; both pointers move on."""
    for i in range(1, scheme.points):
        a("ldr", words[i], at("input", i * row))
    a("ldr", words[0], "[input]", imm(4))
    if bytes_ == 1:
        half_of_word(a, into_free(a, extend, words, free), free, lambda name, point: store(name, point, 0))
        a.block("Likewise channels 1 and 3 of the four")
        back = store.near < scheme.points
        half_of_word(a, in_place(a, extend, words), free, lambda name, point: store(name, point, 4), back_first=back)
        store.end(8)
    elif scheme is F43:
        half_of_word(a, lambda i: words[i], free, lambda name, point: store(name, point, 0))
        store.end(4)
    else:
        _two(a, words, free[0], scheme.offset, lambda name, point: store(name, point, 0))
        store.end(4)


def into_free(a: Assembly, extend: str, words: list[str], free: list[str]) -> Expanded:
    """Numbers 0 and 2 of a word, in a register that is free."""

    def expanded(i: int) -> str:
        name = free.pop()
        a(extend, name, words[i])
        return name

    return expanded


def in_place(a: Assembly, extend: str, words: list[str]) -> Expanded:
    """Numbers 1 and 3 of a word, in its place."""

    def expanded(i: int) -> str:
        a(extend, words[i], words[i], "ror #8")
        return words[i]

    return expanded


def half_of_word(a: Assembly, expanded: Expanded, free: list[str], store: Store, *, back_first: bool = False) -> None:
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
    words = {f"in{i}" for i in range(F43.points)}
    free[:] = sorted({name for name in free if name not in words})


def _front(a: Assembly, names: tuple[str, ...], expanded: Expanded, free: list[str], store: Store) -> tuple[str, str]:
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


def _back(a: Assembly, names: tuple[str, ...], expanded: Expanded, free: list[str], store: Store) -> None:
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


def _two(a: Assembly, words: list[str], free: str, offset: int, store: Store) -> None:
    """All points of F(2,3) of a pair of channels."""
    d0, d1, d2, d3 = words
    a("ssub16", d0, d0, d2)
    store(d0, 0)
    a("sadd16", free, d1, d2)
    if offset:
        a("eor", free, free, imm(offset << 16 | offset))  # of a sum modulo 2^16: less 2^15
    store(free, 1)
    a("ssub16", d2, d2, d1)
    store(d2, 2)
    a("ssub16", d3, d1, d3)
    store(d3, 3)


def _head(
    name: str, scheme: Scheme, channels: int, bytes_: int, unsigned: bool, cell_step: int, apart: int
) -> list[str]:
    sign = "without a sign" if unsigned else "with a sign"
    numbers = f"numbers of 8 bits {sign}" if bytes_ == 1 else "numbers of 16 bits"
    lanes = "Words of four numbers become pairs: numbers 0 and 2, then 1 and 3, as those of the weights."
    formulas = FOUR if scheme is F43 else TWO[0].format(LESS if scheme.offset else "").split("\n")
    return [
        f"{name}: tiles of {scheme.points} positions for {scheme.title}, {numbers}.",
        "",
        f"input    tiles, {cell_step} bytes from one to the next: [{scheme.points} positions][{channels} channels]",
        f"output   [{scheme.points} points][tiles][{channels} channels] of 16 bits; points lie {apart} bytes apart",
        "cells    tiles",
        "",
        *formulas,
        *([lanes] if bytes_ == 1 else []),
    ]
