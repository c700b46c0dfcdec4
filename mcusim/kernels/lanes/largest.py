"""The largest number of windows: of whole ones side by side, their taps one after another, and of one of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from mcusim.kernels.assembly import Assembly, add_constant, constant, imm, several
from mcusim.kernels.lanes.words import FAR, SPARE, WORD_BYTES, Words, places, unaligned
from mcusim.program import KernelCall, Routine

MOST_TAPS = 9  # that have instructions of their own: the loop stays in the instruction cache
UNROLLED = (4, 2, 1)  # taps of more, in a turn of a loop
NOT_TAKEN = 1  # cycles less than of a branch that is taken


class Windows(NamedTuple):
    """`row_bytes` from a row of the map to the next, `step_bytes` from a window to the next."""

    words: Words
    channels: int
    rows: int
    columns: int
    row_bytes: int
    step_bytes: int

    @property
    def pixel_bytes(self) -> int:
        return self.channels * self.words.number_bytes

    @property
    def taps(self) -> tuple[int, ...]:
        """Where they lie."""
        return tuple(
            row * self.row_bytes + column * self.pixel_bytes
            for row in range(self.rows)
            for column in range(self.columns)
        )

    @property
    def is_straight(self) -> bool:
        return len(self.taps) <= MOST_TAPS or (self.rows == 1 and self.unrolled > 0)

    @property
    def unrolled(self) -> int:
        """Of taps in a row; 0 where a load does not reach the next one."""
        room = self.words.longest_offset - WORD_BYTES * self.words.several
        return next((count for count in UNROLLED[self.words.real :] if count * self.pixel_bytes <= room), 0)


class Made(NamedTuple):
    """A routine, its cycles and those of a window."""

    routine: Routine
    around: float
    window: float


@lru_cache(maxsize=256)
def side_by_side(windows: Windows) -> Made:
    """Any number of windows that are whole."""
    return _Straight(windows).made()


class _Straight:
    def __init__(self, windows: Windows) -> None:
        self.w = windows
        self.words = windows.words
        shape = "_".join(map(str, (windows.channels, windows.rows, windows.columns)))
        steps = f"{windows.row_bytes}_{windows.step_bytes}" if windows.rows > 1 else f"{windows.step_bytes}"
        self.name = f"nn_largest_{self.words.key}_{shape}_{steps}"
        self.a = a = Assembly(self.name, _head(self.name, windows))
        a.register("output", "r0", "[windows][channels]")
        a.register("input", "r1", "the first tap of a window")
        a.register("windows", "r2", "that are left")
        a.register("turns", "r3", "of the loop over channels")
        a("push", several([*self.words.saved, "lr"]))
        before = a.cycles
        with a.loop("window", "A window") as again:
            self._window()
            a("subs", "windows", "windows", imm(1))
            a("bne", again)
        written = a.cycles - before
        a("pop", several([*self.words.saved, "pc"]))
        self.around = a.cycles - written
        self.cycles = written + unaligned(windows.pixel_bytes) * len(windows.taps) * len(self._places)

    def made(self) -> Made:
        w = self.w
        parameters = {**_twin(w), "step": w.step_bytes // w.words.number_bytes}
        call = KernelCall("largest", ("output", "input", "windows", str(w.rows), str(w.columns)), parameters)
        signature = "void *output, const void *input, int windows"
        return Made(self.a.routine(signature, call, w.words.guard), self.around, self.cycles)

    @property
    def _places(self) -> tuple[int, ...]:
        return places(self.w.pixel_bytes)

    def _window(self) -> None:
        a, block = self.a, WORD_BYTES * self.words.several
        turns = self.w.pixel_bytes // block
        looped = turns > 1
        if looped:
            a("movw", "turns", imm(turns))
            since = a.cycles
            with a.loop("words", f"{self.words.several} words of channels") as again:
                self._words(range(0, block, WORD_BYTES), moves=True)
                a("subs", "turns", "turns", imm(1))
                a("bne", again)
            a.repeated(since, turns)
        moved = turns * block if looped else 0
        rest = [place - moved for place in self._places if place + WORD_BYTES > moved]
        for start in range(0, len(rest), self.words.several):
            self._words(rest[start : start + self.words.several], moves=False)
        a.block("To the next window")
        add_constant(a, "input", self.w.step_bytes - moved, FAR)
        add_constant(a, "output", self.w.pixel_bytes - moved, FAR)

    def _words(self, there: Sequence[int], *, moves: bool) -> None:
        """Some channels of all taps."""
        words, a = self.words, self.a
        best, others = words.first[: len(there)], words.second[: len(there)]
        first, *taps = self.w.taps
        a.block(f"{len(there)} words from {there[0]} on: the first tap")
        words.load(a, best, "input", first, there)
        if len(taps) >= MOST_TAPS:
            self._many(best, others, there)
        else:
            for number, tap in enumerate(taps, 1):
                if number > 1:
                    a.block(f"Tap {number}")
                words.load(a, others, "input", tap, there)
                words.larger(a, best, others)
        if moves:
            a("add", "input", "input", imm(WORD_BYTES * words.several))
        words.limit(a, best, others[0])
        words.store(a, best, "output", there, WORD_BYTES * words.several if moves else 0)

    def _many(self, best: Sequence[str], others: Sequence[str], there: Sequence[int]) -> None:
        """Taps in a row, some in each turn of a loop; afterwards the input is where it was."""
        a, pixel = self.a, self.w.pixel_bytes
        unrolled = self.w.unrolled
        turns, rest = divmod(len(self.w.taps) - 1, unrolled)
        constant(a, FAR, turns)
        since = a.cycles
        with a.loop("taps", f"{unrolled} taps") as again:
            self._taps(range(1, unrolled + 1), best, others, there)
            a("subs", FAR, FAR, imm(1))
            add_constant(a, "input", unrolled * pixel, SPARE)
            a("bne", again)
        a.repeated(since, turns)
        if rest:
            a.block("The last taps")
        self._taps(range(1, rest + 1), best, others, there)
        add_constant(a, "input", -turns * unrolled * pixel, FAR)

    def _taps(self, taps: range, best: Sequence[str], others: Sequence[str], there: Sequence[int]) -> None:
        for tap in taps:
            self.words.load(self.a, others, "input", tap * self.w.pixel_bytes, there)
            self.words.larger(self.a, best, others)


@dataclass(frozen=True)
class Window:
    """A routine for one window of any size. Cycles: of a call, of each row, and of each tap."""

    routine: Routine
    around: float
    row: float
    tap: float

    def cycles(self, rows: int, columns: int) -> float:
        return self.around + rows * (self.row + columns * self.tap)


@lru_cache(maxsize=256)
def one_window(words: Words, channels: int, row_bytes: int) -> Window:
    return _One(words, channels, row_bytes).made()


class _One:
    """What each block of channels begins with is on the stack: rows, columns; and how many blocks are left."""

    def __init__(self, words: Words, channels: int, row_bytes: int) -> None:
        self.w = Windows(words, channels, 0, 0, row_bytes, 0)
        self.words = words
        self.name = f"nn_largest_in_{words.key}_{channels}_{row_bytes}"
        self.a = a = Assembly(self.name, _head(self.name, self.w))
        a.register("output", "r0", "[channels]")
        a.register("corner", "r1", "the first tap")
        a.register("rows", "r2", "that are left, with this one")
        a.register("columns", "r3", "of the row that are left")
        a.register("tap", FAR)
        self.row = self.tap = 0.0
        a("push", several(["r1", "r2", "r3", *self.words.saved, "lr"]))
        self._blocks()
        a("add", "sp", "sp", imm(3 * WORD_BYTES))
        a("pop", several([*self.words.saved, "pc"]))

    def made(self) -> Window:
        w = self.w
        call = KernelCall("largest", ("output", "input", "1", "rows", "columns"), {**_twin(w), "step": 0})
        signature = "void *output, const void *input, int rows, int columns"
        routine = self.a.routine(signature, call, w.words.guard)
        return Window(routine, self.a.cycles - self.row - 2 * self.tap, self.row, self.tap)

    def _blocks(self) -> None:
        a, block = self.a, WORD_BYTES * self.words.several
        turns = self.w.pixel_bytes // block
        looped = turns > 1
        if looped:
            a("movw", "columns", imm(turns))
            a("str", "columns", "[sp]")
            since, row, tap = a.cycles, self.row, self.tap
            with a.loop("words", f"{self.words.several} words of channels") as again:
                self._words("some", range(0, block, WORD_BYTES), moves=True)
                a("ldr", "columns", "[sp]")
                a("subs", "columns", "columns", imm(1))
                a("str", "columns", "[sp]")
                a("bne", again)
            a.repeated(since, turns)
            self.row, self.tap = row + turns * (self.row - row), tap + turns * (self.tap - tap)
        moved = turns * block if looped else 0
        rest = [place - moved for place in places(self.w.pixel_bytes) if place + WORD_BYTES > moved]
        for start in range(0, len(rest), self.words.several):
            self._words(f"rest{start}", rest[start : start + self.words.several], moves=False)

    def _words(self, name: str, there: Sequence[int], *, moves: bool) -> None:
        words, a = self.words, self.a
        best, others = words.first[: len(there)], words.second[: len(there)]
        a.block(f"{len(there)} words from {there[0]} on: the first tap")
        a("mov", "tap", "corner")
        a("ldrd", "rows", "columns", "[sp, #4]")
        words.load(a, best, "corner", 0, there)
        a("b", f".L{a.name}_{name}_next")
        since = a.cycles
        with a.loop(f"{name}_tap", "Any other tap") as again:
            words.load(a, others, "tap", 0, there)
            words.larger(a, best, others)
            a.place(f"{name}_next")
            add_constant(a, "tap", self.w.pixel_bytes, SPARE)
            a("subs", "columns", "columns", imm(1))
            a("bne", again)
        self.tap += a.cycles - since
        since = a.cycles
        a("subs", "rows", "rows", imm(1))
        a("beq", f".L{a.name}_{name}_end")
        a.block("To the next row")
        a("ldr", "columns", "[sp, #8]")
        constant(a, SPARE, self.w.pixel_bytes)
        a("mls", "tap", SPARE, "columns", "tap")
        add_constant(a, "tap", self.w.row_bytes, SPARE)
        a("b", again)
        self.row += a.cycles - since - 2 * NOT_TAKEN
        a.place(f"{name}_end")
        if moves:
            a("add", "corner", "corner", imm(WORD_BYTES * words.several))
        words.limit(a, best, others[0])
        words.store(a, best, "output", there, WORD_BYTES * words.several if moves else 0)


def _head(name: str, w: Windows) -> Iterator[str]:
    size = f"{w.rows} x {w.columns}" if w.rows else "any"
    yield f"{name}: the largest numbers of windows, channel by channel."
    yield ""
    yield f"input    a map of {w.channels} channels, {w.row_bytes} bytes from row to row"
    yield f"         windows of {size} taps, {w.step_bytes} bytes apart" if w.rows else "         one window"
    yield "output   the channels of one window after another"
    yield ""
    yield "Words of channels are compared at once: SEL takes of each two numbers the one that the comparison"
    yield "before it told. Of real numbers that are equal the first stays, as in plain C."


def _twin(w: Windows) -> dict[str, Any]:
    number = w.words.number_bytes
    fields: dict[str, Any] = {"channels": w.channels, "row": w.row_bytes // number}
    return {**fields, **({"unsigned_input": 1} if w.words.unsigned else {}), **w.words.limits()}
