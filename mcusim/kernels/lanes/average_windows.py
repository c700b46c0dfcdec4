"""Means of windows in assembly: of whole ones side by side, and of one of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from mcusim.kernels.assembly import Assembly, add_constant, constant, imm, several
from mcusim.kernels.lanes.averages import FACTOR, START, Mean
from mcusim.kernels.lanes.largest import NOT_TAKEN, Made, Window, Windows
from mcusim.kernels.lanes.words import FAR, SPARE, WORD_BYTES, places, unaligned
from mcusim.program import KernelCall

MOST_TAPS = 16  # that have instructions of their own


def is_straight(windows: Windows) -> bool:
    return len(windows.taps) <= MOST_TAPS or (windows.rows == 1 and windows.unrolled > 0)


@lru_cache(maxsize=256)
def side_by_side(mean: Mean, windows: Windows) -> Made:
    """Any number of windows that are whole."""
    return _Straight(mean, windows).made()


class _Straight:
    def __init__(self, mean: Mean, windows: Windows) -> None:
        self.w, self.mean, self.words = windows, mean, mean.words
        shape = "_".join(map(str, (windows.channels, windows.rows, windows.columns)))
        steps = f"{windows.row_bytes}_{windows.step_bytes}" if windows.rows > 1 else f"{windows.step_bytes}"
        self.name = f"nn_means_{mean.key}_{shape}_{steps}"
        self.a = a = Assembly(self.name, _head(self.name, windows))
        a.register("output", "r0", "[windows][channels]")
        a.register("input", "r1", "the first tap of a window")
        a.register("windows", "r2", "that are left")
        a.register("turns", "r3", "of the loop over channels")
        _register(a, mean)
        a("push", several([*self.words.saved, "lr"]))
        mean.prepare(a)
        before = a.cycles
        with a.loop("window", "A window") as again:
            self._window()
            a("subs", "windows", "windows", imm(1))
            a("bne", again)
        written = a.cycles - before
        a("pop", several([*self.words.saved, "pc"]))
        self.around = a.cycles - written
        self.cycles = written + unaligned(windows.pixel_bytes) * len(windows.taps) * len(places(windows.pixel_bytes))

    def made(self) -> Made:
        w = self.w
        parameters = {**_twin(self.mean, w), "step": w.step_bytes // w.words.number_bytes}
        call = KernelCall("averaged", ("output", "input", "windows", str(w.rows), str(w.columns)), parameters)
        signature = "void *output, const void *input, int windows"
        return Made(self.a.routine(signature, call, w.words.guard), self.around, self.cycles)

    def _window(self) -> None:
        a, block = self.a, WORD_BYTES * self.mean.together
        turns = self.w.pixel_bytes // block
        looped = turns > 1
        if looped:
            a("movw", "turns", imm(turns))
            since = a.cycles
            with a.loop("words", f"{self.mean.together} words of channels") as again:
                self._words(range(0, block, WORD_BYTES), moves=True)
                a("subs", "turns", "turns", imm(1))
                a("bne", again)
            a.repeated(since, turns)
        moved = turns * block if looped else 0
        rest = [place - moved for place in places(self.w.pixel_bytes) if place + WORD_BYTES > moved]
        for start in range(0, len(rest), self.mean.together):
            self._words(rest[start : start + self.mean.together], moves=False)
        a.block("To the next window")
        add_constant(a, "input", self.w.step_bytes - moved, FAR)
        add_constant(a, "output", self.w.pixel_bytes - moved, FAR)

    def _words(self, there: Sequence[int], *, moves: bool) -> None:
        """Some channels of all taps."""
        a, taps = self.a, self.w.taps
        a.block(f"{len(there)} words from {there[0]} on: the first tap")
        self._tap("input", taps[0], there, first=True)
        if len(taps) > MOST_TAPS:
            self._many(there)
        else:
            for number, tap in enumerate(taps[1:], 1):
                if number > 1:
                    a.block(f"Tap {number}")
                self._tap("input", tap, there)
        if moves:
            a("add", "input", "input", imm(WORD_BYTES * self.mean.together))
        a.block("Their means")
        ended = self.mean.end(a, len(there))
        self.words.store(a, ended, "output", there, WORD_BYTES * self.mean.together if moves else 0)

    def _tap(self, base: str, offset: int, there: Sequence[int], *, first: bool = False) -> None:
        self.mean.load(self.a, base, offset, there, first=first)
        self.mean.add(self.a, len(there), first=first)

    def _many(self, there: Sequence[int]) -> None:
        """Taps in a row, some in each turn of a loop."""
        a, pixel, unrolled = self.a, self.w.pixel_bytes, self.w.unrolled
        turns, rest = divmod(len(self.w.taps) - 1, unrolled)
        a("addw", FAR, "input", imm(pixel))
        constant(a, SPARE, turns)
        since = a.cycles
        with a.loop("taps", f"{unrolled} taps") as again:
            for tap in range(unrolled):
                self._tap(FAR, tap * pixel, there)
            a("subs", SPARE, SPARE, imm(1))
            a("addw", FAR, FAR, imm(unrolled * pixel))
            a("bne", again)
        a.repeated(since, turns)
        if rest:
            a.block("The last taps")
        for tap in range(rest):
            self._tap(FAR, tap * pixel, there)


@lru_cache(maxsize=256)
def one_window(mean: Mean, channels: int, row_bytes: int) -> Window:
    return _One(mean, channels, row_bytes).made()


class _One:
    """On the stack: how many blocks of channels are left; and what each begins with, rows and columns."""

    def __init__(self, mean: Mean, channels: int, row_bytes: int) -> None:
        self.w = Windows(mean.words, channels, 0, 0, row_bytes, 0)
        self.mean, self.words = mean, mean.words
        self.name = f"nn_means_in_{mean.key}_{channels}_{row_bytes}"
        self.a = a = Assembly(self.name, _head(self.name, self.w))
        a.register("output", "r0", "[channels]")
        a.register("corner", "r1", "the first tap")
        a.register("rows", "r2", "that are left, with this one")
        a.register("columns", "r3", "of the row that are left")
        a.register("tap", FAR)
        _register(a, mean)
        self.row = self.tap = self.never = 0.0  # `never`: of a row and a tap what the last, or the first, does not do
        a("push", several(["r1", "r2", "r3", *self.words.saved, "lr"]))
        mean.prepare_any(a, "rows", "columns")
        self._blocks()
        a("add", "sp", "sp", imm(3 * WORD_BYTES))
        a("pop", several([*self.words.saved, "pc"]))

    def made(self) -> Window:
        w = self.w
        call = KernelCall("averaged", ("output", "input", "1", "rows", "columns"), {**_twin(self.mean, w), "step": 0})
        signature = "void *output, const void *input, int rows, int columns"
        routine = self.a.routine(signature, call, w.words.guard)
        return Window(routine, self.a.cycles - self.row - self.tap - self.never, self.row, self.tap)

    def _blocks(self) -> None:
        a, block = self.a, WORD_BYTES * self.mean.together
        turns = self.w.pixel_bytes // block
        looped = turns > 1
        if looped:
            a("movw", "columns", imm(turns))
            a("str", "columns", "[sp]")
            since, row, tap, never = a.cycles, self.row, self.tap, self.never
            with a.loop("words", f"{self.mean.together} words of channels") as again:
                self._words("some", range(0, block, WORD_BYTES), moves=True)
                a("ldr", "columns", "[sp]")
                a("subs", "columns", "columns", imm(1))
                a("str", "columns", "[sp]")
                a("bne", again)
            a.repeated(since, turns)
            self.row, self.tap = row + turns * (self.row - row), tap + turns * (self.tap - tap)
            self.never = never + turns * (self.never - never)
        moved = turns * block if looped else 0
        rest = [place - moved for place in places(self.w.pixel_bytes) if place + WORD_BYTES > moved]
        for start in range(0, len(rest), self.mean.together):
            self._words(f"rest{start}", rest[start : start + self.mean.together], moves=False)

    def _words(self, name: str, there: Sequence[int], *, moves: bool) -> None:
        a, mean = self.a, self.mean
        a.block(f"{len(there)} words from {there[0]} on: the first tap")
        a("mov", "tap", "corner")
        a("ldrd", "rows", "columns", "[sp, #4]")
        mean.load(a, "corner", 0, there, first=True)
        mean.add(a, len(there), first=True)
        a("b", f".L{a.name}_{name}_next")
        since = a.cycles
        with a.loop(f"{name}_tap", "Any other tap") as again:
            mean.load(a, "tap", 0, there, first=False)
            mean.add(a, len(there), first=False)
            self.never += a.cycles - since
            a.place(f"{name}_next")
            add_constant(a, "tap", self.w.pixel_bytes, SPARE)
            a("subs", "columns", "columns", imm(1))
            a("bne", again)
        self.tap += a.cycles - since
        since = a.cycles
        a("subs", "rows", "rows", imm(1))
        a("beq", f".L{a.name}_{name}_end")
        a.block("To the next row")
        back = a.cycles
        a("ldr", "columns", "[sp, #8]")
        constant(a, SPARE, self.w.pixel_bytes)
        a("mls", "tap", SPARE, "columns", "tap")
        add_constant(a, "tap", self.w.row_bytes, SPARE)
        a("b", again)
        self.row += a.cycles - since - 2 * NOT_TAKEN
        self.never += a.cycles - back - NOT_TAKEN
        a.place(f"{name}_end")
        if moves:
            a("add", "corner", "corner", imm(WORD_BYTES * mean.together))
        a.block("Their means")
        self.words.store(a, mean.end(a, len(there)), "output", there, WORD_BYTES * mean.together if moves else 0)


def _register(a: Assembly, mean: Mean) -> None:
    """What stays, of integers."""
    if not mean.words.real:
        a.register(FACTOR, "r10", "of a sum")
        a.register(START, "r11", "what is added to it")


def _head(name: str, w: Windows) -> Iterator[str]:
    size = f"{w.rows} x {w.columns}" if w.rows else "any"
    yield f"{name}: the means of windows, channel by channel."
    yield ""
    yield f"input    a map of {w.channels} channels, {w.row_bytes} bytes from row to row"
    yield f"         windows of {size} taps, {w.step_bytes} bytes apart" if w.rows else "         one window"
    yield "output   the channels of one window after another"
    yield ""
    if w.words.real:
        yield "Taps are added in the order of plain C, from one row to the next."
        return
    yield "Numbers of 8 bits are added two in a word, as long as 16 bits hold their sums. Where taps are no 2^n, a line"
    yield "makes means of sums: (start + sum * factor / 2^n) >> shift has the steps of rounded means, for every sum."


def _twin(mean: Mean, w: Windows) -> dict[str, Any]:
    number = w.words.number_bytes
    fields: dict[str, Any] = {"channels": w.channels, "row": w.row_bytes // number}
    return {**fields, **({"unsigned_input": 1} if mean.unsigned else {}), **dict(mean.fields)}
