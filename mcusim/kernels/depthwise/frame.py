"""What functions of depthwise convolutions have in common: their registers, the loop over channels, weights, stores."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from mcusim.kernels.assembly import LONGEST_OFFSET, SAVED, Assembly, Timed, at, imm, several
from mcusim.kernels.depthwise.window import WORD_BYTES, Window
from mcusim.kernels.finish import Ending
from mcusim.kernels.float_finish import FloatFinish
from mcusim.program import KernelCall

REGISTERS = (*(f"r{n}" for n in range(13)), "lr")
LOOP_BYTES = 720  # of an unrolled loop: with what is around it, it stays in the L452's instruction cache
CHANNELS_A_CALL = 4  # of a call whose cycles are told
NO_OFFSETS = 1 << 20  # the reach of pointers that are moved before each load
# The frame: where things lie above the stack pointer.
X, WEIGHTS, OUTPUT, BIASES, LEFT, TILES, ROWS, BIAS, TRIPS, OUTPUT_NOW, FACTOR_AT, FRAME = range(0, 48, 4)


class RoutineFacts(NamedTuple):
    """What C has to know of a function, and where it can run."""

    signature: str
    guard: str
    twin: KernelCall


@dataclass(frozen=True, eq=False)
class Shared(ABC):
    """What one function computes of each channel: `rows` x (`tiles` x `columns`) outputs.

    `words`: of a row of the planes. `filters`: of the layer, which lie side by side in its output of `width` positions
    a row. `multiplier`: filters of an input channel. `empty`: rows of zeros at the top and the bottom of the planes,
    which need not be read. `column_bytes`: from an input of a channel to the next one in its row, in the mean.
    """

    column_bytes: ClassVar[int]

    window: Window
    rows: int
    tiles: int
    columns: int
    words: int
    filters: int
    width: int
    multiplier: int
    finish: Ending | FloatFinish
    empty: tuple[int, int] = field(default=(0, 0), kw_only=True)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shared) and (self.key, self.resident) == (other.key, other.resident)

    @property
    @abstractmethod
    def resident(self) -> bool:
        """Do all weights of a filter stay in registers?"""

    @property
    @abstractmethod
    def filter_bytes(self) -> int:
        """From the weights of a filter to the next."""

    @property
    @abstractmethod
    def channel_step(self) -> int:
        """From the first input of a filter to that of the next."""

    @property
    @abstractmethod
    def code_bytes_of_a_row(self) -> int:
        """Of outputs, where a function goes down."""

    @property
    @abstractmethod
    def routine(self) -> RoutineFacts: ...

    @property
    @abstractmethod
    def layouts(self) -> list[str]: ...

    @property
    @abstractmethod
    def key(self) -> str: ...

    @property
    def pitch(self) -> int:
        """Bytes of a row of the planes."""
        return self.words * WORD_BYTES

    @property
    def tile_bytes(self) -> int:
        """From a tile of inputs to the next."""
        return self.columns * self.window.stride_width * self.column_bytes

    @property
    def position_bytes(self) -> int:
        return self.filters * self.finish.store_bytes

    @property
    def row_bytes(self) -> int:
        """From a row of outputs to the next."""
        return self.width * self.position_bytes

    def key_with(self, numbers: str) -> str:
        """`numbers`: what else sets it apart."""
        w = self.window
        shape = f"{w.height}x{w.width}_by{w.stride_height}x{w.stride_width}_{self.rows}x{self.tiles}x{self.columns}"
        empty = f"_e{self.empty[0]}_{self.empty[1]}" if any(self.empty) else ""
        return f"{shape}_{self.words}_{self.filters}x{self.width}_m{self.multiplier}_{numbers}{empty}"

    def fields(self, words: str) -> dict[str, Any]:
        """For C, which calls its `words` so."""
        w = self.window
        fields = {"window_height": w.height, "window_width": w.width}
        fields |= {"stride_height": w.stride_height, "stride_width": w.stride_width}
        fields |= {"rows": self.rows, "columns": self.tiles * self.columns, words: self.words}
        return fields | {"filters": self.filters, "width": self.width}


P = TypeVar("P", bound=Shared)


@dataclass
class Pointer:
    """A register that walks: instructions name places from where it was at first; it moves when they are far away."""

    a: Assembly
    name: str
    moved: int = 0

    def at(self, offset: int) -> str:
        return at(self.name, offset - self.moved)

    def reach(self, first: int, last: int) -> None:
        """So that `at` can name both, and all between."""
        if first < self.moved or last - self.moved > LONGEST_OFFSET:
            self.move(first)

    def move(self, offset: int) -> None:
        far = offset - self.moved
        while far:
            step = max(-LONGEST_OFFSET, min(LONGEST_OFFSET, far))
            self.a("addw" if step > 0 else "subw", self.name, self.name, imm(abs(step)))
            far -= step
        self.moved = offset


class Walk(NamedTuple):
    """A pointer in a loop: `step` bytes from item to item, each of which names places up to `reach` from its first."""

    pointer: Pointer
    step: int
    reach: int


def unrolled(most: int, multiple: int, walks: tuple[Walk, ...]) -> int:
    """Items of a turn: not more than `most` if possible, nor than what pointers reach from where they are."""
    reached = min((LONGEST_OFFSET - walk.reach) // walk.step for walk in walks)
    return max(1, min(most, reached) // multiple) * multiple


class Frame(Generic[P]):
    """A function over `channels`, for the planes of each of which `channel` emits what is to be done."""

    def __init__(self, kind: str, part: P, head: list[str]) -> None:
        self.part = part
        self.name = f"nn_depthwise_{kind}_{part.key}"
        self.a = Assembly(self.name, [f"{self.name}: {head[0]}", *head[1:], *part.layouts])
        self._free = list(REGISTERS)

    @property
    def free(self) -> int:
        """Registers that have no name yet."""
        return len(self._free)

    def take(self, name: str, meaning: str = "") -> str:
        return self.a.register(name, self._free.pop(0), meaning)

    @property
    def frame(self) -> int:
        """Bytes of it."""
        return FRAME

    def take_if_free(self, name: str, meaning: str) -> str:
        """Empty when none is left."""
        return self.take(name, meaning) if self._free else ""

    @contextmanager
    def channels(self, spare: str) -> Iterator[None]:
        """Around what is done for a channel."""
        a, part = self.a, self.part
        a.block("On the stack: where this channel's inputs, weights and outputs begin, its bias, channels left")
        a("push", several([*SAVED, "lr"]))
        more = self.enter()
        a("sub", "sp", "sp", imm(self.frame))
        a("strd", "r0", "r1", at("sp", X))
        a("strd", "r2", "r3", at("sp", OUTPUT))
        a("ldr", "r0", at("sp", self.frame + more + 4 * (len(SAVED) + 1)))
        a("str", "r0", at("sp", LEFT))
        before = a.cycles
        with a.loop("channel", "A channel: its weights and its bias") as again:
            yield
            a.block("The next channel")
            self.advance(X, spare, part.channel_step)
            self.advance(OUTPUT, spare, part.finish.store_bytes)
            self.advance(LEFT, spare, -1)
            a("bne", again)
        self.channel_cycles = a.cycles - before
        a("add", "sp", "sp", imm(self.frame))
        self.leave()
        a("pop", several([*SAVED, "pc"]))

    def enter(self) -> int:
        """What has to be kept besides core registers: bytes on the stack."""
        return 0

    def leave(self) -> None:
        """Likewise."""

    def advance(self, place: int, spare: str, step: int) -> None:
        """What lies in the frame at `place` += step; after -1 the flags tell when it is 0."""
        if step:
            self.a("ldr", spare, at("sp", place))
            self.a("addw" if step > 0 else "subs", spare, spare, imm(abs(step)))
            self.a("str", spare, at("sp", place))

    def count(self, place: int, spare: str, times: int) -> None:
        self.a("movw", spare, imm(times))
        self.a("str", spare, at("sp", place))

    def turns(
        self, count: int, unrolled: int, walks: tuple[Walk, ...], emit: Callable[[int], None], counter: str, spare: str
    ) -> None:
        """A loop over `count` items, `unrolled` of them a turn, entered at the one that leaves full turns behind it:
        turns count from `early` items above the first. `emit(item)` is told which of a turn it is; pointers begin at
        the first item and end behind the last one. `counter`: a register, or none.
        """
        a, early = self.a, -count % unrolled
        turns = (count + early) // unrolled
        far = early and any(walk.step * unrolled + walk.reach > LONGEST_OFFSET for walk in walks)
        a.block(f"{count} are {turns} turns of {unrolled}" + (f", less {early}" if early else ""))
        for walk in walks:
            walk.pointer.move(0 if far else -early * walk.step)
        if counter:
            a("movw", counter, imm(turns))
        else:
            self.count(TRIPS, spare, turns)
        if early:
            a("b", f".L{self.name}_enter")
        before = a.cycles
        with a.loop("turn", f"{unrolled} at a time") as again:
            for walk in walks:
                walk.pointer.moved = 0
            for item in range(unrolled):
                if early and item == early:
                    for walk in walks if far else ():
                        walk.pointer.move(early * walk.step)
                    a.place("enter")
                emit(item)
            for walk in walks:
                walk.pointer.move(unrolled * walk.step)
                walk.pointer.moved = count * walk.step
            if counter:
                a("subs", counter, counter, imm(1))
            else:
                self.advance(TRIPS, spare, -1)
            a("bne", again)
        a.repeated(before, count / unrolled)

    def routine(self) -> Timed:
        facts = self.part.routine
        made = self.a.routine(facts.signature, facts.twin, facts.guard)
        return Timed(made, self.a.cycles - self.channel_cycles, self.channel_cycles)


@lru_cache(maxsize=1024)
def written(kind: Callable[[P], Frame[P]], part: P) -> Timed:
    return kind(part).routine()
