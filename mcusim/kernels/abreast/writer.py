"""The function of a strip: loops over groups of channels, rows and tiles, and pointers that walk through them.

Channels lie side by side, and what a window sees is read where it lies: nothing is copied. Weights stay in registers.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mcusim.kernels.abreast.strip import Band, Run, Strip
from mcusim.kernels.assembly import LONGEST_OFFSET, Assembly, add_constant, constant, imm
from mcusim.program import Routine

SIGNATURE = "const void *input, const void *weights, void *output, int blocks"
ARGUMENTS = ("input", "weights", "output", "blocks")
MOST_BASES = 5


@dataclass(frozen=True, eq=False)
class Timed:
    """The function of a strip, as `parts.Block` wants it: `rows` are the channels of a block."""

    routine: Routine
    rows: int
    call_cycles: float
    cycles: float
    flash_bytes: int

    @property
    def code_bytes(self) -> int:
        return self.routine.code_bytes


class Base(NamedTuple):
    """A register that points `start` bytes behind the first input of a window, and reaches from `low` to `high`."""

    name: str
    start: int
    low: int
    high: int


def bases_of(strip: Strip, before: int, behind: int) -> tuple[Base, ...]:
    """As few as reach all that a turn loads: so many bytes before a register, and behind it."""
    found: list[Base] = []
    last = strip.item * (strip.group - 1)
    for place in strip.places:
        if not found or place + last > found[-1].high:
            more = 0 if strip.places[-1] - place + last <= behind else before
            found.append(Base(f"x{len(found)}", place + more, place, place + more + behind))
    return tuple(found)


class Writer(ABC):
    """`bases`: as of `bases_of`. Registers are named by what comes of it."""

    def __init__(self, strip: Strip, bases: Sequence[Base], head: Iterable[str]) -> None:
        self.strip, self.bases = strip, bases
        self.name = f"nn_abreast_{strip.key}"
        self.a = Assembly(self.name, [f"{self.name}: depthwise, {strip.group} channels at a time.", "", *head])

    # ---- what numbers differ in

    spare: str  # a register that is lost between tiles
    columns: list[list[str]]  # registers for as many columns as are loaded at a time
    behind = 0  # bytes that the pointer to outputs is behind the first one, so that stores can move it

    @abstractmethod
    def enter(self) -> None:
        """The first base is where the input is."""

    @abstractmethod
    def leave(self) -> None: ...

    @abstractmethod
    def block(self) -> None:
        """Weights and biases of the next channels come into registers."""

    @abstractmethod
    def count(self, kind: str, times: int | None = None) -> None:
        """One of `counters` is so many `times`; or else one less, and flags tell whether it was the last one."""

    @abstractmethod
    def load(self, names: Sequence[str], base: Base, offset: int, *, moves: bool) -> None:
        """The channels of a column. `moves`: the pointer there, too; only where `can_move` says so."""

    @abstractmethod
    def can_move(self, far: int) -> bool:
        """A load or store its pointer, by so much?"""

    @abstractmethod
    def begin(self) -> None:
        """A tile."""

    @abstractmethod
    def multiply(self, position: int, tap: int, names: Sequence[str]) -> None: ...

    @abstractmethod
    def end(self, positions: Sequence[int], offset: int, between: Callable[[], None], *, moves: bool = False) -> None:
        """Their sums become outputs. `between`: loads before the last stores, which hide a cycle of theirs.
        `moves`: the last store moves the pointer to where it stores; only where `can_move` says so.
        """

    # ---- what they share

    def write(self) -> float:
        """-> cycles of a block."""
        a, strip = self.a, self.strip
        self.enter()
        for base in reversed(self.bases):
            _point(a, base.name, self.bases[0].name, base.start - strip.padded_bytes, self.spare)
        add_constant(a, "output", -self.behind, self.spare)
        since = a.cycles
        with a.loop("block", f"{strip.group} channels: their weights and biases") as again:
            self.block()
            self._moved = self._stored = 0
            self._rows()
            a.block("To the next channels")
            for base in self.bases:
                add_constant(a, base.name, strip.group * strip.item - self._moved, self.spare)
            add_constant(a, "output", strip.group * strip.finish.store_bytes - self._stored, self.spare)
            self.count("blocks")
            a("bne", again)
        block = a.cycles - since
        self.leave()
        return block

    def _rows(self) -> None:
        a, last = self.a, self.strip.bands[-1]
        for band in self.strip.bands:
            if band.times == 1:
                self._row(band, ends=band is last)
                continue
            self.count("rows", band.times)
            since, moved, stored = a.cycles, self._moved, self._stored
            with a.loop("row", f"A row of outputs, {band.times} times") as again:
                self._row(band, ends=False)
                self.count("rows")
                a("bne", again)
            a.repeated(since, band.times)
            self._moved += (band.times - 1) * (self._moved - moved)
            self._stored += (band.times - 1) * (self._stored - stored)

    def _row(self, band: Band, *, ends: bool) -> None:
        """Pointers come to the next one, unless all `ends` here."""
        strip, last = self.strip, self.strip.runs[-1]
        target = self._moved + strip.strides[0] * strip.row_bytes
        for run in strip.runs:
            step = run.positions * run.unroll * strip.strides[1] * strip.column_bytes
            if run is last and run.turns == 1:
                step = 0 if ends else target - self._moved
            self._run(run, band, step, stays=ends and run is last and run.turns == 1)
        if not ends and self._moved != target:
            self._move(target - self._moved)
            self._moved = target

    def _run(self, run: Run, band: Band, step: int, *, stays: bool) -> None:
        """`step`: bytes to the inputs of the next turn. `stays`: does the pointer to outputs not move?"""
        a, stored = self.a, 0 if stays else run.positions * run.unroll * self.strip.position_bytes
        if run.turns > 1:
            self.count("turns", run.turns)
        since = a.cycles
        what = f"{run.unroll} tiles of {run.positions} positions" if run.unroll > 1 else f"{run.positions} positions"
        with a.loop("turn", what) as again:
            moves = stored > 0 and self.can_move(stored)
            for tile in range(run.unroll):
                is_last = tile == run.unroll - 1
                self._tile(run, band, tile, step if is_last else 0, moves=moves and is_last)
            add_constant(a, "output", 0 if moves else stored, self.spare)
            if run.turns > 1:
                self.count("turns")
                a("bne", again)
        if run.turns > 1:
            a.repeated(since, run.turns)
        self._moved += run.turns * step
        self._stored += run.turns * stored

    def _tile(self, run: Run, band: Band, tile: int, ahead: int, *, moves: bool) -> None:
        """Pointers to inputs move so many bytes `ahead`, with the last load or behind it. `moves`: that to outputs,
        with the last store.
        """
        strip, done = self.strip, list[int]()
        first, output = tile * run.positions * strip.strides[1], tile * run.positions * strip.position_bytes
        seen = [(p, column) for column in range(run.low, run.high) for p, _ in strip.taps_of(column, run.positions)]
        last_taps, far = dict(seen), abs(ahead) > LONGEST_OFFSET
        self.begin()
        for row in range(band.low, band.high):
            is_last_row = row == band.high - 1
            for start in range(run.low, run.high, strip.loaded):
                some = range(start, min(start + strip.loaded, run.high))
                is_last = is_last_row and some[-1] == run.high - 1
                place = row * strip.row_bytes + (first + some[-1]) * strip.column_bytes
                own = is_last and place - self.bases[0].start == ahead and len(self.bases) == 1 and self.can_move(ahead)
                self.end(done, output, lambda: self._load(some, row, first, moves=own))  # noqa: B023
                done.clear()
                if is_last and not far and not own:
                    self._move(ahead)
                for names, column in zip(self.columns, some, strict=False):
                    for position, tap in strip.taps_of(column, run.positions):
                        self.multiply(position, row * strip.size[1] + tap, names)
                if is_last_row and strip.is_eager:
                    done += [position for position, column in last_taps.items() if column in some]
        self.end(done if strip.is_eager else range(run.positions), output, lambda: None, moves=moves)
        if far:
            self._move(ahead)

    def _load(self, columns: range, row: int, first: int, *, moves: bool) -> None:
        """`moves`: the pointer, with the last of them."""
        strip = self.strip
        for names, column in zip(self.columns, columns, strict=False):
            place = row * strip.row_bytes + (first + column) * strip.column_bytes
            base = next(base for base in reversed(self.bases) if base.low <= place)
            self.load(names, base, place - base.start, moves=moves and column == columns[-1])

    def _move(self, ahead: int) -> None:
        for base in self.bases:
            add_constant(self.a, base.name, ahead, self.spare)


def _point(a: Assembly, register: str, start: str, offset: int, spare: str) -> None:
    """register = start + offset"""
    if register == start:
        add_constant(a, register, offset, spare)
    elif abs(offset) <= LONGEST_OFFSET:
        a("addw" if offset >= 0 else "subw", register, start, imm(abs(offset)))
    else:
        constant(a, register, abs(offset))
        a("add" if offset > 0 else "sub", register, start, register)


def counted(a: Assembly, register: str, times: int | None) -> None:
    if times is not None:
        a("movw", register, imm(times))
    else:
        a("subs", register, register, imm(1))
