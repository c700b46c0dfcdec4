"""Words with numbers side by side in registers: loads, comparisons, limits, stores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcusim.graph import Layer
from mcusim.kernels.assembly import LONGEST_OFFSET, SAVED, Assembly, at, constant, imm
from mcusim.kernels.calls import Fields, reading
from mcusim.kernels.finish import Limits
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.memory import Memory
from mcusim.numbers.numbers import Activation
from mcusim.program import ASSEMBLY, FLOAT_ASSEMBLY, Routine

WORD_BYTES = 4
LANES = 1 << 32
LONGEST_FLOAT_OFFSET = 1020
FEW_WORDS = 4
COLD = 0.9 / 0.8  # of code that runs for the first time: little of it repeats
FAR, SPARE = "r12", "lr"  # a pointer to what lies far behind another; what is lost in a comparison


@dataclass(frozen=True)
class Words:
    """Numbers of `bits` (0 for float32) and their limits. `unsigned`: those of 8 bits may have no sign."""

    bits: int
    unsigned: bool
    activation: Activation
    ceiling: int | None  # as it is stored
    several: int = FEW_WORDS  # that are worked on together: up to twice as many of float32
    floor: int = 0  # of an activation, as it is stored

    @property
    def real(self) -> bool:
        return self.bits == 0

    @property
    def saved(self) -> tuple[str, ...]:
        """Registers of the caller that they need."""
        return () if self.real else SAVED

    @property
    def guard(self) -> str:
        """Of a routine: where it can run."""
        return FLOAT_ASSEMBLY if self.real else ASSEMBLY

    @property
    def number_bytes(self) -> int:
        return 4 if self.real else 1 if self.bits <= 8 else 2

    @property
    def key(self) -> str:
        """What two routines have in common, as a part of their names."""
        storage = "float" if self.real else f"{'u' * self.unsigned}int{8 * self.number_bytes}"
        limits = f"_relu{'' if self.ceiling is None else f'_{self.ceiling % LANES:x}'}" if self.activation.relu else ""
        return storage + limits + (f"_from_{self.floor % LANES:x}" if self.floor else "")

    def limits(self) -> Fields:
        """The activation, as C has it."""
        if not self.activation.relu:
            return {"activation": "NN_LINEAR"}
        floor: Fields = {"floor": np.float32(self.activation.floor) if self.real else self.floor} if self.floor else {}
        if self.ceiling is None:
            return {"activation": "NN_RELU", **floor}
        return {
            "activation": "NN_RELU_CEILING",
            "ceiling": np.float32(self.activation.ceiling) if self.real else self.ceiling,
            **floor,
        }

    @property
    def first(self) -> tuple[str, ...]:
        """Registers of so many words."""
        return tuple(f"s{i}" if self.real else f"r{4 + i}" for i in range(self.several))

    @property
    def second(self) -> tuple[str, ...]:
        """Likewise, others."""
        return tuple(f"s{i + self.several}" if self.real else f"r{8 + i}" for i in range(self.several))

    @property
    def longest_offset(self) -> int:
        return LONGEST_FLOAT_OFFSET if self.real else LONGEST_OFFSET

    def load(self, a: Assembly, names: Sequence[str], base: str, offset: int, places: Sequence[int]) -> None:
        """Words that lie `places` bytes behind `offset`; FAR is lost where this is too far for a load."""
        if offset + max(places) > self.longest_offset:
            if offset <= LONGEST_OFFSET:
                a("addw", FAR, base, imm(offset))
            else:
                constant(a, FAR, offset)
                a("add", FAR, base, FAR)
            base, offset = FAR, 0
        for name, place in zip(names, places, strict=False):
            a("vldr" if self.real else "ldr", name, at(base, offset + place))

    def store(self, a: Assembly, names: Sequence[str], base: str, places: Sequence[int], step: int = 0) -> None:
        """The pointer moves by `step`, after the last word."""
        if self.real:
            for name, place in zip(names, places, strict=False):
                a("vstr", name, at(base, place))
            if step:
                a("add", base, base, imm(step))
            return
        for name, place in reversed(list(zip(names, places, strict=False))[1:]):
            a("str", name, at(base, place))
        a("str", names[0], *([at(base), imm(step)] if step else [at(base, places[0])]))

    def larger(self, a: Assembly, best: Sequence[str], others: Sequence[str]) -> None:
        """Of equals, and beside what is no number, `best` stays, as in plain C."""
        for one, other in zip(best, others, strict=False):
            if self.real:
                _move_if(a, "gt", (other, one), one, other)
            else:
                self._compare(a, one, other)
                a("sel", one, one, other)

    def limit(self, a: Assembly, names: Sequence[str], spare: str) -> None:
        """The activation. `spare` is a register like those of `names`, which is lost."""
        if not self.activation.relu:
            return
        if self.real or self.floor or not self.unsigned:
            self._floor(a, spare)
            for name in names:
                if self.real:
                    _move_if(a, "mi", (name, spare if self.floor else "#0.0"), name, spare)
                else:
                    self._compare(a, name, spare)
                    a("sel", name, name, spare)
        if self.ceiling is not None:
            self._constant(a, spare, self.ceiling)
            for name in names:
                if self.real:
                    _move_if(a, "gt", (name, spare), name, spare)
                else:
                    self._compare(a, name, spare)
                    a("sel", name, spare, name)

    def keep_within(self, a: Assembly, word: str, limits: Limits, spare: str) -> None:
        """Integers of a word, by `limits` in place of an activation. `spare` and SPARE are lost."""
        for limit, kept in zip(limits, ((word, spare), (spare, word)), strict=True):
            if limit is not None:
                self._constant(a, spare, limit)
                self._compare(a, word, spare)
                a("sel", word, *kept)

    def _compare(self, a: Assembly, one: str, other: str) -> None:
        """For each number: is the one at least as large as the other? SEL reads the answers."""
        how = "ssub16" if self.number_bytes == 2 else "usub8" if self.unsigned else "ssub8"
        a(how, SPARE, one, other)

    def _floor(self, a: Assembly, name: str) -> None:
        if self.floor:
            self._constant(a, name, self.floor)
        elif self.real:
            a("mov", FAR, imm(0))
            a("vmov", name, FAR)
        else:
            a("mov", name, imm(0))

    def _constant(self, a: Assembly, name: str, bits: int) -> None:
        """In all lanes of a word."""
        if self.real:
            constant(a, FAR, bits)
            a("vmov", name, FAR)
        else:
            size = self.number_bytes
            constant(a, name, bits % (1 << 8 * size) * (0x01010101 if size == 1 else 0x00010001))


def _move_if(a: Assembly, condition: str, compared: tuple[str, str], to: str, what: str) -> None:
    """Of float32; false where one is no number."""
    a("vcmp.f32", *compared)
    a("vmrs", "APSR_nzcv", "fpscr")
    a("it", condition)
    a(f"vmov{condition}.f32", to, what)


def words_of_layer(layer: Layer, inputs: Inputs) -> Words:
    """Of a layer whose numbers are those of its inputs."""
    activation = getattr(layer, "activation", Activation())
    fields, real = activation.fields(layer.numbers), layer.numbers is None
    ceiling = None if activation.ceiling is None else _stored(fields["ceiling"], real)
    floor = _stored(fields.get("floor", 0), real)
    bits = 0 if real else 8 * layer.dtype.itemsize
    return Words(bits, bool(reading(inputs[0])), activation, ceiling, FEW_WORDS * (1 + real), floor)


def _stored(limit: float, real: bool) -> int:
    """The bits of float32, or an integer."""
    return int(np.float32(limit).view(np.uint32)) if real else int(limit)


def places(row_bytes: int) -> tuple[int, ...]:
    """Where words lie that cover a row of bytes: the last one ends where the row ends."""
    whole = tuple(range(0, row_bytes - WORD_BYTES + 1, WORD_BYTES))
    return whole if row_bytes % WORD_BYTES == 0 else (*whole, row_bytes - WORD_BYTES)


def unaligned(row_bytes: int) -> float:
    """Cycles that a load of a word takes more, in the mean, where rows of so many bytes follow one another."""
    return {0: 0.0, 2: 0.5}.get(row_bytes % WORD_BYTES, 1.25)


def fetched(routines: Iterable[Routine], memory: Memory) -> float:
    """Cycles of code that runs for the first time."""
    return COLD * memory.fetched(sum(routine.code_bytes for routine in routines))


def packed(a: Assembly, word: str, *numbers: str) -> None:
    """Four numbers of 8 bits, the lowest first, each in a register of its own -> a word. All are lost."""
    first, second, third, fourth = numbers
    a("bfi", first, second, imm(8), imm(8))
    a("bfi", third, fourth, imm(8), imm(8))
    a("pkhbt", word, first, third, "lsl #16")
