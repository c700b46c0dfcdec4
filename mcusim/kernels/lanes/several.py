"""Sums of any number of arrays, word by word: in 16 or 32 bits, the inputs that count most first.

What there is of a sum is doubled before inputs of the next finer scale are added, so that no input is ever shifted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from mcusim.kernels.assembly import SAVED, WORD_BYTES, Assembly, constant, imm, several
from mcusim.kernels.lanes.pairs import PAIR_BYTES, PairsEnd, end_pairs
from mcusim.kernels.lanes.streams import Limited, float_range
from mcusim.kernels.lanes.words import FAR, SPARE, Words, packed
from mcusim.program import KernelCall

# Pointers that stay in registers; those of more inputs are read from where the caller has them, for each word.
MOST_POINTERS = 6
TABLE, LEFT, PLACE = "r1", "r2", "r3"
POINTERS = ("r3", "r4", "r5", "r6", "r7")  # and TABLE, of six
FREE = ("r8", "r9", "r10", "r11", FAR)
TURNS = ("", "ror #8", "ror #16", "ror #24")


class Term(NamedTuple):
    """An input that is added, after what there is so far is doubled so often."""

    input: int
    doublings: int = 0

    def __str__(self) -> str:
        return f"{self.input}{f' (doubled {self.doublings} times before)' * (self.doublings > 0)}"


class Saturated(NamedTuple):
    """How sums of 32 bits end: a shift to the right, and a saturation to so many bits, with a sign or without."""

    shift: int
    bits: int
    positive: bool


@dataclass(frozen=True)
class SummingUp(Limited):
    """Sums of `count` inputs, begun with `start`, with `more` added at their end and `last` doublings before.

    `unsigned`: bit i, has input i no sign? `lifted`: is the first term not negative, so that doublings are one shift?
    """

    limits: Words
    count: int
    terms: tuple[Term, ...]
    unsigned: int = 0
    start: int = 0
    more: int = 0
    last: int = 0
    lifted: bool = False
    ending: PairsEnd | Saturated | None = None
    fields: tuple[tuple[str, Any], ...] = field(default=(), hash=False)

    @property
    def unrolled(self) -> int:
        return 1 if self.limits.real else 2  # eight of real numbers are many already: code has to fit in the cache

    @property
    def key(self) -> str:
        told = f"sum_of_{self.count}_{self.limits.key}"
        if self.ending is None:
            return told
        terms = "_".join(f"{term.input}{'d' * (term.doublings > 0)}{term.doublings or ''}" for term in self.terms)
        numbers = (self.unsigned, self.start % 2**32, self.more % 2**32, self.last, *map(int, self.ending))
        how = "pairs" if isinstance(self.ending, PairsEnd) else "words"
        return f"{told}_{how}_{terms}_{'_'.join(f'{number:x}' for number in numbers)}{'_lifted' * self.lifted}"

    @property
    def summary(self) -> Sequence[str]:
        if self.ending is None:
            return (f"sums of {self.count} arrays, limited.",)
        order = ", ".join(map(str, self.terms))
        bits = 16 if isinstance(self.ending, PairsEnd) else 32
        return (
            f"sums of {self.count} arrays in {bits} bits, shifted to the right by {self.ending.shift} and limited.",
            "",
            f"Added are, from {self.start} on, the inputs {order}.",
            f"No sum at the end needs more than {bits} bits; what is between may wrap round.",
        )

    @property
    def twin(self) -> KernelCall:
        return KernelCall("sum_of_several", ("output", "inputs", "words"), dict(self.fields))

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        raise NotImplementedError  # `made` does all of it

    # ---- registers

    @property
    def _is_table(self) -> bool:
        return self.count > MOST_POINTERS

    @property
    def _pointers(self) -> tuple[str, ...]:
        if self._is_table:
            return ()
        return POINTERS[: self.count] if self.count <= len(POINTERS) else (TABLE, *POINTERS)

    @property
    def _sums(self) -> tuple[str, ...]:
        return self._free[: len(self._turns)]

    @property
    def _turns(self) -> tuple[str, ...]:
        """Where the numbers of a word lie that go into a register each."""
        if isinstance(self.ending, PairsEnd):
            return TURNS[:2]
        return TURNS if self.limits.number_bytes == 1 else TURNS[::2]

    @property
    def _free(self) -> tuple[str, ...]:
        taken = {"r0", TABLE, LEFT, PLACE} if self._is_table else {"r0", LEFT, *self._pointers}
        names = (*FREE, *SAVED[:4], PLACE, TABLE)
        return tuple(name for name in names if name not in taken)

    @property
    def _kept(self) -> dict[str, int]:
        """Constants that stay in registers, as far as there are some."""
        wanted = {}
        if self.start:
            wanted["start"] = self._in_lanes(self.start)
        if isinstance(self.ending, PairsEnd) and self.ending.shift:
            wanted["mask"] = PAIR_BYTES
        if self.more:
            wanted["more"] = self._in_lanes(self.more)
        return wanted

    def _in_lanes(self, number: int) -> int:
        return number % 2**16 * 0x00010001 if isinstance(self.ending, PairsEnd) else number

    def enter(self, a: Assembly) -> str:
        a.register("inputs", TABLE, "pointers to them")
        a.register("left", LEFT, "words, less those of a turn")
        a("push", several([*SAVED, "lr"]))
        if self._is_table:
            a.register("place", PLACE, "of the word, in bytes")
            a("mov", "place", imm(0))
        else:
            a("ldm", "inputs", several(self._pointers))
        if self.ending is not None:
            there = self._free[len(self._turns) :]
            for (name, value), register in zip(self._kept.items(), there, strict=False):
                a.register(name, register, "stays")
                constant(a, name, value)
        return "const void *inputs"

    @property
    def saved(self) -> tuple[str, ...]:
        return SAVED

    @property
    def _seen(self) -> tuple[str, ...]:
        """Registers for words of inputs. A comparison at the end takes SPARE."""
        return (SPARE, *self._free[len(self._turns) + len(self._kept) :])

    # ---- a word

    def made(self, a: Assembly, count: int) -> Sequence[str]:
        if self.ending is None:
            return self._real(a, count)
        terms = list(enumerate(self.terms))
        inputs = [(index, list(own)) for index, own in groupby(terms, lambda term: term[1].input)]
        while inputs:
            some, inputs = inputs[: len(self._seen)], inputs[len(self._seen) :]
            self._load(a, [index for index, _ in some])
            for (index, own), word in zip(some, self._seen, strict=False):
                for position, term in own:
                    self._double(a, term.doublings, lifted=self.lifted and position == 1)
                    self._add(a, word, index, first=position == 0)
        if self._is_table:
            a("add", "place", "place", imm(WORD_BYTES))
        return self._ended(a)

    def _load(self, a: Assembly, inputs: Sequence[int]) -> None:  # type: ignore[override]
        if not self._is_table:
            for index, word in zip(inputs, self._seen, strict=False):
                a("ldr", word, f"[{self._pointers[index]}]", imm(WORD_BYTES))
            return
        for index, word in zip(inputs, self._seen, strict=False):
            a("ldr", word, f"[inputs, #{WORD_BYTES * index}]")
        for _, word in zip(inputs, self._seen, strict=False):
            a("ldr", word, f"[{word}, place]")

    def _double(self, a: Assembly, times: int, *, lifted: bool = False) -> None:
        for name in self._sums:
            if lifted or not isinstance(self.ending, PairsEnd):
                if times:
                    a("lsl", name, name, imm(times))
                continue
            for _ in range(times):
                a("sadd16", name, name, name)

    def _add(self, a: Assembly, word: str, index: int, *, first: bool) -> None:
        sign = "uxt" if self.unsigned >> index & 1 else "sxt"
        how = "b16" if isinstance(self.ending, PairsEnd) else "b" if self.limits.number_bytes == 1 else "h"
        for name, turned in zip(self._sums, self._turns, strict=True):
            to = name if not first else "start" if self.start else ""
            a(f"{sign}{'a' * bool(to)}{how}", name, *([to] if to else []), word, *([turned] if turned else []))

    def _ended(self, a: Assembly) -> tuple[str]:
        ending, sums = self.ending, self._sums
        assert ending is not None
        self._double(a, self.last)
        if self.more:
            for name in sums:
                a("sadd16" if isinstance(ending, PairsEnd) else "add", name, name, "more")
        if isinstance(ending, PairsEnd):
            end_pairs(a, sums[0], sums[1], ending, "mask")
            return (sums[0],)
        shift = [f"asr #{ending.shift}"] * (ending.shift > 0)
        for name in sums:
            a("usat" if ending.positive else "ssat", name, imm(ending.bits), name, *shift)
        if len(sums) == len(TURNS):
            packed(a, sums[0], *sums)
        else:
            a("pkhbt", sums[0], *sums, "lsl #16")
        if self.limits.activation.relu:
            self.limits.keep_within(a, sums[0], (None, self.limits.ceiling), sums[1])
        return (sums[0],)

    # ---- real numbers

    def _real(self, a: Assembly, count: int) -> Sequence[str]:
        x, y = self.limits.first[:count], self.limits.second[:count]
        for index in range(self.count):
            names = y if index else x
            if self._is_table:
                a("ldr", FAR, f"[inputs, #{WORD_BYTES * index}]")
                a("add", FAR, FAR, "place")
                a("vldm", FAR, float_range(names))
            else:
                a("vldm", f"{self._pointers[index]}!", float_range(names))
            for one, other in zip(x, y, strict=True) if index else ():
                a("vadd.f32", one, one, other)
        if self._is_table:
            a("add", "place", "place", imm(WORD_BYTES * count))
        self.limits.limit(a, x, y[0])
        return x
