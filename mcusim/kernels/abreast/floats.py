"""A strip in float32: sums, weights and inputs in the FPU's 32 registers.

Each sum is the bias, then product by product in the order of plain C, every one of them rounded: the same bits.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from mcusim.kernels.abreast.strip import Band, Strip, stays
from mcusim.kernels.abreast.writer import ARGUMENTS, MOST_BASES, SIGNATURE, Base, Timed, Writer, bases_of, counted
from mcusim.kernels.assembly import SAVED, at, several
from mcusim.kernels.float_finish import FloatFinish
from mcusim.program import FLOAT_ASSEMBLY, KernelCall
from mcusim.system.arrays import Array

SINGLES, KEPT = 32, 16  # registers of the FPU; the first of those that are the caller's
PRODUCTS = 2  # on their way into a sum: while one is added, the next one is multiplied
REACH = 1020  # bytes that VLDR and VSTR reach, both ways
GROUPS, POSITIONS, LOADED = (1, 2, 3, 4, 6, 8), (*range(1, 9), 10), (1, 2, 3, 4, 6, 8)


def packed(kernel: Array, bias: Array) -> Array:
    """Weights (blocks, group, taps) and biases (blocks, group) -> (blocks, numbers) as they are read."""
    return np.concatenate([bias, kernel.transpose(0, 2, 1).reshape(len(kernel), -1)], axis=1)


def fitting(strip: Strip) -> Iterator[Strip]:
    """All that have registers."""
    for group in GROUPS:
        for positions in POSITIONS:
            for loaded in LOADED:
                one = strip.of(group, positions, loaded)
                if group > strip.channels or positions > strip.width or loaded > strip.columns(positions):
                    continue
                if _singles(one) <= SINGLES and stays(one, band_bytes) and len(_bases(one)) <= MOST_BASES:
                    yield one


def _bases(strip: Strip) -> tuple[Base, ...]:
    return bases_of(strip, REACH, REACH)


def _singles(strip: Strip) -> int:
    return strip.group * (strip.taps + 1 + strip.live + strip.loaded) + PRODUCTS


def about(strip: Strip) -> float:
    """Cycles of a block, before it is written."""
    total = sum(band.times * (_row(strip, band) + 4 * (band.times > 1)) for band in strip.bands)
    return total + 6 + len(_bases(strip)) + 2 * strip.group * (strip.taps + 1)


def _row(strip: Strip, band: Band) -> float:
    assert isinstance(strip.finish, FloatFinish)
    group, total, bases = strip.group, 0.0, len(_bases(strip))
    for run in strip.runs:
        columns = run.high - run.low
        tile = float(band.height * columns * group + max(band.height * -(-columns // strip.loaded) - run.positions, 1))
        tile += run.positions * group * (2 * band.height * strip.size[1] + 1 + strip.finish.cycles)
        total += run.times * tile + run.turns * (1 + bases + 3 * (run.turns > 1))
    return total


def band_bytes(strip: Strip, band: Band) -> float:
    """Of code of a row of outputs, about."""
    assert isinstance(strip.finish, FloatFinish)
    words, end = 0.0, 1 + strip.finish.code_bytes / 4
    for run in strip.runs:
        products = band.height * (run.high - run.low + 2 * strip.products(run))
        words += run.unroll * strip.group * (products + run.positions * end) + 4
    return 4 * words


@lru_cache(maxsize=256)
def strip_of(strip: Strip) -> Timed:
    writer = _Floats(strip)
    block = writer.write()
    assert isinstance(strip.finish, FloatFinish)
    twin = KernelCall("abreast_float", ARGUMENTS, {**strip.fields, **strip.finish.fields})
    made = writer.a.routine(SIGNATURE, twin, FLOAT_ASSEMBLY)
    return Timed(made, strip.group, writer.a.cycles - block, block, 4 * strip.group * (strip.taps + 1))


class _Floats(Writer):
    def __init__(self, strip: Strip) -> None:
        super().__init__(strip, _bases(strip), _head(strip))
        a, self._used = self.a, 0
        assert isinstance(strip.finish, FloatFinish)
        self.finish = strip.finish
        for index, (name, meaning) in enumerate(_CORE):
            a.register(name, f"r{index}", meaning, in_flash=name == "weights")
        free = [*SAVED, "lr"]
        for base in self.bases[1:]:
            a.register(base.name, free.pop(0), "inputs")
        for name in ("rows", "turns", "spare1"):
            a.register(name, free.pop(0))
        self.spare = a.register("spare0", "r12")
        groups, taps = range(strip.group), range(strip.taps)
        self.biases = [self._single(f"bias{g}", "") for g in groups]
        self.weights = [[self._single(f"w{t}_{g}", f"tap {t}, channel {g}") for g in groups] for t in taps]
        self.sums = [[self._single(f"sum{p}_{g}", f"position {p}") for g in groups] for p in range(strip.live)]
        self.products = [self._single(f"product{i}", "on its way into a sum") for i in range(PRODUCTS)]
        self.columns = [[self._single(f"in{c}_{g}", "") for g in groups] for c in range(strip.loaded)]

    def _single(self, name: str, meaning: str) -> str:
        self._used += 1
        return self.a.register(name, f"s{self._used - 1}", meaning)

    def enter(self) -> None:
        self.a("push", several([*SAVED, "lr"]))
        self._kept("vpush")
        self.finish.enter(self.a, "spare0")

    def leave(self) -> None:
        self.finish.leave(self.a, "spare0")
        self._kept("vpop")
        self.a("pop", several([*SAVED, "pc"]))

    def _kept(self, how: str) -> None:
        if self._used > KEPT:
            self.a(how, f"{{s{KEPT}-s{self._used - 1}}}" if self._used > KEPT + 1 else f"{{s{KEPT}}}")

    def block(self) -> None:
        self.a("vldm", "weights!", f"{{s0-s{self.strip.group * (1 + self.strip.taps) - 1}}}")

    def count(self, kind: str, times: int | None = None) -> None:
        counted(self.a, kind, times)

    def can_move(self, far: int) -> bool:
        return False

    def load(self, names: Sequence[str], base: Base, offset: int, *, moves: bool) -> None:
        for index, name in enumerate(names):
            self.a("vldr", name, at(base.name, offset + 4 * index))

    def begin(self) -> None:
        self._begun = set[tuple[int, int]]()
        self._waiting: list[tuple[str, str, str]] = []
        self._next = 0

    def multiply(self, position: int, tap: int, names: Sequence[str]) -> None:
        """A product is added when the next one has been begun: nothing waits for a result."""
        for channel, name in enumerate(names):
            product, total = self.products[self._next % PRODUCTS], self.sums[position % self.strip.live][channel]
            self._next += 1
            self.a("vmul.f32", product, self.weights[tap][channel], name)
            new = (position, channel) not in self._begun
            self._waiting.append((total, self.biases[channel] if new else total, product))
            self._begun.add((position, channel))
            if len(self._waiting) == PRODUCTS:
                self.a("vadd.f32", *self._waiting.pop(0))

    def end(self, positions: Sequence[int], offset: int, between: Callable[[], None], *, moves: bool = False) -> None:
        a, strip = self.a, self.strip
        if not positions:
            between()
            return
        while self._waiting:
            a("vadd.f32", *self._waiting.pop(0))
        outputs = [
            (name, offset + p * strip.position_bytes + 4 * g)
            for p in positions
            for g, name in enumerate(self.sums[p % strip.live])
        ]
        near = [one for one in outputs if one[1] <= REACH or self.finish.activation.relu]
        for name, place in outputs[len(near) :]:
            a("vmov", "spare0", name)
            a("str", "spare0", at("output", place))
        self.finish.store(a, near, "output", ("spare0", "spare1"), self.products[0], between)


_CORE = (("x0", "inputs"), ("weights", "of all channels"), ("output", ""), ("blocks", "of channels, that are left"))


def _head(strip: Strip) -> list[str]:
    return [
        f"input    [rows][{strip.input_width}][{strip.channels} channels], from the first channel on",
        f"weights  blocks: {strip.group} biases, then [{strip.taps} taps][{strip.group} channels]",
        f"output   [{strip.rows}][{strip.width}][{strip.channels} channels], likewise",
        "",
        "Each sum is bias + product + product .., in the order of plain C, VMUL and VADD each rounding. Taps beside",
        "the map are left out.",
    ]
