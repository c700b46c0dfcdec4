"""Layers that only move numbers: nested loops of copies in one routine, with every size a constant.

What is written is written from the first byte to the last; what is read lies anywhere. A run of bytes goes in words,
the last of which may overlap the one before, so that runs of any length need no loop over bytes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mcusim.kernels.assembly import LONGEST_STEP, SAVED, Assembly, add_constant, at, constant, imm, several
from mcusim.kernels.lanes.conversions import WORDS, Converting
from mcusim.kernels.lanes.words import WORD_BYTES
from mcusim.program import KernelCall, Routine
from mcusim.system.arrays import Array

LOOPED, LOOPED_CHANGED = 16, 4  # words of a run that has a loop; of one whose numbers change
TURN = 8  # words of such a loop
UNROLLED_BYTES, UNROLLED = 16, (4, 2)  # of runs that are there several times in a loop
COUNTERS = ("r2", "r3", "r12", "lr")
DATA = SAVED


class Zeros(NamedTuple):
    """Numbers that stand for 0."""

    length: int  # bytes
    zero: int = 0
    number_bytes: int = 1

    @property
    def word(self) -> int:
        return self.zero % (1 << 8 * self.number_bytes) * {1: 0x01010101, 2: 0x00010001, 4: 1}[self.number_bytes]


class Run(NamedTuple):
    """Bytes side by side, which are written `times` times."""

    length: int
    times: int = 1


class Skip(NamedTuple):
    """Pointers move by so many bytes."""

    input: int = 0
    output: int = 0


class Loop(NamedTuple):
    rounds: int
    body: "tuple[Part, ...]"


Part = Zeros | Run | Skip | Loop


class Moving(NamedTuple):
    """A routine `void *output, const void *input`, and its cycles where both begin at whole words."""

    routine: Routine
    cycles: float


def moving(
    name: str, summary: Sequence[str], parts: Sequence[Part], twin: KernelCall, change: Converting | None = None
) -> Moving:
    """`parts`: in their order. `change`: what happens to all numbers on their way."""
    writer = _Writer(name, summary, change)
    writer.whole(parts)
    start = np.eye(WORD_BYTES)[0]
    routine = writer.a.routine("void *output, const void *input", twin)
    return Moving(routine, writer.a.cycles + _misplaced(parts, start))


def depth(parts: Sequence[Part]) -> int:
    """Counters that it takes."""
    return max((_depth(part) for part in parts), default=0)


def _depth(part: Part) -> int:
    if isinstance(part, Loop):
        return 1 + depth(part.body)
    return int(isinstance(part, Zeros | Run) and part.length >= LOOPED * WORD_BYTES)


def fits(parts: Sequence[Part]) -> bool:
    """Are there counters for it?"""
    return depth(parts) <= len(COUNTERS)


class _Writer:
    def __init__(self, name: str, summary: Sequence[str], change: Converting | None) -> None:
        self.a = Assembly(name, [f"{name}: {summary[0]}", *summary[1:]])
        self._change = change
        self._data, self._looped = (DATA[:TURN], LOOPED) if change is None else (WORDS, LOOPED_CHANGED)
        self._turn = len(self._data)
        self.a.register("output", "r0")
        self.a.register("input", "r1")
        self._depth = 0

    def whole(self, parts: Sequence[Part]) -> None:
        self.a("push", several([*SAVED, "lr"]))
        if self._change is not None:
            self._change.prepare(self.a)
        self._parts(parts)
        self.a("pop", several([*SAVED, "pc"]))

    def _parts(self, parts: Sequence[Part]) -> None:
        for part in parts:
            if isinstance(part, Loop):
                self._loop(part)
            elif isinstance(part, Skip):
                add_constant(self.a, "input", part.input, DATA[0])
                add_constant(self.a, "output", part.output, DATA[0])
            else:
                self._run(part)

    def _counted(self, count: int, meaning: str, body: Sequence[Part]) -> None:
        """A loop around `body`."""
        counter = COUNTERS[self._depth]
        self._depth += 1
        with self.a.counted("loop", f"{count} times: {meaning}", counter, count):
            self._parts(body)
        self._depth -= 1

    def _loop(self, part: Loop) -> None:
        if part.rounds == 1:
            self._parts(part.body)
            return
        longest = UNROLLED_BYTES if self._change is None else WORD_BYTES
        short = all(isinstance(one, Run | Skip) for one in part.body) and (
            sum(one.length for one in part.body if isinstance(one, Run)) <= longest
        )
        often = next((count for count in UNROLLED if short and part.rounds % count == 0), 1)
        if often == part.rounds:
            self._parts(part.body * often)
        else:
            self._counted(part.rounds // often, "what follows", part.body * often)

    def _run(self, part: Zeros | Run) -> None:
        turns = part.length // (self._turn * WORD_BYTES) if part.length >= self._looped * WORD_BYTES else 0
        if isinstance(part, Zeros):
            self.a.block(f"{part.length} bytes of zeros")
            constant(self.a, DATA[0], part.word) if part.zero else self.a("mov", DATA[0], imm(0))
        if turns:
            with self.a.counted("words", f"{self._turn} words", COUNTERS[self._depth], turns):
                self._words(part, tuple(range(0, self._turn * WORD_BYTES, WORD_BYTES)), self._turn * WORD_BYTES)
        rest = part.length - turns * self._turn * WORD_BYTES
        if 0 < part.length < WORD_BYTES:
            self._few(part)
        elif rest:
            self._rest(part, rest)

    def _rest(self, part: Zeros | Run, rest: int) -> None:
        """The last bytes of a run, whose last word ends where it ends."""
        there = [*range(0, rest - WORD_BYTES + 1, WORD_BYTES), *([rest - WORD_BYTES] if rest % WORD_BYTES else [])]
        while there:
            some, there = there[: self._turn], [place - self._turn * WORD_BYTES for place in there[self._turn :]]
            step = self._turn * WORD_BYTES if there else rest
            self._words(part, tuple(some), step)
            rest -= step

    def _words(self, part: Zeros | Run, there: tuple[int, ...], step: int) -> None:
        """Words at these places; the pointers move by `step`."""
        names = self._data[: len(there)]
        if isinstance(part, Run):
            self._access(["ldr"] * len(there), names, "input", there, step)
            self._changed(names)
            names *= part.times
            there = tuple(place + time * step for time in range(part.times) for place in there)
            step *= part.times
        else:
            names = DATA[:1] * len(there)
        self._access(["str"] * len(there), names, "output", there, step)

    def _few(self, part: Zeros | Run) -> None:
        """Less than a word."""
        pieces, there = {1: ("b",), 2: ("h",), 3: ("h", "b")}[part.length], (0, 2)[: 1 + (part.length > 2)]
        times = part.times if isinstance(part, Run) else 1
        names = DATA[: len(pieces)] if isinstance(part, Run) else DATA[:1] * len(pieces)
        if isinstance(part, Run):
            self._access([f"ldr{piece}" for piece in pieces], names, "input", there, part.length)
        if self._change is not None:
            self._change_together(names)
        every = tuple(place + time * part.length for time in range(times) for place in there)
        self._access([f"str{piece}" for piece in pieces] * times, names * times, "output", every, times * part.length)

    def _change_together(self, pieces: Sequence[str]) -> None:
        """A halfword, and a byte behind it, in one go."""
        for behind in pieces[1:]:
            self.a("orr", pieces[0], pieces[0], behind, "lsl #16")
        self._changed(pieces[:1])
        for behind in pieces[1:]:
            self.a("lsr", behind, pieces[0], imm(16))

    def _changed(self, words: Sequence[str]) -> None:
        if self._change is not None:
            self._change(self.a, words)

    def _access(
        self, mnemonics: Sequence[str], names: Sequence[str], base: str, there: Sequence[int], step: int
    ) -> None:
        """What is at the pointer comes last, and moves it: behind a store that does so nothing else could go there."""
        a = self.a
        moves = 0 in there and step <= LONGEST_STEP
        for mnemonic, name, place in reversed(list(zip(mnemonics, names, there, strict=True))):
            if place != 0 or not moves:
                a(mnemonic, name, at(base, place))
        if moves:
            first = there.index(0)
            a(mnemonics[first], names[first], at(base), imm(step))
        else:
            add_constant(a, base, step, DATA[0])  # of less than 12 bits: the register is not used


def moved(parts: Sequence[Part]) -> tuple[int, int]:
    """By how many bytes both pointers move: input, output."""
    there, to = 0, 0
    for part in parts:
        if isinstance(part, Loop):
            more = moved(part.body)
            there, to = there + part.rounds * more[0], to + part.rounds * more[1]
        elif isinstance(part, Skip):
            there, to = there + part.input, to + part.output
        elif isinstance(part, Run):
            there, to = there + part.length, to + part.length * part.times
        else:
            to += part.length
    return there, to


# Cycles that a load of a word takes more where it lies so many bytes behind a whole one; stores take no more
_MISPLACED = np.array([0.0, 2.0, 1.0, 2.0])


def _misplaced(parts: Sequence[Part], often: Array) -> float:
    """Cycles of words that lie across two. `often`: how often the input is so many bytes behind a whole word."""
    total = 0.0
    for part in parts:
        there = moved([part])[0]
        if isinstance(part, Loop):
            total += _misplaced(part.body, _spread(often, part.rounds, moved(part.body)[0]))
        elif isinstance(part, Run) and part.length >= WORD_BYTES:
            last = float(np.roll(often, there) @ _MISPLACED) if there % WORD_BYTES else 0.0
            total += float(often @ _MISPLACED) * (part.length // WORD_BYTES) + last
        elif isinstance(part, Run) and part.length > 1:
            total += float(often[1] + often[3])  # a half word
        often = np.roll(often, there)
    return total


def _spread(often: Array, count: int, there: int) -> Array:
    """Over all rounds of a loop, each of which moves the input."""
    rounds = (-(-(count - first) // WORD_BYTES) for first in range(WORD_BYTES))
    turned = (np.roll(often, first * there) for first in range(WORD_BYTES))
    return np.asarray(sum(number * one for number, one in zip(rounds, turned, strict=True)))
