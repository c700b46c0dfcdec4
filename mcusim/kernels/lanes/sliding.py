"""Windows of a map in assembly: the loops around each tap. What is done with it `largest` and `average_windows` say."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from mcusim.kernels.assembly import Assembly, Timed, add_constant, constant, imm, several
from mcusim.kernels.lanes.words import FAR, SPARE, WORD_BYTES, Words, places, unaligned
from mcusim.program import KernelCall, Routine

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
    def key(self) -> str:
        """Of whole windows, as a part of a routine's name."""
        steps = (self.row_bytes, self.step_bytes) if self.rows > 1 else (self.step_bytes,)
        return "_".join(map(str, (self.channels, self.rows, self.columns, *steps)))

    def is_straight(self, most_taps: int) -> bool:
        """Has each tap instructions of its own, or are they one row?"""
        return len(self.taps) <= most_taps or (self.rows == 1 and self.unrolled > 0)

    @property
    def unrolled(self) -> int:
        """Of taps in a row; 0 where a load does not reach the next one."""
        room = self.words.longest_offset - WORD_BYTES * self.words.several
        return next((count for count in UNROLLED[self.words.real :] if count * self.pixel_bytes <= room), 0)

    def head(self, name: str, of: str, how: Sequence[str]) -> Iterator[str]:
        """What stands above a routine."""
        size = f"{self.rows} x {self.columns}" if self.rows else "any"
        yield f"{name}: the {of} of windows, channel by channel."
        yield ""
        yield f"input    a map of {self.channels} channels, {self.row_bytes} bytes from row to row"
        yield f"         windows of {size} taps, {self.step_bytes} bytes apart" if self.rows else "         one window"
        yield "output   the channels of one window after another"
        yield ""
        yield from how


@dataclass(frozen=True)
class Window:
    """A routine for one window of any size. Cycles: of a call, of each row, and of each tap."""

    routine: Routine
    around: float
    row: float
    tap: float

    def cycles(self, rows: int, columns: int) -> float:
        return self.around + rows * (self.row + columns * self.tap)


class Writer(ABC):
    """`together`: words whose channels are worked on at once. `fields`: of the twin that is `KERNEL`."""

    KERNEL: ClassVar[str]

    def __init__(self, name: str, head: Iterator[str], windows: Windows, together: int) -> None:
        self.w, self.words, self.together = windows, windows.words, together
        self.a = Assembly(name, head)

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, Any]: ...

    @property
    def kept(self) -> Sequence[tuple[str, str, str]]:
        """Registers that stay as they are: name, number, what it is."""
        return ()

    @abstractmethod
    def tap(self, base: str, offset: int, there: Sequence[int], *, first: bool) -> None:
        """Words of a tap are loaded from `base`, and become a part of what was there, but for the first ones."""

    @abstractmethod
    def end(self, count: int) -> Sequence[str]:
        """Of so many words, all of whose taps were there: the registers to store."""

    def parameters(self, step_bytes: int) -> dict[str, Any]:
        number = self.words.number_bytes
        own = {"channels": self.w.channels, "row": self.w.row_bytes // number, **self.fields}
        return {**own, "step": step_bytes // number}

    def store(self, there: Sequence[int], base: str, *, moves: bool) -> None:
        """Moved on are `base`, from which taps are read, and the output."""
        step = WORD_BYTES * self.together if moves else 0
        if moves:
            self.a("add", base, base, imm(step))
        self.words.store(self.a, self.end(len(there)), "output", there, step)

    def rest(self, moved: int) -> Iterator[Sequence[int]]:
        """Places of words that no loop over channels had, some at a time."""
        left = [place - moved for place in places(self.w.pixel_bytes) if place + WORD_BYTES > moved]
        return (left[start : start + self.together] for start in range(0, len(left), self.together))

    @property
    def turns(self) -> int:
        """Of the loop over channels; 0: there is none."""
        turns = self.w.pixel_bytes // (WORD_BYTES * self.together)
        return turns if turns > 1 else 0


class SideBySide(Writer):
    """Any number of windows that are whole; up to `MOST_TAPS` have instructions of their own."""

    MOST_TAPS: ClassVar[int]

    def write(self) -> Timed:
        a = self.a
        a.register("output", "r0", "[windows][channels]")
        a.register("input", "r1", "the first tap of a window")
        a.register("windows", "r2", "that are left")
        a.register("turns", "r3", "of the loop over channels")
        for name, register, what in self.kept:
            a.register(name, register, what)
        a("push", several([*self.words.saved, "lr"]))
        self.prepare()
        before = a.cycles
        with a.counted("window", "A window", "windows"):
            self._window()
        written = a.cycles - before
        a("pop", several([*self.words.saved, "pc"]))
        w = self.w
        call = KernelCall(
            self.KERNEL, ("output", "input", "windows", str(w.rows), str(w.columns)), self.parameters(w.step_bytes)
        )
        misplaced = unaligned(w.pixel_bytes) * len(w.taps) * len(places(w.pixel_bytes))
        routine = a.routine("void *output, const void *input, int windows", call, self.words.guard)
        return Timed(routine, a.cycles - written, written + misplaced)

    def prepare(self) -> None:
        """What comes into registers before the first window."""

    def from_second_tap(self) -> tuple[str, str]:
        """What walks over the other taps of a row, the input or a register at the second one; a counter of turns."""
        return "input", FAR

    def _many(self, there: Sequence[int]) -> None:
        """Taps in a row but the first one, some in each turn of a loop; afterwards the input is where it was."""
        a, pixel, unrolled = self.a, self.w.pixel_bytes, self.w.unrolled
        turns, rest = divmod(len(self.w.taps) - 1, unrolled)
        walker, counter = self.from_second_tap()
        constant(a, counter, turns)
        since = a.cycles
        with a.loop("taps", f"{unrolled} taps") as again:
            self._taps(walker, unrolled, there)
            a("subs", counter, counter, imm(1))
            add_constant(a, walker, unrolled * pixel, SPARE)
            a("bne", again)
        a.repeated(since, turns)
        if rest:
            a.block("The last taps")
        self._taps(walker, rest, there)
        if walker == "input":
            add_constant(a, walker, -turns * unrolled * pixel, counter)

    def _taps(self, walker: str, count: int, there: Sequence[int]) -> None:
        first = int(walker == "input")
        for tap in range(first, first + count):
            self.tap(walker, tap * self.w.pixel_bytes, there, first=False)

    def _window(self) -> None:
        a, block = self.a, WORD_BYTES * self.together
        if self.turns:
            with a.counted("words", f"{self.together} words of channels", "turns", self.turns):
                self._words(range(0, block, WORD_BYTES), moves=True)
        moved = self.turns * block
        for there in self.rest(moved):
            self._words(there, moves=False)
        a.block("To the next window")
        add_constant(a, "input", self.w.step_bytes - moved, FAR)
        add_constant(a, "output", self.w.pixel_bytes - moved, FAR)

    def _words(self, there: Sequence[int], *, moves: bool) -> None:
        """Some channels of all taps."""
        a, taps = self.a, self.w.taps
        a.block(f"{len(there)} words from {there[0]} on: the first tap")
        self.tap("input", taps[0], there, first=True)
        if len(taps) > self.MOST_TAPS:
            self._many(there)
        else:
            for number, tap in enumerate(taps[1:], 1):
                if number > 1:
                    a.block(f"Tap {number}")
                self.tap("input", tap, there, first=False)
        self.store(there, "input", moves=moves)


class OneWindow(Writer):
    """On the stack: how many blocks of channels are left; and what each begins with, rows and columns.

    `row`, `each`: cycles of a row and of a tap; `never`: of those what the last row, or the first tap, does not do.
    """

    row = each = never = 0.0

    def write(self) -> Window:
        a = self.a
        a.register("output", "r0", "[channels]")
        a.register("corner", "r1", "the first tap")
        a.register("rows", "r2", "that are left, with this one")
        a.register("columns", "r3", "of the row that are left")
        a.register("tap", FAR)
        for name, register, what in self.kept:
            a.register(name, register, what)
        a("push", several(["r1", "r2", "r3", *self.words.saved, "lr"]))
        self.prepare()
        self._blocks()
        a("add", "sp", "sp", imm(3 * WORD_BYTES))
        a("pop", several([*self.words.saved, "pc"]))
        call = KernelCall(self.KERNEL, ("output", "input", "1", "rows", "columns"), self.parameters(0))
        routine = a.routine("void *output, const void *input, int rows, int columns", call, self.words.guard)
        return Window(routine, self.around, self.row, self.each)

    def prepare(self) -> None:
        """What comes into registers while rows and columns are in theirs."""

    @property
    def around(self) -> float:
        """Cycles of a call, besides those of rows and taps."""
        return self.a.cycles - self.row - self.each - self.never

    def _blocks(self) -> None:
        a, block = self.a, WORD_BYTES * self.together
        if self.turns:
            a("movw", "columns", imm(self.turns))
            a("str", "columns", "[sp]")
            since, row, each, never = a.cycles, self.row, self.each, self.never
            with a.loop("words", f"{self.together} words of channels") as again:
                self._words("some", range(0, block, WORD_BYTES), moves=True)
                a("ldr", "columns", "[sp]")
                a("subs", "columns", "columns", imm(1))
                a("str", "columns", "[sp]")
                a("bne", again)
            a.repeated(since, self.turns)
            self.row, self.each = row + self.turns * (self.row - row), each + self.turns * (self.each - each)
            self.never = never + self.turns * (self.never - never)
        for number, there in enumerate(self.rest(self.turns * block)):
            self._words(f"rest{number * self.together}", there, moves=False)

    def _words(self, name: str, there: Sequence[int], *, moves: bool) -> None:
        a = self.a
        a.block(f"{len(there)} words from {there[0]} on: the first tap")
        a("mov", "tap", "corner")
        a("ldrd", "rows", "columns", "[sp, #4]")
        self.tap("corner", 0, there, first=True)
        a("b", f".L{a.name}_{name}_next")
        since = a.cycles
        with a.loop(f"{name}_tap", "Any other tap") as again:
            self.tap("tap", 0, there, first=False)
            self.never += a.cycles - since
            a.place(f"{name}_next")
            add_constant(a, "tap", self.w.pixel_bytes, SPARE)
            a("subs", "columns", "columns", imm(1))
            a("bne", again)
        self.each += a.cycles - since
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
        self.store(there, "corner", moves=moves)
