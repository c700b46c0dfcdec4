"""2 filters x 4 positions: the tile of scalar products of pointwise convolutions and patches.

Eight sums, two weights and two inputs fill the registers of the core: 8 SMLAD and 6 loads, 16 products in 16 cycles.
"""

from __future__ import annotations

from mcusim.kernels.assembly import Assembly, add_constant, at, imm, several
from mcusim.kernels.finish import Finish
from mcusim.program import KernelCall, Routine

FILTERS, POSITIONS = 2, 4
SUMS = tuple(f"sum{filter_}{position}" for filter_ in range(FILTERS) for position in range(POSITIONS))
MOST_STEPS = 14  # of the unrolled loop: with its end it stays in the 1 KiB of the L452's instruction cache
SIGNATURE = "const int16_t *input, const int16_t *weights, void *output, const int32_t *bias, int tiles"


def unrolled(words: int, most: int = MOST_STEPS) -> int:
    """Steps of the loop: the most that divide the words of a row."""
    return max(steps for steps in range(1, most + 1) if words % steps == 0)


def end_bytes(words: int) -> int:
    """The weights of two filters end at a multiple of it, so that their address tells when they are used up."""
    size = 4
    while size < FILTERS * 4 * words:
        size *= 2
    return size


def end_mask(words: int) -> int:
    """Bits of the address that are 0 at the end alone."""
    step = 8 * unrolled(words)
    return (end_bytes(words) - 1) & ~((step & -step) - 1)


def can_end(words: int) -> bool:
    """Has Thumb an immediate for the mask?"""
    mask = end_mask(words)
    return mask == 0 or mask // (mask & -mask) < 256


def registers(a: Assembly) -> None:
    for index, name in enumerate(SUMS):
        a.register(name, f"r{4 + index}", f"filter {index // POSITIONS}, position {index % POSITIONS}")
    a.register("input", "r0", "words of 4 positions side by side")
    a.register("weights", "lr", "words of 2 filters side by side, up to a multiple of a power of two")
    for index in range(2):
        a.register(f"weight{index}", f"r{1 + index}")
        a.register(f"x{index}", ("r3", "r12")[index])


def products(a: Assembly, words: int) -> None:
    """All sums, over `words` pairs of numbers; `input` and `weights` move to their ends."""
    steps = unrolled(words)
    x_step, w_step = 16 * steps, 8 * steps
    with a.loop("products", f"{steps} pairs of numbers, for all sums") as again:
        for step in range(steps):
            first = step == 0
            x = 16 * step - (0 if first else x_step)
            w = 8 * step - (0 if first else w_step)
            if first:  # the pointers move with the last load of each kind
                a("ldr", "weight1", at("weights", 4))
                a("ldr", "weight0", "[weights]", imm(w_step))
                a("ldr", "x1", at("input", 4))
                a("ldr", "x0", "[input]", imm(x_step))
                x -= x_step
            else:
                a("ldr", "weight0", at("weights", w))
                a("ldr", "weight1", at("weights", w + 4))
                a("ldr", "x0", at("input", x))
                a("ldr", "x1", at("input", x + 4))
            for position in range(POSITIONS):
                if position == 2:
                    a("ldr", "x0", at("input", x + 8))
                    a("ldr", "x1", at("input", x + 12))
                for filter_ in range(FILTERS):
                    name = SUMS[POSITIONS * filter_ + position]
                    a("smlad", name, f"weight{filter_}", f"x{position % 2}", name)
        if end_mask(words):
            a("tst", "weights", imm(end_mask(words)))
            a("bne", again)


def tile_2x4(words: int, filters: int, finish: Finish) -> Routine:
    """Rows of `words` pairs, 4 positions at a time, for 2 of `filters`; outputs lie `filters` apart."""
    name = f"nn_tile_2x4_{words}_{filters}_{finish.key}"
    a = Assembly(name, _head(name, words, filters))
    registers(a)
    a.block("On the stack: output, bias, tiles")
    a("push", several([*(f"r{n}" for n in range(4, 12)), "lr"]))
    a("sub", "sp", "sp", imm(12))
    a("strd", "r2", "r3", "[sp]")
    a("ldr", "r2", at("sp", 48))
    a("str", "r2", at("sp", 8))
    a("mov", "weights", "r1")
    _begin(a, "r3")
    with a.loop("tile", "A tile: its sums begun, all products") as tile:
        products(a, words)
        a.block("Sums become outputs; those of the next tile begin")
        a("ldrd", "r2", "r3", "[sp]")
        finish.saturated(a, SUMS, "r12")
        for index, name_ in enumerate(SUMS):
            filter_, position = divmod(index, POSITIONS)
            finish.store(a, name_, "r2", (filters * position + filter_) * finish.store_bytes)
        a("ldr", "r12", at("sp", 8))
        add_constant(a, "r2", POSITIONS * filters * finish.store_bytes, "r1")
        add_constant(a, "weights", -8 * words, "r1")
        a("str", "r2", "[sp]")
        _begin(a, "r3")
        a("subs", "r12", "r12", imm(1))
        a("str", "r12", at("sp", 8))
        a("bne", tile)
    a("add", "sp", "sp", imm(12))
    a("pop", several([*(f"r{n}" for n in range(4, 12)), "pc"]))
    twin = KernelCall(
        "tile_2x4",
        ("input", "weights", "output", "bias", "tiles"),
        {"words": words, "filters": filters, **finish.fields},
    )
    return Routine(name, a.text, a.code_bytes, SIGNATURE, twin)


def _begin(a: Assembly, bias: str) -> None:
    """Every sum begins as the bias of its filter."""
    a("ldrd", SUMS[0], SUMS[POSITIONS], f"[{bias}]")
    for filter_ in range(FILTERS):
        first, *others = SUMS[POSITIONS * filter_ : POSITIONS * (filter_ + 1)]
        for name in others:
            a("mov", name, first)


def _head(name: str, words: int, filters: int) -> list[str]:
    return [
        f"{name}: 2 filters x 4 positions, scalar products of {2 * words} numbers of 16 bits.",
        "",
        "input    tiles: [tiles][words][4 positions][2 numbers]",
        f"weights  [words][2 filters][2 numbers]; they end at a multiple of {end_bytes(words)} bytes",
        f"output   of the first filter at the first position; positions lie {filters} outputs apart",
        "bias     of the two filters, with what rounds in it",
        "",
        "No sum overflows: mcusim has the bound of each from its weights; what needs more than 32 bits does not come",
        "here. The address of the weights ends the loop, so that no register has to count.",
    ]
