"""Depthwise convolution in float32: down strips and across rows as integers go, in the FPU's 32 registers.

Each sum is the bias, then product by product in the order of plain C, every one of them rounded: the same bits. Zeros
of the padding change none, as no sum is -0.0.
"""

from dataclasses import dataclass

from mcusim.kernels.assembly import Assembly, at, imm
from mcusim.kernels.depthwise.across import Across
from mcusim.kernels.depthwise.down import Down, rolling
from mcusim.kernels.depthwise.frame import BIASES, LOOP_BYTES, NO_OFFSETS, WEIGHTS, Frame, Pointer, RoutineFacts, Shared
from mcusim.kernels.depthwise.part import ARGUMENTS, SIGNATURE
from mcusim.kernels.depthwise.window import Window
from mcusim.kernels.float_finish import FloatFinish
from mcusim.program import FLOAT_ASSEMBLY, KernelCall

SINGLES, KEPT = 32, 16  # registers of the FPU; the first of those that are the caller's
PRODUCTS = 2  # on their way into a sum: while one is added, the next one is multiplied
REACH = 1020  # bytes that VLDR and VSTR reach


@dataclass(frozen=True, eq=False)
class FloatPart(Shared):
    """Of float32. `words`: columns of a row of the planes, which lie [rows][4 channels][columns]. `stays`: do weights
    in registers?
    """

    finish: FloatFinish
    stays: bool

    column_bytes = 4

    @property
    def resident(self) -> bool:
        return self.stays

    @property
    def taps(self) -> int:
        return self.window.height * self.window.width

    @property
    def filter_bytes(self) -> int:
        return 4 * self.taps

    @property
    def channel_step(self) -> int:
        return 4 * self.words if self.multiplier == 1 else 0

    @property
    def code_bytes_of_a_row(self) -> int:
        w = self.window
        return 8 * self.columns * self.taps + 8 * w.stride_height + self.columns * (4 + self.finish.code_bytes)

    @property
    def key(self) -> str:
        return f"float_{self.key_with(self.finish.key)}"

    @property
    def routine(self) -> RoutineFacts:
        fields = {**self.fields("row_columns"), "multiplier": self.multiplier, **self.finish.fields}
        return RoutineFacts(SIGNATURE, FLOAT_ASSEMBLY, KernelCall("depthwise_float_tile", ARGUMENTS, fields))

    @property
    def layouts(self) -> list[str]:
        return [
            "",
            f"x        [rows][4 channels][{self.words} columns], from a channel on",
            f"weights  of each filter: [{self.window.height}][{self.window.width}]",
            f"output   [rows][{self.width}][{self.filters} filters], from one on",
            "bias     of each filter",
            "",
            "Each sum is bias + product + product .., in the order of plain C, VMUL and VADD each rounding.",
        ]


def singles(window: Window, columns: int, *, sets: int, weights: int) -> int:
    """Registers of the FPU that so many sums, inputs and weights need."""
    return weights + sets * columns + window.columns(columns) + PRODUCTS + 1


def goes_down(window: Window, columns: int) -> bool:
    taps = window.height * window.width
    return singles(window, columns, sets=rolling(window), weights=taps) <= SINGLES


def goes_across(window: Window, columns: int) -> bool:
    return singles(window, columns, sets=1, weights=window.width) <= SINGLES


def stays(window: Window, columns: int) -> bool:
    """Do the weights of a whole filter stay in registers when it goes across?"""
    return singles(window, columns, sets=1, weights=window.height * window.width) <= SINGLES


class _Singles(Frame[FloatPart]):
    """What both have of the FPU."""

    a: Assembly
    weights: list[str]
    xs: list[str]

    def name_singles(self, weights: int, sets: int) -> list[list[str]]:
        """Weights, inputs and the rest; -> sets of sums."""
        part, self._used = self.part, 0
        width = part.window.width
        self.weights = [self._single(f"w{i // width}_{i % width}", "a weight") for i in range(weights)]
        self._first_x = self._used
        self.xs = [self._single(f"x{i}", f"column {i}") for i in range(part.window.columns(part.columns))]
        sums = [[self._single(f"sum{s}_{c}", f"column {c}") for c in range(part.columns)] for s in range(sets)]
        self.made = [self._single(f"product{i}", "on its way into a sum") for i in range(PRODUCTS)]
        self.bias = self._single("bias", "of the channel")
        return sums

    def _single(self, name: str, meaning: str) -> str:
        self.a.register(name, f"s{self._used}", meaning)
        self._used += 1
        return name

    def enter(self) -> int:
        kept = max(0, self._used - KEPT)
        if kept:
            self.a("vpush", f"{{s{KEPT}-s{self._used - 1}}}" if kept > 1 else f"{{s{KEPT}}}")
        self.part.finish.enter(self.a, "r4")
        return 4 * kept + 4 * self.part.finish.activation.relu

    def leave(self) -> None:
        self.part.finish.leave(self.a, "r4")
        if self._used > KEPT:
            self.a("vpop", f"{{s{KEPT}-s{self._used - 1}}}" if self._used > KEPT + 1 else f"{{s{KEPT}}}")

    def load_channel(self, spare: str) -> None:
        a = self.a
        if self.part.resident:
            a("ldr", spare, at("sp", WEIGHTS))
            a("vldm", f"{spare}!", f"{{s0-s{len(self.weights) - 1}}}" if len(self.weights) > 1 else "{s0}")
            a("str", spare, at("sp", WEIGHTS))
        a("ldr", spare, at("sp", BIASES))
        a("vldr", self.bias, at(spare))
        a("addw", spare, spare, imm(4))
        a("str", spare, at("sp", BIASES))

    def load_columns(self, x: Pointer, start: int) -> None:
        """`start`: bytes of the first one from where the pointer was at first."""
        if start != x.moved:
            x.move(start)
        first, last = self._first_x, self._first_x + len(self.xs) - 1
        self.a("vldm", "x", f"{{s{first}-s{last}}}" if last > first else f"{{s{first}}}")

    def multiply(self, sums: list[str], weights: list[str], *, new: bool) -> None:
        """Products of a row of the window, tap by tap. A product is added when the next one has been begun."""
        stride = self.part.window.stride_width
        waiting: list[tuple[str, str, str]] = []
        for tap, weight in enumerate(weights):
            for column, name in enumerate(sums):
                product = self.made[(tap * len(sums) + column) % PRODUCTS]
                self.a("vmul.f32", product, weight, self.xs[column * stride + tap])
                waiting.append((name, self.bias if new and tap == 0 else name, product))
                if len(waiting) == PRODUCTS:
                    self.a("vadd.f32", *waiting.pop(0))
        for one in waiting:
            self.a("vadd.f32", *one)

    def store(self, sums: list[str], output: Pointer, offset: int) -> None:
        """Sums become outputs, `offset` bytes from where the pointer was at first."""
        a, part = self.a, self.part
        output.reach(offset, offset + part.columns * part.position_bytes)
        outputs = [(name, offset - output.moved + c * part.position_bytes) for c, name in enumerate(sums)]
        near = [one for one in outputs if one[1] <= REACH or part.finish.activation.relu]
        part.finish.store(a, near, "output", ("spare0", "spare1"), self.made[0])
        for name, place in outputs[len(near) :]:
            a("vmov", "spare0", name)
            a("str", "spare0", at("output", place))

    def name_core(self) -> str:
        for name, meaning in (("spare0", ""), ("spare1", ""), ("x", "inputs"), ("output", "outputs")):
            self.take(name, meaning)
        if not self.part.resident:
            self.take("weights", "of the channel, all in RAM")
        self.trips = self.take("trips", "of a loop")
        return "spare0"


class FloatDown(_Singles, Down[FloatPart]):
    offsets = False

    def name_registers(self) -> str:
        self.sums = self.name_singles(self.part.taps, self.sets)
        return self.name_core()

    def load(self, start: int, x: Pointer, names: list[str]) -> None:
        self.load_columns(x, start)

    def begin(self, sums: list[str], k: int) -> None:
        self.multiply(sums, self._of_row(k), new=True)

    def products(self, sums: list[str], k: int) -> None:
        self.multiply(sums, self._of_row(k), new=False)

    def _of_row(self, k: int) -> list[str]:
        width = self.part.window.width
        return self.weights[k * width : (k + 1) * width]

    def end(self, sums: list[str], row: int, output: Pointer) -> None:
        self.store(sums, output, row * self.part.row_bytes)


class FloatAcross(_Singles, Across[FloatPart]):
    """Rows of the window are a loop where their code would not stay in the cache."""

    def name_registers(self) -> str:
        part = self.part
        (self.sums,) = self.name_singles(part.taps if part.resident else part.window.width, 1)
        self.output = "output"
        spare = self.name_core()
        self.left = self.take("left", "rows of the window") if self._is_loop else ""
        return spare

    @property
    def _row_code_bytes(self) -> int:
        """Of a row of the window."""
        part = self.part
        return 8 * part.columns * part.window.width + 8 + (0 if part.resident else 4 * part.window.width)

    @property
    def _is_loop(self) -> bool:
        return not self.part.resident and self.part.window.height * self._row_code_bytes > LOOP_BYTES

    @property
    def tile_code_bytes(self) -> int:
        rows = 1 if self._is_loop else self.part.window.height
        return rows * self._row_code_bytes + self.part.columns * (4 + self.part.finish.code_bytes)

    @property
    def reach(self) -> int:
        return NO_OFFSETS

    def tile(self, index: int, x: Pointer, output: Pointer) -> None:
        part, width = self.part, self.part.window.width
        self.a.block(f"Tile {index}")
        if self._is_loop:
            self._loop(index, x)
        else:
            for row in range(part.window.height):
                self._row(row * width, x, index * part.tile_bytes + row * part.pitch, new=row == 0)
        self.store(self.sums, output, index * part.columns * part.position_bytes)

    def _row(self, first: int, x: Pointer, start: int, *, new: bool) -> None:
        """Of the window, whose first tap is `first`, and whose inputs are `start` bytes from where `x` was at first."""
        width = self.part.window.width
        for tap in range(0 if self.part.resident else width):
            self.a("vldr", self.weights[tap], at("weights", 4 * (first + tap)))
        self.load_columns(x, start)
        weights = self.weights[first : first + width] if self.part.resident else self.weights
        self.multiply(self.sums, weights, new=new)

    def _loop(self, index: int, x: Pointer) -> None:
        a, part, w = self.a, self.part, self.part.window
        start = index * part.tile_bytes
        x.move(start)
        for name in self.sums:
            a("vmov.f32", name, self.bias)
        with a.counted(f"window_{index}", "A row of the window", self.left, w.height):
            self._row(0, x, start, new=False)
            x.move(start + part.pitch)
            a("addw", "weights", "weights", imm(4 * w.width))
        x.moved = start + w.height * part.pitch
        a("subw", "weights", "weights", imm(part.filter_bytes))
