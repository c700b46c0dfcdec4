"""Depthwise convolution down a strip of columns: all weights in registers, each row of inputs is loaded once.

A row of inputs ends the sums of one row of outputs, goes on with those below, and begins the next ones in the registers
that have just become free. The 3 x 3 window of stride 1 takes every register: 6 words of weights, 2 x 2 sums, 2 words
of inputs, two pointers.
"""

from abc import abstractmethod

from mcusim.kernels.assembly import at
from mcusim.kernels.depthwise import frame
from mcusim.kernels.depthwise.ending import IntegerEnds
from mcusim.kernels.depthwise.frame import Frame, P, Pointer, Shared, Walk, unrolled
from mcusim.kernels.depthwise.part import Part, taps
from mcusim.kernels.depthwise.window import WORD_BYTES, Product, Window

COLUMNS = 2  # side by side
REGISTERS = 14


def rolling(window: Window) -> int:
    """Rows of outputs that wait for more rows of inputs at a time."""
    return max(1, -(-(window.height - 1) // window.stride_height))


def fits(window: Window) -> bool:
    needed = window.words + rolling(window) * COLUMNS + window.input_words(COLUMNS) + 2
    return needed <= REGISTERS


def skips(part: Shared) -> bool:
    """Can it leave out the rows of zeros? Where rows are a loop, those above alone, if all are before it."""
    w, (top, bottom) = part.window, part.empty
    whole = w.rows(part.rows) - bottom
    seen = all(max(r * w.stride_height, top) < min(r * w.stride_height + w.height, whole) for r in range(part.rows))
    straight = part.rows <= frame.LOOP_BYTES // part.code_bytes_of_a_row
    return seen and (straight or (bottom == 0 and top < max(1, w.height - w.stride_height)))


class Down(Frame[P]):
    """Goes down strips of columns: `sums` are `sets` of sums of a row of outputs, `xs` the inputs of a row."""

    sums: list[list[str]]
    xs: list[str]
    trips: str
    offsets = True  # do loads of inputs take one?
    spoiled = 0  # inputs at the end that are lost where sums end

    def __init__(self, part: P) -> None:
        w = part.window
        head = [
            f"{w.height} x {w.width}, {part.rows} rows of {part.tiles} x {part.columns} outputs a channel.",
            "",
            f"Goes down {part.columns} columns: a row of inputs ends the sums of a row of outputs, goes on with",
            "those of the next, and begins new ones in the registers of those that ended.",
        ]
        super().__init__("down", part, head)
        self.sets = rolling(w)
        self.spare = self.name_registers()
        with self.channels(self.spare):
            self.load_channel(self.spare)
            self.a("ldr", "x", at("sp", frame.X))
            self.a("ldr", "output", at("sp", frame.OUTPUT))
            self._tiles(self.spare)

    # ---- what numbers differ in

    @abstractmethod
    def name_registers(self) -> str:
        """`x` and `output` among them; -> one of the core that is free where nothing is computed."""

    @abstractmethod
    def load_channel(self, spare: str) -> None:
        """Weights and bias."""

    @abstractmethod
    def load(self, start: int, x: Pointer, names: list[str]) -> None:
        """Inputs of a row, `start` bytes from where the pointer was at first."""

    @abstractmethod
    def begin(self, sums: list[str], k: int) -> None:
        """New sums: the bias, and products of row `k` of the window."""

    @abstractmethod
    def products(self, sums: list[str], k: int) -> None: ...

    @abstractmethod
    def end(self, sums: list[str], row: int, output: Pointer) -> None:
        """Sums become outputs of a row."""

    def _tiles(self, spare: str) -> None:
        part = self.part
        if part.tiles == 1:
            self._walk(last=True)
            return
        self.count(frame.TILES, spare, part.tiles)
        before = self.a.cycles
        with self.a.loop("strip", f"A strip of {part.columns} columns") as again:
            self._walk(last=False)
            self.advance(frame.TILES, spare, -1)
            self.a("bne", again)
        self.a.repeated(before, part.tiles)

    # ---- down a strip

    def _walk(self, *, last: bool) -> None:
        part, w = self.part, self.part.window
        x, output = Pointer(self.a, "x"), Pointer(self.a, "output")
        walks = (
            Walk(x, w.stride_height * part.pitch, w.height * part.pitch if self.offsets else frame.NO_OFFSETS),
            Walk(output, part.row_bytes, part.columns * part.position_bytes),
        )
        most = frame.LOOP_BYTES // part.code_bytes_of_a_row
        if part.rows <= most:
            for row in range(w.rows(part.rows)):
                self._row(row, x, output, range(part.rows))
        else:
            self._loop(x, output, walks, unrolled(most, self.sets, walks))
        if not last:
            x.move(part.tile_bytes)
            output.move(part.columns * part.position_bytes)

    def _loop(self, x: Pointer, output: Pointer, walks: tuple[Walk, ...], rows: int) -> None:
        """So many rows of outputs a turn, after the rows of inputs above those that end a row of outputs."""
        part, w = self.part, self.part.window
        above = w.height - w.stride_height
        early = -part.rows % rows
        for row in range(above):
            self._row(row, x, output, range(part.rows), early)

        def ended(item: int) -> None:
            start = item * w.stride_height + above
            for row in range(start, start + w.stride_height):
                self._row(row, x, output, None)

        self.turns(part.rows, rows, walks, ended, self.trips, self.spare)

    def _row(self, row: int, x: Pointer, output: Pointer, there: range | None, early: int = 0) -> None:
        """Row of inputs: ends, goes on with and begins rows of outputs, all or those that are `there`."""
        w, start = self.part.window, row * self.part.pitch
        sight = self._sight if there is None else self._cut_sight
        first = -(-(row - w.height + 1) // w.stride_height)
        near = range(first, row // w.stride_height + 1) if there is None else there
        seen = [r for r in near if row in sight(r)]
        if not seen:
            return
        self.a.block(f"Row {row} of inputs")
        self.load(start, x, self.xs)
        ending = [r for r in seen if row == sight(r)[-1]]
        beginning = [r for r in seen if row == sight(r)[0]]
        going_on = [r for r in seen if r not in beginning]
        sums = {r: self.sums[(r + early) % self.sets] for r in seen}
        first_ones = [r for r in going_on if r in ending or self.spoiled]
        for r in first_ones:
            self.products(sums[r], row - r * w.stride_height)
        for r in ending:
            if r in going_on:
                self.end(sums[r], r, output)
        for r in going_on:
            if r not in first_ones:
                self.products(sums[r], row - r * w.stride_height)
        for index, r in enumerate(beginning):
            if self.spoiled and (index or not set(ending) <= set(beginning)):
                self.load(start, x, self.xs[-self.spoiled :])
            self.begin(sums[r], row - r * w.stride_height)
            if r in ending:
                self.end(sums[r], r, output)

    def _sight(self, r: int) -> range:
        """Rows of inputs that a row of outputs sees."""
        top = r * self.part.window.stride_height
        return range(top, top + self.part.window.height)

    def _cut_sight(self, r: int) -> range:
        """Likewise, without those of zeros."""
        seen, (top, bottom) = self._sight(r), self.part.empty
        return range(max(seen[0], top), min(seen[-1] + 1, self.part.window.rows(self.part.rows) - bottom))


class IntegerDown(IntegerEnds, Down[Part]):
    part: Part

    def name_registers(self) -> str:
        part, w = self.part, self.part.window
        self.weights = [
            self.take(f"w{row}_{index}", f"row {row}: {taps(pair)}")
            for row in range(w.height)
            for index, pair in enumerate(w.pairs)
        ]
        self.sums = [
            [self.take(f"sum{s}_{c}", f"of every {self.sets}. row: column {c}") for c in range(part.columns)]
            for s in range(self.sets)
        ]
        self.xs = [self.take(f"x{i}", f"columns {2 * i}, {2 * i + 1}") for i in range(part.input_words)]
        self.take("x", "inputs, from row to row")
        self.take("output", "outputs, likewise")
        self.keep_factor()
        self.bias = self.take_if_free("bias", "of the channel")
        self.limit = self.take_if_free("limit", "of outputs") if part.finish.ceiling is not None else ""
        self.trips = self.take_if_free("trips", "of the loop over rows")
        self.spoiled = 0 if self.limit else min(self.lost, len(self.xs))
        return self.xs[0]

    def load_channel(self, spare: str) -> None:
        self.load_channel_into(self.weights, spare, [name for sums in self.sums for name in sums], self.xs[1:])

    def load(self, start: int, x: Pointer, names: list[str]) -> None:
        first = self.xs.index(names[0])
        x.reach(start, start + WORD_BYTES * len(self.xs))
        for index, name in enumerate(names):
            self.a("ldr", name, x.at(start + WORD_BYTES * (first + index)))

    def begin(self, sums: list[str], k: int) -> None:
        """New sums: from the last column on, as the first one's register may hold the bias. `k`: row of the window."""
        if not self.bias:
            self.a("ldr", sums[0], at("sp", frame.BIAS))
        for column in reversed(range(len(sums))):
            addend = self.bias or sums[0]
            for product in self.part.products:
                if product.column == column:
                    self._product(product, k, sums[column], addend)
                    addend = sums[column]

    def products(self, sums: list[str], k: int) -> None:
        for product in self.part.products:
            self._product(product, k, sums[product.column], sums[product.column])

    def _product(self, product: Product, k: int, sum_: str, addend: str) -> None:
        weight = self.weights[k * len(self.part.window.pairs) + product.weight]
        self.a(product.instruction, sum_, weight, self.xs[product.word], addend)

    def end(self, sums: list[str], row: int, output: Pointer) -> None:
        part = self.part
        offset = row * part.row_bytes
        output.reach(offset, offset + part.columns * part.position_bytes)
        self.saturate(sums, [self.limit] if self.limit else self.xs[-max(1, self.spoiled) :])
        for column, name in enumerate(sums):
            place = offset + column * part.position_bytes - output.moved
            part.finish.store(self.a, name, "output", place)
