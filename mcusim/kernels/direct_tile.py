"""The tile of direct convolution: some filters x some positions of a row, windows where they lie.

A loop over pairs of channels for each row of the window; the address of the weights ends it. What it loads and
multiplies in between is `tap_reuse.schedule`. A block is what one call does: tiles side by side, for rows of outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mcusim.kernels.assembly import LONGEST_OFFSET, Assembly, add_constant, at, imm, several
from mcusim.kernels.finish import Finish
from mcusim.kernels.tap_reuse import Window, Word, schedule
from mcusim.program import KernelCall, Routine

# A block of outputs, in the order of its numbers; codegen/kernels/nn_direct_block.h tells what they mean.
BLOCK: tuple[str, ...] = (
    "tile",
    "in_scratch",
    "input",
    "weights",
    "output",
    "tiles",
    "rows",
    "window_rows",
    "row_bytes",
)
BLOCK += ("next_input", "next_output", "shift")
SIGNATURE = "const void *input, const int16_t *weights, void *output, const int32_t *bias, const int32_t *block"
CACHE_BYTES = (
    940  # of the loop with its end: the 1 KiB of the L452's instruction cache, less the lines cut at both ends
)
SAVED_BYTES = 36  # of nine registers
MOST_FILTERS = 2
TURN_CYCLES = 3  # TST and a branch that is taken
WINDOW_ROW_CYCLES = 8  # two loads, ADD, ADD, CMP, branch
TILE_CYCLES = 12  # of its end, for one filter: three loads in a burst, two ADD, ADD and STR, SUBS and STR, branch
# The stack while it runs; a flat block has the first five alone.
FRAME = ("output", "bias0", "bias1", "tiles", "shift")
TALL_FRAME = (*FRAME, "row_step", "weights_end", "weights", "back", "rows", "block")


def field(name: str) -> int:
    """Bytes from a block to its `name`."""
    return 4 * BLOCK.index(name)


@dataclass(frozen=True)
class Tile:
    """A routine, but for how it ends its sums.

    `words`: pairs of channels. `column_bytes`: from one column of the input to the next. `outputs`: of a position.
    `steps`: pairs of channels that a turn of the loop takes. `tall`: has a block more than one row, or a window?
    """

    window: Window
    words: int
    column_bytes: int
    outputs: int
    steps: int
    tall: bool

    @property
    def turns(self) -> int:
        """Of the loop; what is left follows it. One alone is none."""
        return self.words // self.steps if self.words // self.steps > 1 else 0

    @property
    def rest(self) -> int:
        return self.words - self.turns * self.steps

    @property
    def moved(self) -> int:
        """Bytes that both pointers have moved when a row of the window is done."""
        return 4 * self.turns * self.steps

    @property
    def end_bytes(self) -> int:
        """The first tap's weights that the loop reads end at a multiple of it."""
        size = 4
        while size < self.moved:
            size *= 2
        return size

    @property
    def end_mask(self) -> int:
        """Bits of the address that are 0 at the end alone."""
        step = 4 * self.steps
        return (self.end_bytes - 1) & ~((step & -step) - 1)

    @property
    def row_of_weights(self) -> int:
        """Bytes of the taps of all filters in one row of the window."""
        return 4 * self.window.filters * self.window.taps * self.words

    @property
    def weights_pitch(self) -> int:
        """Bytes from one row of the window to the next."""
        return -(-self.row_of_weights // self.end_bytes) * self.end_bytes

    @property
    def has_spare(self) -> bool:
        """Is a register left at the end for the count of tiles, beside output, biases and one for the rest?"""
        return self.window.operands > 2 + self.window.filters

    @cached_property
    def code_bytes(self) -> int:
        """Of the loop and its end, about."""
        window = self.window
        copies = (self.steps if self.turns else 0) + self.rest
        return 4 * (copies * window.instructions + 4 * window.sums + 16 + (12 if self.tall else 0))

    def cycles(self, window_rows: int = 1, of_sum: int = 3, of_tile: int = 0) -> int:
        """Of a tile, all code in the cache. `of_sum`, `of_tile`: what ends a sum, and a tile besides."""
        window = self.window
        row = self.words * window.cycles + max(0, TURN_CYCLES * self.turns - 1)
        row += WINDOW_ROW_CYCLES if self.tall else 0
        end = TILE_CYCLES + window.filters - 1 + of_sum * window.sums + of_tile + (0 if self.has_spare else 2)
        return window_rows * row + end

    @property
    def is_possible(self) -> bool:
        """Do offsets and masks fit the instructions?"""
        last = max(self.window.columns - 1, 0) * self.column_bytes, self.row_of_weights - 4 * self.words
        step = 4 * self.steps
        mask = self.end_mask if self.turns else 0
        return (
            max(last) + 4 * self.words <= LONGEST_OFFSET
            and (step <= 252 or not self.turns)
            and (mask == 0 or mask // (mask & -mask) < 256)
            and 2 * self.outputs * (self.window.positions - 1) + 4 <= LONGEST_OFFSET
        )


def tile_routine(tile: Tile, finish: Finish, *, compact: bool = False) -> Routine:
    """`compact`: the block tells the shift."""
    name = _name(tile, finish, compact)
    body = _Writer(tile, finish, compact, Assembly(name, _head(name, tile)))
    body.write()
    window = tile.window
    fields = {"filters": window.filters, "positions": window.positions, "taps": window.taps, "stride": window.stride}
    fields |= {"words": tile.words, "column_bytes": tile.column_bytes, "outputs": tile.outputs}
    fields |= {"weights_pitch": tile.weights_pitch, "shift_in_block": int(compact)}
    twin = KernelCall("direct_tile", ("input", "weights", "output", "bias", "block"), {**fields, **finish.fields})
    return Routine(name, body.a.text, body.a.code_bytes, SIGNATURE, twin)


def _name(tile: Tile, finish: Finish, compact: bool) -> str:
    window = tile.window
    shape = f"{window.filters}x{window.positions}_k{window.taps}" + (f"s{window.stride}" if window.stride > 1 else "")
    size = f"{tile.words}_{tile.column_bytes}_{tile.outputs}"
    rows = "_rows" if tile.tall else ""
    return f"nn_direct_{shape}_{size}{rows}_{finish.compact_key if compact else finish.key}"


class _Writer:
    """The function, from its first instruction to its last."""

    def __init__(self, tile: Tile, finish: Finish, compact: bool, assembly: Assembly) -> None:
        self.tile, self.window, self.finish, self.compact = tile, tile.window, finish, compact
        self.a = assembly
        self.frame = TALL_FRAME if tile.tall else FRAME
        self.frame_bytes = 4 * len(self.frame)
        self.frame_bytes += (SAVED_BYTES + self.frame_bytes) % 8  # AAPCS: the stack is a multiple of 8
        self.sums = [
            self.a.register(f"sum{f}{p}", f"r{4 + f * self.window.positions + p}", f"filter {f}, position {p}")
            for f in range(self.window.filters)
            for p in range(self.window.positions)
        ]
        free = ["r1", "r2", "r3", "r12", *(f"r{n}" for n in range(4 + len(self.sums), 12))]
        self.operands = [self.a.register(f"op{n}", register) for n, register in enumerate(free)]
        self.a.register("input", "r0", "first column that the tile sees, its pair of channels")
        self.a.register("weights", "lr", "first tap of the first filter, its pair of channels")

    def slot(self, name: str) -> str:
        """Where it is on the stack."""
        return at("sp", 4 * self.frame.index(name))

    def write(self) -> None:
        self.enter()
        with self.a.loop("tile", f"{self.tile.words} pairs of channels of a row of the window") as again:
            self.row_of_window(again)
            self.end_of_tile(again)
        if self.tile.tall:
            self.end_of_row(again)
        self.a("add", "sp", "sp", imm(self.frame_bytes))
        self.a("pop", several([*(f"r{n}" for n in range(4, 12)), "pc"]))

    # ---- what is done once

    def enter(self) -> None:
        """r0 input, r1 weights, r2 output, r3 bias; the block is the fifth argument."""
        a, tile = self.a, self.tile
        a.block("On the stack: " + ", ".join(self.frame))
        a("push", several([*(f"r{n}" for n in range(4, 12)), "lr"]))
        a("sub", "sp", "sp", imm(self.frame_bytes))
        a("ldr", "r12", at("sp", SAVED_BYTES + self.frame_bytes))
        a("mov", "weights", "r1")
        a("str", "r2", self.slot("output"))
        for filter_ in range(self.window.filters):
            a("ldr", "r2", at("r3", 4 * filter_))
            a("str", "r2", self.slot(f"bias{filter_}"))
        for name in ("tiles", *(["shift"] if self.compact else []), *(["rows"] if tile.tall else [])):
            a("ldr", "r2", at("r12", field(name)))
            a("str", "r2", self.slot(name))
        if tile.tall:
            a.block("How far the pointers go: to the next row of the window, to its end, and back from there")
            a("str", "r12", self.slot("block"))
            a("str", "r1", self.slot("weights"))
            a("ldr", "r2", at("r12", field("window_rows")))
            a("ldr", "r3", at("r12", field("row_bytes")))
            a("movw", "r12", imm(tile.weights_pitch))
            a("mla", "r1", "r2", "r12", "r1")
            a("str", "r1", self.slot("weights_end"))
            a("mul", "r2", "r2", "r3")
            add_constant(a, "r2", -self.advance, "r1")
            a("str", "r2", self.slot("back"))
            add_constant(a, "r3", -tile.moved, "r1")
            a("str", "r3", self.slot("row_step"))
        for filter_ in range(self.window.filters):
            a("ldr", self.operands[filter_], self.slot(f"bias{filter_}"))
        self.begin_sums(self.operands)

    def begin_sums(self, biases: list[str]) -> None:
        for index, name in enumerate(self.sums):
            self.a("mov", name, biases[index // self.window.positions])

    # ---- the loops

    def row_of_window(self, again: str) -> None:
        """All products of a row of the window, and the way to the next row."""
        a, tile = self.a, self.tile
        if tile.turns:
            for step in range(tile.steps):
                self.products(4 * step, first=step == 0)
            a("tst", "weights", imm(tile.end_mask))
            a("bne", again)
        if tile.turns and tile.rest:
            a.block("The pairs of channels that are left")
        for step in range(tile.rest):
            self.products(4 * step)
        if tile.tall:
            a.block("The next row of the window")
            a("ldr", "op0", self.slot("row_step"))
            a("ldr", "op1", self.slot("weights_end"))
            add_constant(a, "weights", tile.weights_pitch - tile.moved, "op2")
            a("add", "input", "input", "op0")
            a("cmp", "weights", "op1")
            a("bne", again)

    def products(self, offset: int, *, first: bool | None = None) -> None:
        """Those of one pair of channels. `first` of a turn: the pointers move on with their first word.

        `offset`: bytes from where the turn began.
        """
        step = 0 if first is None else 4 * self.tile.steps
        moved = {kind: first is False for kind in (True, False)}  # has the pointer? By Word.is_weight
        for burst in schedule(self.window):
            loads = sorted(zip(burst.loads, burst.registers, strict=True), key=self._moving_last)
            for word, number in loads:
                base, away = ("weights" if word.is_weight else "input"), self._bytes(word) + offset
                register, what = self.operands[number], _what(word)
                if first and away == 0 and not moved[word.is_weight]:
                    self.a("ldr", register, f"[{base}]", imm(step), comment=what)
                    moved[word.is_weight] = True
                else:
                    self.a("ldr", register, at(base, away - (step if moved[word.is_weight] else 0)), comment=what)
            for product, weight, column in burst.products:
                name = self.sums[product.filter_ * self.window.positions + product.position]
                self.a("smlad", name, self.operands[weight], self.operands[column], name)

    def _moving_last(self, load: tuple[Word, int]) -> int:
        """A load behind one that moves its pointer would wait for it."""
        return int(self._bytes(load[0]) == 0)

    def _bytes(self, word: Word) -> int:
        """From the pointer to it."""
        if word.is_weight:
            return 4 * self.tile.words * (word.filter_ * self.window.taps + word.place)
        return word.place * self.tile.column_bytes

    # ---- what ends them

    @property
    def advance(self) -> int:
        """Bytes from the first column of a tile to that of the next."""
        return self.window.positions * self.window.stride * self.tile.column_bytes

    def end_of_tile(self, again: str) -> None:
        a, window, tile, bytes_ = self.a, self.window, self.tile, self.finish.store_bytes
        a.block("Sums become outputs; those of the next tile begin")
        output, spare, *others = self.operands
        biases, last = others[: window.filters], others[window.filters :]
        tiles = last[0] if last else ""
        a("ldr", output, self.slot("output"))
        for filter_, name in enumerate(biases):
            a("ldr", name, self.slot(f"bias{filter_}"))
        if tiles:
            a("ldr", tiles, self.slot("tiles"))
        if tile.tall:
            a("ldr", "weights", self.slot("weights"))
            a("ldr", spare, self.slot("back"))
            a("sub", "input", "input", spare)
        else:
            add_constant(a, "input", self.advance - tile.moved, spare)
            add_constant(a, "weights", -tile.moved, spare)
        if self.compact:
            a("ldr", spare, self.slot("shift"))
        self.finish.saturated(a, self.sums, spare, shift=spare if self.compact else None)
        for index, name in enumerate(self.sums):
            filter_, position = divmod(index, window.positions)
            self.finish.store(a, name, output, (position * tile.outputs + filter_) * bytes_)
        add_constant(a, output, window.positions * tile.outputs * bytes_, spare)
        a("str", output, self.slot("output"))
        if not tiles:
            tiles = spare
            a("ldr", tiles, self.slot("tiles"))
        self.begin_sums(biases)
        a("subs", tiles, tiles, imm(1))
        a("str", tiles, self.slot("tiles"))
        a("bne", again)

    def end_of_row(self, again: str) -> None:
        """The next row of outputs, which begins where the block says."""
        a = self.a
        rows, block, output, spare = self.operands[:4]
        a.block("The next row of outputs")
        a("ldr", rows, self.slot("rows"))
        a("ldr", block, self.slot("block"))
        a("ldr", output, self.slot("output"))
        a("subs", rows, rows, imm(1))
        a("str", rows, self.slot("rows"))
        a("beq", f".L{a.name}_end")
        a("ldr", spare, at(block, field("next_input")))
        a("ldr", rows, at(block, field("next_output")))
        a("ldr", block, at(block, field("tiles")))
        a("add", "input", "input", spare)
        a("add", output, output, rows)
        a("str", output, self.slot("output"))
        a("str", block, self.slot("tiles"))
        a("b", again)
        a.place("end")


def _what(word: Word) -> str:
    if not word.is_weight:
        return f"column {word.place}"
    return f"tap {word.place}" + (f" of filter {word.filter_}" if word.filter_ else "")


def _head(name: str, tile: Tile) -> list[str]:
    window = tile.window
    step = f"{window.stride} columns" if window.stride > 1 else "a column"
    rows = "; rows of outputs and of the window as the block says" if tile.tall else ""
    return [
        f"{name}: direct convolution, {window.filters} x {window.positions} outputs at a time.",
        "",
        f"A tile is {window.filters} of the filters x {window.positions} positions, {step} apart{rows}.",
        f"input    the first column of the first tile: {tile.words} words of two numbers; the next lies "
        f"{tile.column_bytes} bytes on",
        f"weights  [rows of the window][filters][{window.taps} taps][{tile.words}] words; from row to row "
        f"{tile.weights_pitch} bytes",
        f"output   of the first filter at the first position; positions lie {tile.outputs} outputs apart",
        "bias     of the filters, with what rounds in it",
        "block    how many tiles and rows: nn_direct_block.h",
        "",
        "No sum overflows: mcusim has the bound of each from its weights; what needs more than 32 bits does not come",
        "here. In between sums may wrap round, which the end undoes."
        + (
            f" The address of the weights ends the loop: there alone the bits {tile.end_mask:#x} of it are 0."
            if tile.turns
            else ""
        ),
    ]
