"""Filters x positions in float32: the tile of scalar products of convolutions, all its sums in the FPU's 32 registers.

Every sum adds its products in the order of plain C, one rounding for each product and each sum: the same bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from mcusim.kernels.assembly import SAVED, Assembly, add_constant, at, constant, imm, several
from mcusim.kernels.float_finish import FloatFinish, Output
from mcusim.program import FLOAT_ASSEMBLY, KernelCall, Routine

SINGLES = 32  # registers of the FPU
KEPT = 16  # of them, from this one on, that are the caller's
SPARE = 2  # of them, for products on their way into a sum: while one is added, the next one is multiplied
RELU_ENTRY_BYTES = 24  # of code that puts the FPU's status aside and back
REACH = 1020  # bytes that VLDR and VSTR reach from a register, both ways
BASES = ("r9", "r10", "r11", "r12", "lr")  # registers that can point at inputs
SIGNATURE = "const float *input, const float *weights, float *output, const float *bias, int tiles, int rows, int pitch"


@dataclass(frozen=True)
class FloatTile:
    """What makes one routine. Bytes lie `tap` from one to the next of the `taps` of a row of the window, `distance`
    from one position to the next, and `step` from one tile to the next.

    `filters`, `positions`: of the tile. `unroll`: taps of the loop. `several_rows`: may a window have more than one?
    `outputs`: of the layer at each position.
    """

    filters: int
    positions: int
    unroll: int
    taps: int
    tap: int
    distance: int
    step: int
    several_rows: bool
    outputs: int
    finish: FloatFinish

    @cached_property
    def sums(self) -> int:
        return self.filters * self.positions

    @cached_property
    def inputs(self) -> int:
        """Registers for inputs: so many positions are loaded at a time."""
        return min(self.positions, SINGLES - SPARE - self.sums - self.filters)

    @cached_property
    def used(self) -> int:
        """Registers of the FPU."""
        return self.sums + self.filters + self.inputs + SPARE

    @cached_property
    def chunks(self) -> tuple[range, ...]:
        """Positions that are loaded and multiplied at a time."""
        starts = range(0, self.positions, self.inputs)
        return tuple(range(first, min(first + self.inputs, self.positions)) for first in starts)

    @cached_property
    def passes(self) -> int:
        """Of the loop over a row of the window."""
        return -(-self.taps // self.unroll)

    @cached_property
    def skipped(self) -> int:
        """Taps that the first pass enters the loop behind."""
        return self.passes * self.unroll - self.taps

    @cached_property
    def groups(self) -> tuple[range, ...]:
        """Positions that one register reaches, over all taps of the loop."""
        most = (2 * REACH - (self.unroll - 1) * self.tap) // self.distance + 1
        return tuple(range(first, min(first + most, self.positions)) for first in range(0, self.positions, most))

    @cached_property
    def stored(self) -> int:
        """Positions whose outputs one register reaches."""
        return max(1, (REACH - 4 * (self.filters - 1)) // (4 * self.outputs) + 1)

    @property
    def fits(self) -> bool:
        return (
            self.inputs >= 1
            and (self.unroll - 1) * max(self.tap, 4 * self.filters) + 4 * self.filters <= REACH
            and len(self.groups) <= len(BASES)
        )

    def middle(self, group: range) -> int:
        """Bytes from the first input of a group to where its register points."""
        return max(0, (len(group) - 1) * self.distance + (self.unroll - 1) * self.tap - REACH)

    def start(self, group: range) -> int:
        """Bytes from the first input of the tile to where the register of a group points at first."""
        return group[0] * self.distance + self.middle(group) - self.skipped * self.tap

    @cached_property
    def starts(self) -> list[int]:
        return [self.start(group) for group in self.groups]

    @cached_property
    def pitch_less(self) -> int:
        """Bytes that a register has walked over a row of the window: from row to row so much less than the pitch."""
        return (self.taps + self.skipped) * self.tap

    @cached_property
    def code_bytes(self) -> float:
        """Of the routine, about."""
        groups, loop = len(self.groups), self.passes > 1
        taps = self.unroll * (self.filters + self.positions + 2 * self.sums)
        taps += (groups + 1) * (loop or self.several_rows) + 2 * loop + (self.skipped > 0)
        rows = (7 + 2 * groups + (self.skipped > 0) + loop) * self.several_rows
        several, _ = stored_at(self)
        around = 8 + 2 * (self.used > KEPT) + groups + loop + 2 * self.sums + several - 1
        finish = self.sums * self.finish.code_bytes + several * self.finish.more_bytes
        return 4 * (taps + rows + around) + finish + RELU_ENTRY_BYTES * self.finish.activation.relu

    @property
    def name(self) -> str:
        rows = "rows" if self.several_rows else "row"
        shape = f"{self.filters}x{self.positions}_{rows}_{self.taps}_{self.tap}_{self.distance}_{self.outputs}"
        return f"nn_float_tile_{shape}_u{self.unroll}_{self.finish.key}"


class Timed(NamedTuple):
    """A routine, and its cycles: of a call, of a tile without the rows of its window, of each of these."""

    routine: Routine
    call: float
    tile: float
    row: float


def float_tile(tile: FloatTile) -> Routine:
    """The routine of a tile, and its twin in C."""
    return timed_tile(tile, in_flash=False).routine


@lru_cache(maxsize=256)
def timed_tile(tile: FloatTile, *, in_flash: bool) -> Timed:
    """`in_flash`: the weights."""
    a = Assembly(tile.name, _head(tile))
    _Writer(a, tile, in_flash).write()
    parameters = {
        "filters": tile.filters,
        "positions": tile.positions,
        "taps": tile.taps,
        "tap": tile.tap // 4,
        "distance": tile.distance // 4,
        "step": tile.step // 4,
        "outputs": tile.outputs,
        **tile.finish.fields,
    }
    arguments = ("input", "weights", "output", "bias", "tiles", "rows", "pitch")
    made = a.routine(SIGNATURE, KernelCall("float_tile", arguments, parameters), FLOAT_ASSEMBLY)
    row = a.parts["row"] + tile.passes * a.parts["turn"] + tile.taps / tile.unroll * a.parts["taps"]
    return Timed(made, a.parts[""], a.parts["tile"], row)


class _Writer:
    """The blocks of the routine, in the order in which they run."""

    def __init__(self, a: Assembly, tile: FloatTile, in_flash: bool) -> None:
        self.a, self.tile, self.in_flash = a, tile, in_flash
        self.saved = [f"s{n}" for n in range(16, tile.used)]
        self.stack = 4 * (9 + len(self.saved))  # bytes up to the fifth argument

    def write(self) -> None:
        a, tile = self.a, self.tile
        self._registers()
        a.block("What is the caller's; arguments from its stack")
        a("push", several([*SAVED, "lr"]))
        if self.saved:
            a("vpush", several(self.saved))
        a("ldr", "tiles", at("sp", self.stack))
        if tile.several_rows:
            a("ldr", "rows", at("sp", self.stack + 4))
            a("ldr", "end", at("sp", self.stack + 8))
            add_constant(a, "end", -tile.pitch_less, "w")
            a("str", "end", at("sp", self.stack + 8))
        tile.finish.enter(a, "w")
        with a.part("tile"), a.loop("tile", "A tile: its sums begin as the bias of their filter") as again:
            self._begin()
            self._rows()
            self._end()
            a("bne", again)
        tile.finish.leave(a, "w")
        if self.saved:
            a("vpop", several(self.saved))
        a("pop", several([*SAVED, "pc"]))

    def _registers(self) -> None:
        a, tile = self.a, self.tile
        a.register("input", "r0", "of the first position of the tile")
        a.register("weights", "r1")
        a.register("output", "r2")
        a.register("bias", "r3")
        a.register("w", "r4", f"{tile.filters} weights of a tap side by side", in_flash=self.in_flash)
        a.register("end", "r5", "of the weights of a row; lost between rows")
        if tile.several_rows:
            a.register("left", "r6", "rows of this tile")
            a.register("rows", "r7")
        a.register("tiles", "r8", "left")
        for index, group in enumerate(tile.groups):
            a.register(f"x{index}", BASES[index], f"inputs of positions {group[0]} to {group[-1]}")
        names = [
            *((f"sum{f}_{p}", f"filter {f}, position {p}") for p in range(tile.positions) for f in range(tile.filters)),
            *((f"weight{f}", "") for f in range(tile.filters)),
            *((f"number{i}", "") for i in range(tile.inputs)),
            *((f"product{i}", "") for i in range(SPARE)),
        ]
        for index, (name, meaning) in enumerate(names):
            a.register(name, f"s{index}", meaning)

    def _begin(self) -> None:
        a, tile = self.a, self.tile
        for f in range(tile.filters):
            a("vldr", f"sum{f}_0", at("bias", 4 * f))
        for p in range(1, tile.positions):
            for f in range(tile.filters):
                a("vmov.f32", f"sum{f}_{p}", f"sum{f}_0")
        for index, group in enumerate(tile.groups):
            _moved(a, f"x{index}", "input", tile.start(group))
        if tile.several_rows:
            a("mov", "left", "rows")
        _moved(a, "w", "weights", -4 * tile.filters * tile.skipped)
        if tile.passes > 1:
            _moved(a, "end", "weights", 4 * tile.filters * tile.taps)

    def _rows(self) -> None:
        a, tile = self.a, self.tile
        if not tile.several_rows:
            self._row()
            return
        with a.part("row"), a.counted("row", "A row of the window", "left"):
            self._row()
            a.block("To the next row")
            a("ldr", "end", at("sp", self.stack + 8 + 4 * tile.finish.activation.relu))
            for index in range(len(tile.groups)):
                a("add", f"x{index}", f"x{index}", "end")
            if tile.skipped:
                _moved(a, "w", "w", -4 * tile.filters * tile.skipped)
            if tile.passes > 1:
                _moved(a, "end", "w", 4 * tile.filters * (tile.taps + tile.skipped))

    def _row(self) -> None:
        a, tile = self.a, self.tile
        if tile.skipped:
            a("b", f".L{a.name}_enter")
        what = f"{tile.unroll} taps, for all sums; pointers move behind their last loads"
        with a.part("turn"), a.loop("taps", what) as again:
            for step in range(tile.unroll):
                if step == tile.skipped and step:
                    a.place("enter")
                with a.part("taps"):
                    self._step(step)
            if tile.passes > 1:
                a("cmp", "w", "end")
                a("bne", again)

    def _step(self, step: int) -> None:
        """Loads in bursts, and every product into its sum."""
        a, tile = self.a, self.tile
        for f in range(tile.filters):
            a("vldr", f"weight{f}", at("w", 4 * (tile.filters * step + f)))
        for chunk in tile.chunks:
            for p in chunk:
                self._load(p, step)
            if step == tile.unroll - 1 and chunk == tile.chunks[-1]:
                self._advance()
            self._products(chunk)

    def _load(self, position: int, step: int) -> None:
        tile = self.tile
        index, group = next((i, group) for i, group in enumerate(tile.groups) if position in group)
        offset = (position - group[0]) * tile.distance + step * tile.tap - tile.middle(group)
        self.a("vldr", f"number{position % tile.inputs}", at(f"x{index}", offset))

    def _advance(self) -> None:
        a, tile = self.a, self.tile
        if tile.several_rows or tile.passes > 1:
            for index in range(len(tile.groups)):
                a("addw", f"x{index}", f"x{index}", imm(tile.unroll * tile.tap))
            a("addw", "w", "w", imm(4 * tile.filters * tile.unroll))

    def _products(self, chunk: range) -> None:
        """A product is added when the next one has been begun: nothing waits for a result."""
        a, tile = self.a, self.tile
        waiting: list[tuple[str, str]] = []
        for number, (p, f) in enumerate((p, f) for p in chunk for f in range(tile.filters)):
            product = f"product{number % SPARE}"
            a("vmul.f32", product, f"weight{f}", f"number{p % tile.inputs}")
            waiting.append((f"sum{f}_{p}", product))
            if len(waiting) == SPARE:
                self._add(waiting.pop(0))
        for one in waiting:
            self._add(one)

    def _add(self, one: tuple[str, str]) -> None:
        self.a("vadd.f32", one[0], one[0], one[1])

    def _end(self) -> None:
        a, tile = self.a, self.tile
        a.block("Sums become outputs")
        moved = 0
        for bump, outputs in stores(tile):
            add_constant(a, "output", bump, "w")
            moved += bump
            tile.finish.store(a, outputs, "output", ("w", "end"), "product0")
        a.block("To the next tile")
        add_constant(a, "input", tile.step, "w")
        add_constant(a, "output", 4 * tile.positions * tile.outputs - moved, "w")
        a("subs", "tiles", "tiles", imm(1))


def stores(tile: FloatTile) -> Iterator[tuple[int, list[Output]]]:
    """(bytes that the pointer moves before, sums and places behind it), as many positions at a time as it reaches."""
    most, (_, bump) = tile.stored, stored_at(tile)
    for first in range(0, tile.positions, most):
        seen = range(first, min(first + most, tile.positions))
        outputs = [(f"sum{f}_{p}", 4 * ((p - first) * tile.outputs + f)) for p in seen for f in range(tile.filters)]
        yield (bump if first else 0), outputs


def stored_at(tile: FloatTile) -> tuple[int, int]:
    """From how many places outputs are stored, and the bytes from each to the next."""
    return -(-tile.positions // tile.stored), 4 * tile.stored * tile.outputs


def _moved(a: Assembly, register: str, start: str, offset: int) -> None:
    """register = start + offset"""
    if offset == 0:
        if register != start:
            a("mov", register, start)
    elif abs(offset) <= 4095:
        a("addw" if offset > 0 else "subw", register, start, imm(abs(offset)))
    elif register == start:
        raise AssertionError("it needs a spare register")
    else:
        constant(a, register, offset)
        a("add", register, register, start)


def _head(tile: FloatTile) -> Sequence[str]:
    return [
        f"{tile.name}: {tile.filters} filters x {tile.positions} positions, float32.",
        "",
        f"input    of the first position; positions lie {tile.distance} bytes apart. A row of the window has"
        f" {tile.taps} taps, {tile.tap} bytes apart",
        f"weights  [rows][{tile.taps}][{tile.filters} filters]",
        f"output   of the first filter at the first position; {tile.outputs} outputs a position",
        "bias     of the filters",
        "tiles    one behind the other",
        "rows     of the window that are seen",
        "pitch    bytes from a row of inputs to the next one",
        "",
        "Each sum is bias + product + product .., in the order of plain C, VMUL and VADD each rounding: the same bits.",
        "The first pass enters the loop in its middle, when the loop does not divide the row.",
    ]
