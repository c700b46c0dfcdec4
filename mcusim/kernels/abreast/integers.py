"""A strip of integers: sums of 32 bits, weights by two in a register, inputs as they are loaded.

Of one channel SMLABB and SMLABT take the halves of two taps; of two channels in a word SMLABB and SMLATT take each its
own half. All is modulo 2^32, and exact, since no sum is larger.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from mcusim.kernels.abreast.strip import Band, Strip, stays
from mcusim.kernels.abreast.writer import ARGUMENTS, SIGNATURE, Base, Timed, Writer, bases_of, counted
from mcusim.kernels.assembly import LONGEST_STEP, SAVED, at, imm, several
from mcusim.kernels.finish import Ending, FactorFinish, Finish
from mcusim.kernels.float_finish import FloatFinish
from mcusim.kernels.straight import StraightFinish
from mcusim.program import ASSEMBLY, KernelCall
from mcusim.system.arrays import Array

REGISTERS = ("r0", "r1", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr")
REACH = 4000  # bytes that loads reach, behind a register
POSITIONS, MOST_LOADED = (*range(1, 9), 10, 11, 12, 13), 6
PLACES = {"weights": 0, "blocks": 4, "rows": 8, "turns": 12}  # above the stack pointer
FACTORS = 16


def packed(kernel: Array, records: Array) -> Array:
    """Weights (blocks, group, taps), records (blocks, group, words) -> (blocks, words) as they are read."""
    blocks, group, taps = kernel.shape
    halves = kernel.transpose(0, 2, 1) if group == 2 else np.pad(kernel, ((0, 0), (0, 0), (0, taps % 2)))
    words = np.ascontiguousarray(halves.reshape(blocks, -1).astype(np.int16)).view(np.int32)
    return np.concatenate([records.reshape(blocks, -1).astype(np.int32), words], axis=1)


def record_words(finish: Ending) -> int:
    """That a channel has in flash: its bias, and all that its factor or line may have."""
    return finish.record_words - isinstance(finish, StraightFinish)


def _ending(strip: Strip) -> Ending:
    assert not isinstance(strip.finish, FloatFinish)
    return strip.finish


def _bases(strip: Strip) -> tuple[Base, ...]:
    return bases_of(strip, 0, REACH)


def _factor(finish: Ending) -> tuple[str, ...]:
    """What of a record ends sums."""
    return finish.factor if isinstance(finish, FactorFinish) else ()


def fitting(strip: Strip) -> Iterator[Strip]:
    """All that have registers. Two channels in a word, where each position begins at one."""
    for group in (1, 2) if strip.item == 2 and strip.channels % 2 == 0 else (1,):
        for positions in POSITIONS:
            one = strip.of(group, positions)
            if positions > strip.width or not stays(one, band_bytes):
                continue
            for kept in range(len(one.counters) + 1):
                for loaded in range(_lost(strip), max(_lost(strip), min(one.columns(positions), MOST_LOADED)) + 1):
                    if _registers(tried := strip.of(group, positions, loaded, kept)) <= len(REGISTERS):
                        yield tried


def _registers(strip: Strip) -> int:
    return len(_bases(strip)) + _weights(strip) + strip.group * (1 + strip.live) + strip.loaded + strip.kept


def _weights(strip: Strip) -> int:
    """Registers of them."""
    return -(-strip.taps // 2) if strip.group == 1 else strip.taps


def _lost(strip: Strip) -> int:
    """Registers that are lost where sums end, and between."""
    finish = strip.finish
    if isinstance(finish, FactorFinish):
        return max(2, len(finish.factor) + (not finish.above_zero))
    return 1


def about(strip: Strip) -> float:
    """Cycles of a block, before it is written."""
    spilt, factor = strip.counters[strip.kept :], len(_factor(_ending(strip)))
    rows = sum(
        band.times * (_row(strip, band) + (3 + 3 * ("rows" in spilt)) * (band.times > 1)) for band in strip.bands
    )
    more = 3 * len({"blocks", "weights"} & {*spilt}) + 2 * strip.group * (1 + factor + (factor > 0))
    return rows + 6 + more + 2 * _weights(strip) + len(_bases(strip))


def _row(strip: Strip, band: Band) -> float:
    group, total, finish = strip.group, 0.0, _ending(strip)
    end = finish.cycles if isinstance(finish, FactorFinish) else 1 + 2 * (finish.ceiling is not None)
    factor = len(_factor(finish)) + isinstance(finish, FactorFinish)
    for run in strip.runs:
        columns, bursts = run.high - run.low, band.height * -(-(run.high - run.low) // strip.loaded)
        tile = float(band.height * columns + group * factor)
        tile += max(bursts - run.positions, 1) if strip.is_eager else bursts
        tile += run.positions * group * (band.height * strip.size[1] + 1 + end)
        loop = 3 + 3 * ("turns" in strip.counters[strip.kept :]) if run.turns > 1 else 0
        total += run.times * tile + (1 + len(_bases(strip)) + loop) * run.turns
    return total


def band_bytes(strip: Strip, band: Band) -> float:
    """Of code of a row of outputs, about."""
    words, finish = 0.0, _ending(strip)
    end = 3 + (finish.code_bytes / 4 if isinstance(finish, FactorFinish) else 1)
    for run in strip.runs:
        products = band.height * (run.high - run.low + strip.group * strip.products(run))
        words += run.unroll * (products + strip.group * run.positions * end) + 8
    return 4 * words


@lru_cache(maxsize=256)
def strip_of(strip: Strip) -> Timed:
    writer = _Integers(strip)
    block = writer.write()
    own = {"record_words": record_words(writer.finish), "is_unsigned": int(strip.unsigned), **writer.finish.fields}
    made = writer.a.routine(SIGNATURE, KernelCall("abreast", ARGUMENTS, {**strip.fields, **own}), ASSEMBLY)
    words = strip.group * record_words(writer.finish) + _weights(strip)
    return Timed(made, strip.group, writer.a.cycles - block, block, 4 * words)


class _Integers(Writer):
    def __init__(self, strip: Strip) -> None:
        super().__init__(strip, _bases(strip), _head(strip))
        self.finish = _ending(strip)
        self._store = "strb" if self.finish.store_bytes == 1 else "strh"
        self.behind = strip.position_bytes - (strip.group - 1) * self.finish.store_bytes
        self._named = {"output": "r2"}
        self.a.register("output", "r2", "")
        self._free = list(REGISTERS)
        self._take(self.bases[0].name, "inputs")
        kept = strip.counters[: strip.kept]
        for name, register in (("weights", "r1"), ("blocks", "r3")):
            if name in kept:
                self._free.remove(register)
                self._named[name] = self.a.register(name, register, in_flash=name == "weights")
        groups = range(strip.group)
        self.biases = [self._take(f"bias{g}") for g in groups]
        pairs = "taps {0} and {1}" if strip.group == 1 else "tap {2}, of both channels"
        self.weights = [self._take(f"w{i}", pairs.format(2 * i, 2 * i + 1, i)) for i in range(_weights(strip))]
        for base in self.bases[1:]:
            self._take(base.name, "inputs")
        self.sums = [[self._take(f"sum{p}_{g}", f"position {p}") for g in groups] for p in range(strip.live)]
        self.loaded = [self._take(f"in{c}") for c in range(strip.loaded)]
        self.columns = [[name] for name in self.loaded]
        self.spare = self.loaded[0]
        for name in kept:
            if name not in self._named:
                self._take(name, "left")

    def _take(self, name: str, meaning: str = "") -> str:
        self._named[name] = self._free.pop(0)
        return self.a.register(name, self._named[name], meaning)

    @property
    def _frame(self) -> int:
        """Bytes of it, a multiple of 8 with what is pushed."""
        words = FACTORS // 4 + self.strip.group * len(_factor(self.finish))
        return 4 * (words + 1 - words % 2)

    def enter(self) -> None:
        a = self.a
        a("push", several([*SAVED, "lr"]))
        a("sub", "sp", "sp", imm(self._frame))
        for name, register in (("weights", "r1"), ("blocks", "r3")):
            if name not in self._named:
                a("str", register, at("sp", PLACES[name]))

    def leave(self) -> None:
        self.a("add", "sp", "sp", imm(self._frame))
        self.a("pop", several([*SAVED, "pc"]))

    def block(self) -> None:
        a, words = self.a, record_words(self.finish)
        on_stack = "weights" not in self._named
        if on_stack:
            a.register("weights", self._named[self.spare], in_flash=True)
            a("ldr", "weights", at("sp", PLACES["weights"]))
        if words > 1:
            self._records(words)
            a("ldm", "weights!", several(self.weights))
        else:
            a("ldm", "weights!", several([*self.biases, *self.weights]))
        if on_stack:
            a("str", "weights", at("sp", PLACES["weights"]))

    def _records(self, words: int) -> None:
        """What scales sums goes to the stack."""
        a, moved, factor = self.a, self.sums[0][0], len(_factor(self.finish))
        for channel, bias in enumerate(self.biases):
            for index in range(factor):
                a("ldr", moved, at("weights", 4 * (words * channel + 1 + index)))
                a("str", moved, at("sp", FACTORS + 4 * (factor * channel + index)))
            a("ldr", bias, at("weights", 4 * words * channel))
        a("addw", "weights", "weights", imm(4 * words * len(self.biases)))

    def count(self, kind: str, times: int | None = None) -> None:
        if kind in self._named:
            counted(self.a, kind, times)
            return
        if times is None:
            self.a("ldr", self.spare, at("sp", PLACES[kind]))
        counted(self.a, self.spare, times)
        self.a("str", self.spare, at("sp", PLACES[kind]))

    def can_move(self, far: int) -> bool:
        return 0 < far <= LONGEST_STEP

    def load(self, names: Sequence[str], base: Base, offset: int, *, moves: bool) -> None:
        strip = self.strip
        how = "ldr" if strip.group == 2 else "ldrsh" if strip.item == 2 else "ldrb" if strip.unsigned else "ldrsb"
        self.a(how, names[0], at(base.name, offset) + "!" * moves)

    def begin(self) -> None:
        self._begun = set[tuple[int, int]]()

    def multiply(self, position: int, tap: int, names: Sequence[str]) -> None:
        for channel, total in enumerate(self.sums[position % self.strip.live]):
            if self.strip.group == 1:
                how, weight = f"smlab{'bt'[tap % 2]}", self.weights[tap // 2]
            else:
                how, weight = f"smla{'bt'[channel] * 2}", self.weights[tap]
            new = (position, channel) not in self._begun
            self.a(how, total, names[0], weight, self.biases[channel] if new else total)
            self._begun.add((position, channel))

    def end(self, positions: Sequence[int], offset: int, between: Callable[[], None], *, moves: bool = False) -> None:
        a, finish, step = self.a, self.finish, self.strip.position_bytes
        own = [self.sums[position % self.strip.live] for position in positions]
        for channel in range(self.strip.group if own else 0):
            sums = [one[channel] for one in own]
            if isinstance(finish, Finish):
                finish.saturated(a, sums, self.spare)
                continue
            words = len(finish.factor)
            finish.load(a, self.loaded, "sp", FACTORS + 4 * words * channel)
            finish.scaled(a, sums, self.loaded[:words], self.loaded[words] if _lost(self.strip) > words else "")
        between()
        for position, names in zip(positions, own, strict=True):
            for channel, name in enumerate(names):
                place = offset + position * step + channel * finish.store_bytes + self.behind
                is_last = position == positions[-1] and channel == len(names) - 1
                a(self._store, name, at("output", place) + "!" * (moves and is_last))


def _head(strip: Strip) -> list[str]:
    several_ = f"[{strip.taps} taps][2 channels]" if strip.group == 2 else f"[{strip.taps} taps]"
    return [
        f"input    [rows][{strip.input_width}][{strip.channels} channels], from the first channel on",
        f"weights  blocks: for each channel its bias and what scales its sums, then {several_} of 16 bits",
        f"output   [{strip.rows}][{strip.width}][{strip.channels} channels], likewise",
        "",
        "Sums of 32 bits, exact: no sum of the layer is larger. Taps beside the map are left out.",
    ]
