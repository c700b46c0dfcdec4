"""Arrays that are read word by word, side by side, and written as one: sums of two, and activations."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple

from mcusim.graph import Layer
from mcusim.kernels.assembly import Assembly, imm, several
from mcusim.kernels.instructions import REFILL
from mcusim.kernels.lanes.words import WORD_BYTES, Words, fetched
from mcusim.kernels.memory import Memory
from mcusim.program import KernelCall, Routine

LAYER, ALONE = 4.0, 18.0  # fitted: cycles of the C around a routine, and of a number that it leaves over


class Work(ABC):
    """What happens to words on their way; it can be a key.

    `inputs`: arrays, one or two. `tables`: pointers that stay where they are, by name. `twin_kernel`: what does the
    same in C, where it is told `fields`.
    """

    twin_kernel: str
    fields: Any
    inputs: ClassVar[int] = 2
    tables: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def words(self) -> Words:
        """Of the output."""

    @property
    @abstractmethod
    def key(self) -> str:
        """What sets it apart, as the end of a name."""

    @property
    @abstractmethod
    def summary(self) -> Sequence[str]: ...

    @property
    def twin(self) -> KernelCall:
        return KernelCall(self.twin_kernel, ("output", *self._sources, *self.tables, "words"), dict(self.fields))

    @property
    def saved(self) -> tuple[str, ...]:
        """Registers of the caller that it takes."""
        return self.words.saved

    @property
    def unrolled(self) -> int:
        """How often a turn of the loop has several words, one after the other."""
        return 1

    def prepare(self, a: Assembly) -> None:  # noqa: B027
        """What stays in registers that no word is in: nothing."""

    def enter(self, a: Assembly) -> str:
        """Registers, and what comes before the first word -> arguments in C, but for the output and how many words."""
        sources = self._sources
        for number, name in enumerate(sources, 1):
            a.register(name, f"r{number}", "an input")
        for number, name in enumerate(self.tables, 1 + len(sources)):
            a.register(name, f"r{number}", "stays")
        a.register("left", f"r{len(sources) + len(self.tables) + 1}", "words, less those of a turn")
        a("push", several([*self.saved, "lr"]))
        self.prepare(a)
        return ", ".join(f"const void *{name}" for name in (*sources, *self.tables))

    def made(self, a: Assembly, count: int) -> Sequence[str]:
        """The next so many words of the inputs -> registers with those of the output."""
        x, y = self.words.first[:count], self.words.second[:count]
        for source, names in zip(self._sources, (x, y), strict=False):
            self._load(a, names, source)
        self(a, x, y)
        return x

    @property
    def _sources(self) -> tuple[str, ...]:
        return ("x", "y")[: self.inputs]

    def _load(self, a: Assembly, names: Sequence[str], source: str) -> None:
        if self.words.real:
            a("vldm", f"{source}!", float_range(names))
            return
        for index in reversed(range(1, len(names))):
            a("ldr", names[index], f"[{source}, #{WORD_BYTES * index}]")
        a("ldr", names[0], f"[{source}]", imm(WORD_BYTES * len(names)))

    @abstractmethod
    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        """Words of both inputs -> those of the output, in `x`. `y`, FAR and SPARE are lost."""


class Limited(Work):
    """Its `limits` are the words of the output."""

    limits: Words

    @property
    def words(self) -> Words:
        return self.limits


class Stream(NamedTuple):
    """A routine, and its cycles: of a call, of a turn of several words, of a word more."""

    routine: Routine
    several: int
    around: float
    turn: float
    one: float

    def cycles(self, words: int) -> float:
        turns, ones = divmod(words, self.several)
        straight = 2 * (turns > 0) + 2 * (ones > 0)  # branches that are not taken: into a loop, and over it
        return self.around + turns * self.turn + ones * self.one - REFILL * straight


@lru_cache(maxsize=256)
def stream(work: Work) -> Stream:
    return _Writer(work).stream()


class _Writer:
    def __init__(self, work: Work) -> None:
        self.work, self.words = work, work.words
        self.name = f"nn_{work.key}"
        self.a = a = Assembly(self.name, [f"{self.name}: {work.summary[0]}", *work.summary[1:]])
        a.register("output", "r0", "may be an input")
        self.arguments = work.enter(a)
        self.several = self.words.several * work.unrolled
        self.turn = self._turns() if self.several > 1 else 0.0
        self.one = self._loop("one", "A word", 1, 1, "bne")
        a.place("end")
        a("pop", several([*work.saved, "pc"]))

    def _turns(self) -> float:
        """Several words each -> cycles of one."""
        a = self.a
        a("subs", "left", "left", imm(self.several))
        a("blt", f".L{a.name}_rest")
        turn = self._loop("turn", f"{self.several} words", self.words.several, self.work.unrolled, "bge")
        a.place("rest")
        a("adds", "left", "left", imm(self.several))
        a("beq", f".L{a.name}_end")
        return turn

    def stream(self) -> Stream:
        signature = f"void *output, {self.arguments}, int words"
        routine = self.a.routine(signature, self.work.twin, self.words.guard)
        around = self.a.cycles - self.turn - self.one
        return Stream(routine, self.several, around, self.turn or self.one, self.one)

    def _loop(self, name: str, comment: str, count: int, times: int, again_if: str) -> float:
        """So many words, so many times -> cycles of a turn."""
        a, since = self.a, self.a.cycles
        with a.loop(name, comment) as again:
            for _ in range(times):
                made = self.work.made(a, count)
                step = WORD_BYTES * count
                self.words.store(a, made, "output", range(0, step, WORD_BYTES), step)
            a("subs", "left", "left", imm(count * times))
            a(again_if, again)
        return a.cycles - since


def float_range(names: Sequence[str]) -> str:
    return f"{{{names[0]}-{names[-1]}}}" if len(names) > 1 else f"{{{names[0]}}}"


@dataclass(frozen=True)
class Activating(Limited):
    """ReLU, with or without a ceiling."""

    limits: Words

    inputs = 1

    @property
    def key(self) -> str:
        return f"limited_{self.words.key}"

    @property
    def summary(self) -> Sequence[str]:
        return ("an activation, of as many numbers at once as a word holds.",)

    @property
    def twin(self) -> KernelCall:
        unsigned = {"unsigned_input": 1} if self.words.unsigned else {}
        return KernelCall("limited", ("output", "x", "words"), {**unsigned, **self.words.limits()})

    def __call__(self, a: Assembly, x: Sequence[str], y: Sequence[str]) -> None:
        self.words.limit(a, x, y[0])


def stream_cycles(made: Stream, layer: Layer, memory: Memory) -> float:
    words, rest = divmod(layer.elements * layer.dtype.itemsize, WORD_BYTES)
    total = LAYER + rest // layer.dtype.itemsize * ALONE
    return total + (made.cycles(words) + fetched((made.routine,), memory) if words else 0)
