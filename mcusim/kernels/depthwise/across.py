"""Depthwise convolution across a row: up to 4 outputs side by side, window row by window row.

For windows that are too large for `down`, and for sequences. Weights stay in registers where they all fit; else those
of one row of the window at a time come from RAM.
"""

from abc import abstractmethod

from mcusim.kernels.assembly import at, imm
from mcusim.kernels.depthwise import frame
from mcusim.kernels.depthwise.ending import IntegerEnds
from mcusim.kernels.depthwise.frame import Frame, P, Pointer, Walk, unrolled
from mcusim.kernels.depthwise.part import Part, ending_words, taps
from mcusim.kernels.depthwise.window import WORD_BYTES, Window

COLUMNS = 4  # side by side
AT_ONCE = 2  # words of inputs, or more where registers are left
MOST_WEIGHTS = 14 - COLUMNS - AT_ONCE - 2  # words in registers, beside two pointers


def resident(window: Window) -> bool:
    """Do all weights stay in registers?"""
    return window.words <= MOST_WEIGHTS


class Across(Frame[P]):
    """Rows of tiles. Weights that do not stay in registers are at `weights`."""

    sums: list[str]
    output: str
    trips: str

    def __init__(self, part: P) -> None:
        w = part.window
        head = [
            f"{w.height} x {w.width}, {part.rows} rows of {part.tiles} x {part.columns} outputs a channel.",
            "",
            f"{part.columns} outputs of a row at a time, window row by window row.",
        ]
        super().__init__("across", part, head)
        self.spare = spare = self.name_registers()
        with self.channels(spare):
            self.load_channel(spare)
            if not part.resident:
                self.a("ldr", "weights", at("sp", frame.WEIGHTS))
            self.a("ldr", "x", at("sp", frame.X))
            self.a("ldr", self.output or spare, at("sp", frame.OUTPUT))
            if not self.output:
                self.a("str", spare, at("sp", frame.OUTPUT_NOW))
            self._rows(spare)
            if not part.resident:
                self.a("addw", "weights", "weights", imm(part.filter_bytes))
                self.a("str", "weights", at("sp", frame.WEIGHTS))

    # ---- what numbers differ in

    @abstractmethod
    def name_registers(self) -> str:
        """`x`, and `weights` if they are in RAM, among them; -> one of the core that is free between tiles."""

    @abstractmethod
    def load_channel(self, spare: str) -> None:
        """Weights that stay in registers, and the bias."""

    @abstractmethod
    def tile(self, index: int, x: Pointer, output: Pointer) -> None: ...

    @property
    @abstractmethod
    def tile_code_bytes(self) -> int: ...

    @property
    @abstractmethod
    def reach(self) -> int:
        """Bytes from the first input of a tile to the last, as loads name them."""

    # ---- rows of tiles

    def _rows(self, spare: str) -> None:
        a, part = self.a, self.part
        x, output = Pointer(a, "x"), Pointer(a, self.output)
        if part.rows == 1:
            self._tiles(x, output, spare)
            return
        counter = "" if self._has_loop else self.trips  # which no loop over tiles needs then
        if counter:
            a("movw", counter, imm(part.rows))
        else:
            self.count(frame.ROWS, spare, part.rows)
        before = a.cycles
        with a.loop("row", "A row of outputs") as again:
            x.moved = output.moved = 0
            self._tiles(x, output, spare)
            x.move(part.window.stride_height * part.pitch)
            rest = part.row_bytes - part.tiles * part.columns * part.position_bytes
            if self.output:
                output.move(part.row_bytes)
            elif rest:
                a("ldr", spare, at("sp", frame.OUTPUT_NOW))
                Pointer(a, spare).move(rest)
                a("str", spare, at("sp", frame.OUTPUT_NOW))
            if counter:
                a("subs", counter, counter, imm(1))
            else:
                self.advance(frame.ROWS, spare, -1)
            a("bne", again)
        a.repeated(before, part.rows)

    @property
    def _has_loop(self) -> bool:
        return self.part.tiles > max(1, frame.LOOP_BYTES // self.tile_code_bytes)

    def _tiles(self, x: Pointer, output: Pointer, spare: str) -> None:
        part = self.part
        walks = [Walk(x, part.tile_bytes, self.reach)]
        if self.output:
            walks.append(Walk(output, part.columns * part.position_bytes, part.columns * part.position_bytes))
        most = frame.LOOP_BYTES // self.tile_code_bytes

        def tile(index: int) -> None:
            self.tile(index, x, output)

        if not self._has_loop:
            for index in range(part.tiles):
                tile(index)
        else:
            self.turns(part.tiles, unrolled(most, 1, tuple(walks)), tuple(walks), tile, self.trips, spare)


class IntegerAcross(IntegerEnds, Across[Part]):
    part: Part

    def name_registers(self) -> str:
        part, w = self.part, self.part.window
        self.weights = [
            self.take(f"w{row}_{index}", taps(pair))
            for row in range(w.height if part.resident else 1)
            for index, pair in enumerate(w.pairs)
        ]
        self.sums = [self.take(f"sum{c}", f"of column {c}") for c in range(part.columns)]
        self.xs = [self.take(f"x{i}", "a word of inputs") for i in range(AT_ONCE)]
        self.take("x", "inputs")
        if not part.resident:
            self.take("weights", "of the channel, all in RAM")
        self.output = self.take_if_free("output", "where outputs go")
        self.bias = self.take_if_free("bias", "of the channel")
        self.trips = self.take_if_free("trips", "of the loop over tiles, or over rows")
        while self.free and len(self.xs) < part.input_words:
            self.xs.append(self.take(f"x{len(self.xs)}", "a word of inputs"))
        self.keep_factor()
        return self.xs[0]

    def load_channel(self, spare: str) -> None:
        self.load_channel_into(self.weights if self.part.resident else [], spare, self.sums[::-1], self.xs[1:])

    @property
    def tile_code_bytes(self) -> int:
        part, w = self.part, self.part.window
        size = 4 * (
            w.height * (len(part.products) + part.input_words) + part.columns + ending_words(part.finish, part.columns)
        )
        return size + (0 if part.resident else 4 * w.words)

    @property
    def reach(self) -> int:
        part = self.part
        return (part.window.height - 1) * part.pitch + part.input_words * WORD_BYTES

    # ---- a tile

    def tile(self, index: int, x: Pointer, output: Pointer) -> None:
        part, w = self.part, self.part.window
        self.a.block(f"Tile {index}")
        if not self.bias:
            self.a("ldr", self.sums[-1], at("sp", frame.BIAS))
        begun: set[str] = set()
        for row in range(w.height):
            start = index * part.tile_bytes + row * part.pitch
            x.reach(start, start + part.input_words * WORD_BYTES)
            if not self.part.resident:
                for number, name in enumerate(self.weights):
                    self.a("ldr", name, at("weights", 4 * (row * len(w.pairs) + number)))
            for first in range(0, part.input_words, len(self.xs)):
                self._some_words(row, range(first, min(first + len(self.xs), part.input_words)), start, x, begun)
        self._end(index, output)

    def _some_words(self, row: int, words: range, start: int, x: Pointer, begun: set[str]) -> None:
        part, w = self.part, self.part.window
        for word in words:
            self.a("ldr", self.xs[word % len(self.xs)], x.at(start + word * WORD_BYTES))
        products = [product for product in part.products if product.word in words]
        for product in sorted(products, key=lambda product: product.word):
            name = self.sums[product.column]
            # The last column begins behind all others, which find the bias in its register.
            addend = name if name in begun else self.bias or self.sums[-1]
            begun.add(name)
            weight = (row * len(w.pairs) if self.part.resident else 0) + product.weight
            self.a(product.instruction, name, self.weights[weight], self.xs[product.word % len(self.xs)], addend)

    def _end(self, index: int, output: Pointer) -> None:
        a, part = self.a, self.part
        step = part.columns * part.position_bytes
        self.saturate(self.sums, self.xs if part.resident else (*self.xs, *self.weights))
        if self.output:
            output.reach(index * step, (index + 1) * step)
            first = index * step - output.moved
        else:
            first = 0
            a("ldr", self.xs[1], at("sp", frame.OUTPUT_NOW))
        for column, name in enumerate(self.sums):
            part.finish.store(a, name, self.output or self.xs[1], first + column * part.position_bytes)
        if not self.output:
            Pointer(a, self.xs[1]).move(step)
            a("str", self.xs[1], at("sp", frame.OUTPUT_NOW))
