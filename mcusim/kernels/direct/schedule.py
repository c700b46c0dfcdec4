"""The tile of direct convolution as assembly.

A loop over pairs of channels for each row of the window; the address of the weights ends it. What it loads and
multiplies in between is `tap_reuse.schedule`.
"""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from mcusim.kernels.assembly import SAVED, Assembly, add_constant, at, constant, imm, several
from mcusim.kernels.direct.tap_reuse import Word, schedule
from mcusim.kernels.direct.tile import Block, Tile
from mcusim.kernels.finish import Ending, FactorFinish, Finish
from mcusim.kernels.straight import scale_filters
from mcusim.kernels.tile_schedule import records_text
from mcusim.program import KernelCall, Routine

SIGNATURE = "const void *input, const int16_t *weights, void *output, const accumulator_t *bias, const int32_t *block"
SAVED_BYTES = 36  # of nine registers


def field(name: str) -> int:
    """Bytes from a block to its `name`."""
    return 4 * Block._fields.index(name)


class Timed(NamedTuple):
    """A routine, and its cycles: of a call, of a tile without the rows of its window, of each of these, and of what
    leads from a row of outputs to the next.
    """

    routine: Routine
    call: float
    tile: float
    window_row: float
    row: float

    def cycles(self, block: Block) -> float:
        """Of a call for it."""
        of_tile = self.tile + block.window_rows * self.window_row
        return self.call + block.rows * (block.tiles * of_tile + self.row)


@lru_cache(maxsize=256)
def timed_tile(tile: Tile, finish: Ending, *, rows: bool, compact: bool = False) -> Timed:
    """`rows`: is there a block of more than one row of outputs? `compact`: the block tells the shift."""
    name = _name(tile, finish, rows, compact)
    writer = _Writer(tile, finish, rows, compact, Assembly(name, _head(name, tile, rows, finish)))
    writer.write()
    window = tile.window
    fields = {"filters": window.filters, "positions": window.positions, "taps": window.taps, "stride": window.stride}
    fields |= {"words": tile.words, "column_bytes": tile.column_bytes, "outputs": tile.outputs}
    fields |= {"weights_pitch": tile.weights_pitch, "shift_in_block": int(compact)}
    twin = KernelCall("direct_tile", ("input", "weights", "output", "bias", "block"), {**fields, **finish.fields})
    parts = writer.a.parts
    window_row = tile.turns * parts["turn"] + parts["window row"]
    return Timed(writer.a.routine(SIGNATURE, twin), parts[""], parts["tile"], window_row, parts["row"])


def _name(tile: Tile, finish: Ending, rows: bool, compact: bool) -> str:
    window = tile.window
    shape = f"{window.filters}x{window.positions}_k{window.taps}" + (f"s{window.stride}" if window.stride > 1 else "")
    kind = "_long" * (window.sum_registers - 1) + "_tall" * tile.tall + "_rows" * rows
    by = f"by{tile.steps}" if tile.turns else ""  # the same words may be taken in turns of several lengths
    size = f"{tile.words}{by}_{tile.column_bytes}_{tile.outputs}"
    return f"nn_direct_{shape}{kind}_{size}_{finish.compact_key if compact else finish.key}"


class _Writer:
    """The function, from its first instruction to its last."""

    def __init__(self, tile: Tile, finish: Ending, rows: bool, compact: bool, assembly: Assembly) -> None:
        self.tile, self.window, self.finish = tile, tile.window, finish
        self.rows, self.compact, self.a = rows, compact, assembly
        self.long = self.window.sum_registers == 2
        biases = [f"bias{f}" for f in range(self.window.filters)]
        self.biases = [name for bias in biases for name in ((bias, f"{bias}_high") if self.long else (bias,))]
        self.frame = ["output", *self.biases, "tiles", *(["shift"] if compact else [])]
        names = finish.factor if isinstance(finish, FactorFinish) else ()
        self.factors = [[f"{name}{f}" for name in names] for f in range(self.window.filters)]
        self.frame += [name for factor in self.factors for name in factor]
        self.frame += ["row_step", "weights_end", "weights", "back"] if tile.tall else []
        self.frame += ["rows", "block"] if rows else []
        self.frame_bytes = 4 * len(self.frame)
        self.frame_bytes += (SAVED_BYTES + self.frame_bytes) % 8  # AAPCS: the stack is a multiple of 8
        self.sums, self.highs = self.sum_registers()
        last = 4 + len(self.sums) + len(self.highs)
        free = ["r1", "r2", "r3", "r12", *(f"r{n}" for n in range(last, 12))]
        self.operands = [self.a.register(f"op{n}", register) for n, register in enumerate(free)]
        self.a.register("input", "r0", "first column that the tile sees, its pair of channels")
        self.a.register("weights", "lr", "first tap of the first filter, its pair of channels")

    def sum_registers(self) -> tuple[list[str], list[str]]:
        """From r4 on; those of 64 bits in two."""
        sums, highs, number = [], [], 4
        for filter_ in range(self.window.filters):
            for position in range(self.window.positions):
                what = f"filter {filter_}, position {position}"
                sums.append(self.a.register(f"sum{filter_}{position}", f"r{number}", what))
                if self.long:
                    highs.append(self.a.register(f"high{filter_}{position}", f"r{number + 1}", "its upper half"))
                number += self.window.sum_registers
        return sums, highs

    def slot(self, name: str) -> str:
        """Where it is on the stack."""
        return at("sp", 4 * self.frame.index(name))

    def write(self) -> None:
        self.enter()
        what = f"{self.tile.words} pairs of channels of a row of the window"
        with self.a.part("turn" if self.tile.turns else "window row"), self.a.loop("tile", what) as again:
            self.row_of_window(again)
        with self.a.part("tile"):
            self.end_of_tile(again)
        if self.rows:
            with self.a.part("row"):
                self.end_of_row(again)
        self.a("add", "sp", "sp", imm(self.frame_bytes))
        self.a("pop", several([*SAVED, "pc"]))

    # ---- what is done once

    def enter(self) -> None:
        """r0 input, r1 weights, r2 output, r3 bias; the block is the fifth argument."""
        a = self.a
        a.block("On the stack: " + ", ".join(self.frame))
        a("push", several([*SAVED, "lr"]))
        a("sub", "sp", "sp", imm(self.frame_bytes))
        a("ldr", "r12", at("sp", SAVED_BYTES + self.frame_bytes))
        a("mov", "weights", "r1")
        a("str", "r2", self.slot("output"))
        loaded = ["r4", "r5", "r6", "r7"][: len(self.biases)]
        for index, name in enumerate(loaded):
            a("ldr", name, at("r3", 4 * self.finish.record_words * index))
        kept = ["tiles", *(["shift"] if self.compact else []), *(["rows"] if self.rows else [])]
        registers = ["r8", "r9", "r10"][: len(kept)]
        for name, register in zip(kept, registers, strict=True):
            a("ldr", register, at("r12", field(name)))
        if self.raised:
            constant(a, "r2", self.finish.raised)
            for name in loaded:
                a("add", name, name, "r2")
        for slot, register in [*zip(self.biases, loaded, strict=True), *zip(kept, registers, strict=True)]:
            a("str", register, self.slot(slot))
        if self.rows:
            a("str", "r12", self.slot("block"))
        for filter_, factor in enumerate(self.factors):
            if factor:
                self.finish_of_filter(filter_, factor)
        if self.tile.tall:
            self.enter_window()
        for name, slot in zip(self.operands, self.biases, strict=False):
            a("ldr", name, self.slot(slot))
        self.begin_sums(self.operands)

    def finish_of_filter(self, filter_: int, factor: list[str]) -> None:
        """Its factor, from its record onto the stack."""
        a, registers = self.a, several(["r4", "r5", "r6"][: len(factor)])
        a("add", "r2", "r3", imm(4 * (self.finish.record_words * filter_ + 1)))
        a("ldm", "r2", registers)
        a("add", "r2", "sp", imm(4 * self.frame.index(factor[0])))
        a("stm", "r2", registers)

    def enter_window(self) -> None:
        a, tile = self.a, self.tile
        a.block("How far the pointers go: to the next row of the window, to its end, and back from there")
        a("ldr", "r2", at("r12", field("window_rows")))
        a("ldr", "r3", at("r12", field("row_bytes")))
        a("str", "r1", self.slot("weights"))
        a("movw", "r12", imm(tile.weights_pitch))
        a("mla", "r1", "r2", "r12", "r1")
        a("mul", "r2", "r2", "r3")
        a("str", "r1", self.slot("weights_end"))
        add_constant(a, "r2", -self.advance, "r1")
        a("str", "r2", self.slot("back"))
        add_constant(a, "r3", -tile.moved, "r1")
        a("str", "r3", self.slot("row_step"))

    @property
    def raised(self) -> bool:
        """Do sums begin so high that saturation ends at the ceiling?"""
        return bool(self.finish.raised) and not self.compact and not self.long

    def begin_sums(self, biases: list[str]) -> None:
        for index, name in enumerate(self.sums):
            first = self.window.sum_registers * (index // self.window.positions)
            self.a("mov", name, biases[first])
            if self.long:
                self.a("mov", self.highs[index], biases[first + 1])

    # ---- the loops

    def row_of_window(self, again: str) -> None:
        """All products of a row of the window, and the way to the next row."""
        a, tile = self.a, self.tile
        if tile.turns:
            for step in range(tile.steps):
                self.products(4 * step, first=step == 0)
            a("tst", "weights", imm(tile.end_mask))
            a("bne", again)
        with a.part("window row"):
            if tile.turns and tile.rest:
                a.block("The pairs of channels that are left")
            for step in range(tile.rest):
                self.products(4 * step)
            if tile.tall:
                self.next_row_of_window(again)

    def next_row_of_window(self, again: str) -> None:
        a, tile = self.a, self.tile
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
                index = product.filter_ * self.window.positions + product.position
                own, operands = self.sums[index], (self.operands[weight], self.operands[column])
                if self.long:
                    self.a("smlald", own, self.highs[index], *operands)
                else:
                    self.a("smlad", own, *operands, own)

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
        if isinstance(self.finish, FactorFinish):
            self.scale(self.finish)
        output, spare, *others = self.operands
        biases, last = others[: len(self.biases)], others[len(self.biases) :]
        tiles = last[0] if last else ""
        a("ldr", output, self.slot("output"))
        for name, slot in zip(biases, self.biases, strict=True):
            a("ldr", name, self.slot(slot))
        if tiles:
            a("ldr", tiles, self.slot("tiles"))
        if tile.tall:
            a("ldr", "weights", self.slot("weights"))
            a("ldr", spare, self.slot("back"))
            a("sub", "input", "input", spare)
        else:
            add_constant(a, "input", self.advance - tile.moved, spare)
            add_constant(a, "weights", -tile.moved, spare)
        if isinstance(self.finish, Finish):
            self.saturate(self.finish, spare)
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

    def scale(self, finish: FactorFinish) -> None:
        """Operands hold nothing any more."""
        count = self.window.positions
        places = [4 * self.frame.index(factor[0]) for factor in self.factors]
        of_filters = [self.sums[first : first + count] for first in range(0, len(self.sums), count)]
        scale_filters(self.a, finish, of_filters, places, self.operands[:4])

    def saturate(self, finish: Finish, spare: str) -> None:
        a = self.a
        if not self.long:
            if self.compact:
                a("ldr", spare, self.slot("shift"))
            shift = spare if self.compact else None
            finish.saturated(a, self.sums, spare, shift=shift, raised=self.raised)
            return
        for low, high in zip(self.sums, self.highs, strict=True):  # 32 bits hold what is left
            a("lsr", low, low, imm(finish.shift))
            a("orr", low, low, high, f"lsl #{32 - finish.shift}")
        replace(finish, shift=0).saturated(a, self.sums, spare)

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


def _head(name: str, tile: Tile, rows: bool, finish: Ending) -> list[str]:
    window = tile.window
    step = f"{window.stride} columns" if window.stride > 1 else "a column"
    more = "; rows of the window as the block says" if tile.tall else ""
    more += "; rows of outputs as the block says" if rows else ""
    bits = 32 * window.sum_registers
    end = f" Where its bits {tile.end_mask:#x} are 0, the address of the weights ends the loop." if tile.turns else ""
    return [
        f"{name}: direct convolution, {window.filters} x {window.positions} outputs at a time.",
        "",
        f"A tile is {window.filters} of the filters x {window.positions} positions, {step} apart{more}.",
        f"input    the first column of the first tile: {tile.words} words of two numbers; the next lies "
        f"{tile.column_bytes} bytes on",
        f"weights  [rows of the window][filters][{window.taps} taps][{tile.words}] words; from row to row "
        f"{tile.weights_pitch} bytes",
        f"output   of the first filter at the first position; positions lie {tile.outputs} outputs apart",
        f"bias     {records_text(finish, f'{bits} bits, ')}",
        "block    how many tiles and rows: nn_direct_block.h",
        "",
        f"No sum overflows {bits} bits: mcusim has the bound of each from its weights, and chose this routine by it.",
        f"In between sums may wrap round, which the end undoes.{end}",
    ]
