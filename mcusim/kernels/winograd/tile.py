"""2 filters x 4 tiles of exact Winograd: products of each point, then outputs from them."""

from dataclasses import dataclass
from functools import lru_cache

from mcusim.kernels.assembly import SAVED, Assembly, Timed, add_constant, at, constant, imm, several
from mcusim.kernels.finish import Ending, FactorFinish
from mcusim.kernels.straight import StraightFinish
from mcusim.kernels.winograd.ends import FOUR, TWO, four, two
from mcusim.kernels.winograd.points import F43, THIRD, Scheme
from mcusim.kernels.winograd.stores import step
from mcusim.program import KernelCall

TILES = 4
SIGNATURE = "const int16_t *input, const int16_t *weights, void *output, const int32_t *bias, int groups, int shift"
# In code, before the loop and in it: what the L452's instruction cache holds together with the tile's end, or, where
# that runs seldom, alone.
MOST_STEPS, MOST_STEPS_OF_MANY, MANY_WORDS = 11, 14, 80
SUMS = tuple(f"sum{filter_}{tile}" for filter_ in range(2) for tile in range(TILES))
POINT_BYTES = 4 + 4 * len(SUMS)  # on the stack, of a point: its sums, and above them how many points were left
FRAME, FACTOR_BYTES = 20, 12  # behind the frame lie factors of both filters


@dataclass(frozen=True)
class Layout:
    """Where V and the outputs lie. In bytes, but `words`: pairs of numbers that a sum is over.

    tile: from a tile's V to the next one's. point: to that of the next point. group: to that of the next four tiles.
    output_*: from output to output of a filter; `output_group` of four tiles. `end_steps`: as many words would take the
    room in the instruction cache that the end needs besides. `by_input`: does its address end the loop over the
    words, in place of that of the weights?
    """

    scheme: Scheme
    words: int
    tile: int
    point: int
    group: int
    output: int
    output_tile: int
    output_group: int
    end_steps: int = 0
    by_input: bool = False

    @property
    def plan(self) -> tuple[int, int, int]:
        """Words before the loop, words in a turn of it, turns. Sums begin in the first; else they need zeros."""
        most = MOST_STEPS - self.end_steps if self.words < MANY_WORDS else MOST_STEPS_OF_MANY
        if self.words <= most:
            return self.words, 0, 0
        plans = [
            (3 * ((self.words - first) // steps) + (0 if first else len(SUMS)), first + steps, first, steps)
            for first in range(most)
            for steps in range(1, most + 1 - first)
            if (self.words - first) % steps == 0 and self._ends(steps, (self.words - first) // steps)
        ]
        *_, first, steps = min(plans, default=(0, 1))
        return first, steps, (self.words - first) // steps

    def _ends(self, steps: int, turns: int) -> bool:
        """Does each point end alike?"""
        return not self.by_input or self.point % (1 << self._mask(steps, turns).bit_length()) == 0

    def _mask(self, steps: int, turns: int) -> int:
        step = (4 if self.by_input else 8) * steps
        return (1 << (turns - 1).bit_length()) - 1 << (step & -step).bit_length() - 1 if turns > 1 else 0

    @property
    def mask(self) -> int:
        """Bits of that address that are 0 at the end of a point, and after no other turn of its loop."""
        _, steps, turns = self.plan
        return self._mask(steps, turns)

    @property
    def end_bytes(self) -> int:
        """Each point of the weights ends at a multiple of it."""
        return max(8, 1 << self.mask.bit_length())

    @property
    def begin(self) -> int:
        """Of the weights from such a multiple."""
        return -8 * self.words % self.end_bytes

    @property
    def apart(self) -> int:
        """Bytes from point to point of the weights. Where they end no loop they lie side by side."""
        return 8 * self.words if self.by_input else -(-8 * self.words // self.end_bytes) * self.end_bytes

    @property
    def m_bytes(self) -> int:
        """Of all sums of four tiles, on the stack."""
        return 4 + self.scheme.points * POINT_BYTES

    @property
    def key(self) -> str:
        sizes = (self.words, self.tile, self.point, self.group, self.output, self.output_tile, self.output_group)
        return "_".join(map(str, sizes))


@lru_cache(maxsize=256)
def timed_tile(layout: Layout, finish: Ending, *, compact: bool) -> Timed:
    """Each is a group of four tiles. `compact`: the shift comes as an argument."""
    points = layout.scheme.points
    kind = f"nn_winograd{'' if layout.scheme is F43 else f'_{points}'}"
    name = f"{kind}_{layout.key}_{finish.compact_key if compact else finish.key}"
    a = Assembly(name, _head(name, layout, finish))
    registers(a)
    _enter(a, layout, finish, compact=compact)
    frame = _frame(finish)
    with a.part("group"), a.loop("group", "Four tiles: so many points are left") as group:
        a("mov", "weight0", imm(points))
        a("push", "{weight0}")
        sums_of_points(a, layout)
        _outputs(a, layout, finish, compact=compact)
        a.block("The next four tiles")
        a("add", "sp", "sp", imm(layout.m_bytes))
        step(a, "r1", layout.output_group - TILES * layout.output_tile)
        a("str", "r1", "[sp]")
        a("ldrd", "input", "weights", at("sp", 8))
        add_constant(a, "input", layout.group - points * layout.point, "r1")
        a("ldr", "r1", at("sp", frame + 36))
        a("subs", "r1", "r1", imm(1))
        a("str", "r1", at("sp", frame + 36))
        a("bne", group)
    a("add", "sp", "sp", imm(frame))
    a("pop", several([*SAVED, "pc"]))
    fields = {
        "outputs": layout.scheme.outputs_of_a_tile,
        "words": layout.words,
        "apart": layout.apart // 2,
        "tile": layout.tile // 2,
        "point": layout.point // 2,
        "group": layout.group // 2,
        "filters": layout.output // finish.store_bytes,
        "output_tile": layout.output_tile // finish.store_bytes,
        "output_group": layout.output_group // finish.store_bytes,
        **finish.fields,
    }
    if finish.record_words == 1:
        fields["shift"] = 0  # the argument has it
    call = KernelCall("winograd_tile", ("input", "weights", "output", "bias", "groups", "shift"), fields)
    *_, turns = layout.plan
    of_points = points * (a.parts["point"] + turns * a.parts["turn"])
    return Timed(a.routine(SIGNATURE, call), a.parts[""], a.parts["group"] + of_points + TILES * a.parts["tile"])


def _frame(finish: Ending) -> int:
    return FRAME + (2 * FACTOR_BYTES if isinstance(finish, FactorFinish) else 0)


def _enter(a: Assembly, layout: Layout, finish: Ending, *, compact: bool) -> None:
    frame = _frame(finish)
    a.block("On the stack: output, bias, input, weights")
    a("push", several([*SAVED, "lr"]))
    a("sub", "sp", "sp", imm(frame))
    a("strd", "r2", "r3", "[sp]")
    a("str", "r1", at("sp", 12))
    a("mov", "weights", "r1")
    if compact and layout.scheme is F43:  # its outputs come times 2 at least
        a("ldr", "r1", at("sp", frame + 40))
        a("add", "r1", "r1", imm(1))
        a("str", "r1", at("sp", frame + 40))
    if isinstance(finish, FactorFinish):
        _enter_factors(a, layout, finish)


def _enter_factors(a: Assembly, layout: Layout, finish: FactorFinish) -> None:
    a.block("What scales the filters' sums, onto the stack")
    for filter_ in range(2):
        a("add", "r12", "r3", imm(4 + 4 * finish.record_words * filter_))
        a("ldm", "r12", several(("r4", "r5", "r6")))
        if isinstance(finish, StraightFinish) and layout.scheme is F43:  # its outputs come times 2 at least
            a("lsl", "r5", "r5", imm(1))
        a("add", "r12", "sp", imm(FRAME + FACTOR_BYTES * filter_))
        a("stm", "r12", several(("r4", "r5", "r6")))


def registers(a: Assembly, *, in_flash: bool = False) -> None:
    """`in_flash`: are weights?"""
    for index, name in enumerate(SUMS):
        a.register(name, f"r{4 + index}", f"filter {index // TILES}, tile {index % TILES}")
    a.register("input", "r0", "V: words of the first of four tiles")
    a.register("weights", "lr", "U: words of 2 filters side by side", in_flash=in_flash)
    for index in range(2):
        a.register(f"weight{index}", f"r{1 + index}")
        a.register(f"x{index}", ("r3", "r12")[index])


def sums_of_points(a: Assembly, layout: Layout) -> None:
    first, steps, turns = layout.plan
    with a.part("point"), a.loop("point", "A point: eight sums") as point:
        if not first:
            for name in SUMS:
                a("mov", name, imm(0))
        for index in range(first):
            _step(a, layout, index, first, "smlad" if index else "smuad")
        if turns:
            with a.part("turn"), a.loop("products", f"{steps} pairs of numbers, for all sums") as again:
                for index in range(steps):
                    _step(a, layout, index, steps, "smlad")
                if turns > 1:
                    a("tst", "input" if layout.by_input else "weights", imm(layout.mask))
                    a("bne", again)
        a.block("Its sums go onto the stack, above the count of what is left")
        a("ldr", "weight0", "[sp]")
        add_constant(a, "input", layout.point - 4 * layout.words, "r2")
        step(a, "weights", layout.apart - 8 * layout.words)
        a("subs", "weight0", "weight0", imm(1))
        a("push", several(["weight0", *SUMS]))
        a.pushed((layout.scheme.points - 1) * POINT_BYTES)
        a("bne", point)


def _step(a: Assembly, layout: Layout, index: int, steps: int, multiply: str) -> None:
    """The pointers move with the first loads, by all the steps of this run."""
    x, w = 4 * (index - steps), 8 * (index - steps)
    if index == 0:
        a("ldr", "weight1", at("weights", 4))
        a("ldr", "weight0", "[weights]", imm(8 * steps))
        a("ldr", "x1", at("input", layout.tile))
        a("ldr", "x0", "[input]", imm(4 * steps))
    else:
        a("ldr", "weight0", at("weights", w))
        a("ldr", "weight1", at("weights", w + 4))
        a("ldr", "x0", at("input", x))
        a("ldr", "x1", at("input", x + layout.tile))
    for tile in range(TILES):
        if tile == 2:
            a("ldr", "x0", at("input", x + 2 * layout.tile))
            a("ldr", "x1", at("input", x + 3 * layout.tile))
        for filter_ in range(2):
            name = SUMS[TILES * filter_ + tile]
            a(multiply, name, f"weight{filter_}", f"x{tile % 2}", *([name] if multiply == "smlad" else []))


def _outputs(a: Assembly, layout: Layout, finish: Ending, *, compact: bool) -> None:
    points = layout.scheme.points
    a.block("r0 sums, r1 output, r2 and r12 bias" + (", r3 a third" if layout.scheme is F43 else ""))
    a("str", "input", at("sp", layout.m_bytes + 8))
    a("ldrd", "r1", "r2", at("sp", layout.m_bytes))
    if finish.record_words == 1:
        a("ldrd", "r2", "r12", "[r2]")
    else:
        a("ldr", "r12", at("r2", 4 * finish.record_words))
        a("ldr", "r2", "[r2]")
    if layout.scheme is F43:
        constant(a, "r3", THIRD)
    a("add", "r0", "sp", imm(4 + 4 * TILES))
    a("mov", "lr", imm(TILES))
    shift = at("sp", layout.m_bytes + _frame(finish) + 40) if compact else None
    with a.part("tile"), a.counted("tile", "A tile of the first filter, and of the second", "lr"):
        for filter_, bias in enumerate(("r2", "r12")):
            for point in range(points):
                offset = POINT_BYTES * (points - 1 - point) - 4 * TILES * (1 - filter_)
                last = filter_ == 1 and point == points - 1
                a("ldr", f"r{4 + point}", *(["[r0]", imm(4)] if last else [at("r0", offset)]))
            factor = layout.m_bytes + FRAME + FACTOR_BYTES * filter_
            names = (four if layout.scheme is F43 else two)(a, bias, finish, shift, factor)
            for index, name in enumerate(names):
                finish.store(a, name, "r1", index * layout.output + filter_ * finish.store_bytes)
        step(a, "r1", layout.output_tile)


def _head(name: str, layout: Layout, finish: Ending) -> list[str]:
    scheme, count = layout.scheme, layout.words
    outputs = scheme.outputs_of_a_tile
    return [
        f"{name}: F({outputs},3) for 2 filters x 4 tiles of {outputs} outputs, {2 * count} numbers of 16 bits a sum.",
        "",
        f"input    V of the point 0 of the first tile; tiles lie {layout.tile} bytes apart, points {layout.point},",
        f"         groups of four tiles {layout.group}",
        f"weights  U: [{scheme.points} points][{count} words][2 filters] pairs; points lie {layout.apart} bytes apart",
        f"output   of the first filter; outputs lie {layout.output} bytes apart, tiles {layout.output_tile},",
        f"         groups {layout.output_group}",
        f"bias     of the two filters, times {scheme.bias_factor}: a part of the point 1, and so of every output",
        *(["         and behind each multiplier, addend and shift of its factor"] if finish.record_words > 1 else []),
        "groups   of four tiles",
        "shift    of the outputs, where the code does not know it",
        "",
        *(FOUR if scheme is F43 else TWO),
        "The address of the weights ends the loop over the words, so that no register has to count.",
    ]
