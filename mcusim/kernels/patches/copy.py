"""What windows see -> patches side by side: words of several positions share their places, as the tile reads them."""

from dataclasses import dataclass

from mcusim.kernels.assembly import LONGEST_OFFSET, Assembly, add_constant, at, imm, several
from mcusim.program import KernelCall, Routine

SIGNATURE = "const int16_t *input, int16_t *patches, int count, int left"
STRAIGHT = 40  # words of a patch that is copied without a loop
CALL_CYCLES = 26
_DATA = [f"r{n}" for n in range(4, 10)]  # as many words at once


@dataclass(frozen=True)
class Window:
    """What a position sees: `rows` x `taps` runs of `run_words` pairs of numbers; steps are in bytes.

    `positions` share a tile; from one to the next are `position_step` bytes.
    """

    rows: int
    row_step: int
    taps: int
    tap_step: int
    run_words: int
    positions: int
    position_step: int

    @property
    def words(self) -> int:
        return self.rows * self.taps * self.run_words

    @property
    def runs(self) -> list[int]:
        """Where each begins, in bytes from the position's."""
        return [row * self.row_step + tap * self.tap_step for row in range(self.rows) for tap in range(self.taps)]

    @property
    def place_step(self) -> int:
        """Bytes from word to word of a patch."""
        return 4 * self.positions

    @property
    def is_straight(self) -> bool:
        return self.words <= STRAIGHT and self.runs[-1] + 4 * self.run_words <= LONGEST_OFFSET

    @property
    def cycles(self) -> float:
        """Of one position."""
        odd = (self.position_step | self.row_step | self.tap_step) & 2  # half of the words do not lie on words
        words = self.words * (2 + 0.5 * bool(odd))
        if self.is_straight:
            return words + 2 * -(-self.words // len(_DATA)) + 7
        chunks, rest = divmod(self.run_words, len(_DATA))
        turn = 6 if chunks > 1 else 3  # a burst of loads, two pointers, a branch
        a_run = chunks * turn + (chunks > 1) + (3 if rest else 0) + 2
        return words + self.rows * (self.taps * a_run + 2) + 12


def patch_copy(w: Window) -> Routine:
    """`count` positions, one after another; `left` of them have their places in the tile that comes first."""
    size = f"{w.rows}x{w.taps}x{w.run_words}"
    name = f"nn_patches_{size}_{w.row_step}_{w.tap_step}_{w.position_step}_{w.positions}"
    a = Assembly(name, _head(name, w))
    _registers(a)
    a("push", several([*_DATA, "r10", "r11", "lr"]))
    with a.counted("position", "A position", "count"):
        _straight(a, w) if w.is_straight else _by_rows(a, w)
        a.block("The next position; behind the last of a tile begins another")
        add_constant(a, "input", w.position_step, "source")
        a("add", "patch", "patch", imm(4))
        a("subs", "left", "left", imm(1))
        a("bne", f".L{name}_same_tile")
        add_constant(a, "patch", w.place_step * (w.words - 1), "source")
        a("mov", "left", imm(w.positions))
        a.place("same_tile")
    a("pop", several([*_DATA, "r10", "r11", "pc"]))
    fields = {"rows": w.rows, "row_step": w.row_step, "taps": w.taps, "tap_step": w.tap_step}
    fields |= {"run_words": w.run_words, "positions": w.positions, "position_step": w.position_step}
    return a.routine(SIGNATURE, KernelCall("patch_copy", ("input", "patches", "count", "left"), fields))


def _registers(a: Assembly) -> None:
    a.register("input", "r0", "of the position")
    a.register("patch", "r1", "its first word")
    a.register("count", "r2", "positions")
    a.register("left", "r3", "places in the tile")
    a.register("source", "r12")
    a.register("place", "lr")
    a.register("chunks", "r10")
    a.register("rows", "r11")


def _straight(a: Assembly, w: Window) -> None:
    sources = [run + 4 * word for run in w.runs for word in range(w.run_words)]
    for first in range(0, w.words, len(_DATA)):
        _burst(a, "input", sources[first : first + len(_DATA)], "patch", w.place_step, first)


def _burst(a: Assembly, source: str, offsets: list[int], place: str, place_step: int, first: int = 0) -> None:
    """Loads one behind the other take a cycle each, but for the first."""
    for register, offset in zip(_DATA, offsets, strict=False):
        a("ldr", register, at(source, offset))
    for index, register in enumerate(_DATA[: len(offsets)]):
        a("str", register, at(place, (first + index) * place_step))


def _by_rows(a: Assembly, w: Window) -> None:
    a("mov", "source", "input")
    a("mov", "place", "patch")
    a("movw", "rows", imm(w.rows))
    with a.counted("row", f"A row of the window: {w.taps} runs", "rows"):
        for tap in range(w.taps):
            _run(a, w)
            to_next = w.tap_step if tap + 1 < w.taps else w.row_step - (w.taps - 1) * w.tap_step
            add_constant(a, "source", to_next - 4 * w.run_words, "chunks")


def _run(a: Assembly, w: Window) -> None:
    """Words side by side; both pointers move behind them."""
    count = len(_DATA)
    chunks, rest = divmod(w.run_words, count)
    if chunks:
        if chunks > 1:
            a("movw", "chunks", imm(chunks))
            again = a.label("chunk")
        _burst(a, "source", [4 * word for word in range(count)], "place", w.place_step)
        a("add", "source", "source", imm(4 * count))
        a("add", "place", "place", imm(w.place_step * count))
        if chunks > 1:
            a("subs", "chunks", "chunks", imm(1))
            a("bne", again)
    if rest:
        _burst(a, "source", [4 * word for word in range(rest)], "place", w.place_step)
        a("add", "source", "source", imm(4 * rest))
        a("add", "place", "place", imm(w.place_step * rest))


def _head(name: str, w: Window) -> list[str]:
    return [
        f"{name}: what positions see, side by side: {w.rows} rows of {w.taps} runs of {w.run_words} pairs of numbers.",
        "",
        f"input    steps in bytes: {w.position_step} to a next position, {w.row_step} to a row, {w.tap_step} to a run",
        f"patches  [tiles][{w.words} pairs][{w.positions} positions][2 numbers]",
        "",
        "Pairs may begin at any number: LDR takes such addresses.",
    ]
