"""What functions of depthwise convolutions have in common: their registers, the loop over channels, weights, stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from mcusim.kernels.assembly import LONGEST_OFFSET, Assembly, at, imm, several
from mcusim.kernels.depthwise_window import WORD_BYTES, Window
from mcusim.kernels.finish import Finish
from mcusim.program import KernelCall, Routine

REGISTERS = (*(f"r{n}" for n in range(13)), "lr")
SAVED = (*(f"r{n}" for n in range(4, 12)), "lr")
SIGNATURE = "const int16_t *x, const void *weights, void *output, const int32_t *bias, int channels"
LOOP_BYTES = 720  # of an unrolled loop: with what is around it, it stays in the L452's instruction cache
# The frame: where things lie above the stack pointer.
X, WEIGHTS, OUTPUT, BIASES, LEFT, TILES, ROWS, BIAS, TRIPS, OUTPUT_NOW, _UNUSED, FRAME = range(0, 48, 4)


@dataclass(frozen=True, eq=False)
class Part:
    """What one function computes of each channel: `rows` x (`tiles` x `columns`) outputs.

    `words`: pairs of columns in a row of the planes. `filters`: of the layer, which lie side by side in its output of
    `width` positions a row. `number_bytes`: of the layer's weights; `weight_bytes`: as many where they come from
    flash, 4 where they are words made ready in RAM. `multiplier`: filters of an input channel. `empty`: rows of zeros
    at the top and the bottom of the planes, which need not be read.
    """

    window: Window
    rows: int
    tiles: int
    columns: int
    words: int
    filters: int
    width: int
    weight_bytes: int
    number_bytes: int
    multiplier: int
    finish: Finish
    empty: tuple[int, int] = (0, 0)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and self.key == other.key

    @property
    def pitch(self) -> int:
        """Bytes of a row of the planes."""
        return self.words * WORD_BYTES

    @property
    def tile_bytes(self) -> int:
        """From a tile of inputs to the next."""
        return self.columns * self.window.stride_width * WORD_BYTES // 2

    @property
    def position_bytes(self) -> int:
        return self.filters * self.finish.store_bytes

    @property
    def row_bytes(self) -> int:
        """From a row of outputs to the next."""
        return self.width * self.position_bytes

    @property
    def key(self) -> str:
        w = self.window
        shape = f"{w.height}x{w.width}_by{w.stride_height}x{w.stride_width}_{self.rows}x{self.tiles}x{self.columns}"
        outputs = f"{self.words}_{self.filters}x{self.width}_m{self.multiplier}"
        numbers = f"w{8 * self.weight_bytes}_n{8 * self.number_bytes}_o{8 * self.finish.store_bytes}"
        empty = f"_e{self.empty[0]}_{self.empty[1]}" if any(self.empty) else ""
        return f"{shape}_{outputs}_{numbers}_{self.finish.key}{empty}"


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


class Frame:
    """A function over `channels`, for the planes of each of which `channel` emits what is to be done."""

    def __init__(self, kind: str, part: Part, head: list[str]) -> None:
        self.part = part
        self.name = f"nn_depthwise_{kind}_{part.key}"
        self.a = Assembly(self.name, [f"{self.name}: {head[0]}", *head[1:], *_layouts(part)])
        self._free = list(REGISTERS)

    @property
    def free(self) -> int:
        """Registers that have no name yet."""
        return len(self._free)

    def take(self, name: str, meaning: str = "") -> str:
        return self.a.register(name, self._free.pop(0), meaning)

    def take_if_free(self, name: str, meaning: str) -> str:
        """Empty when none is left."""
        return self.take(name, meaning) if self._free else ""

    @contextmanager
    def channels(self, spare: str) -> Iterator[None]:
        """Around what is done for a channel."""
        a, part = self.a, self.part
        a.block("On the stack: where this channel's inputs, weights and outputs begin, its bias, channels left")
        a("push", several(SAVED))
        a("sub", "sp", "sp", imm(FRAME))
        a("strd", "r0", "r1", at("sp", X))
        a("strd", "r2", "r3", at("sp", OUTPUT))
        a("ldr", "r0", at("sp", FRAME + 4 * len(SAVED)))
        a("str", "r0", at("sp", LEFT))
        before = a.cycles
        with a.loop("channel", "A channel: its weights and its bias") as again:
            yield
            a.block("The next channel")
            self.advance(X, spare, 4 if part.multiplier == 1 else 0)
            self.advance(OUTPUT, spare, part.finish.store_bytes)
            self.advance(LEFT, spare, -1)
            a("bne", again)
        a.repeated(before, CHANNELS_A_CALL)
        a("add", "sp", "sp", imm(FRAME))
        a("pop", several([*SAVED[:-1], "pc"]))

    def advance(self, place: int, spare: str, step: int) -> None:
        """What lies in the frame at `place` += step; the flags tell when it is 0."""
        if step:
            self.a("ldr", spare, at("sp", place))
            self.a("adds" if step > 0 else "subs", spare, spare, imm(abs(step)))
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

    def load_bias(self, spare: str, bias: str) -> None:
        """Of this channel, into a register and the frame."""
        a = self.a
        a("ldr", spare, at("sp", BIASES))
        a("ldr", bias, f"[{spare}]", "#4")
        a("str", spare, at("sp", BIASES))
        a("str", bias, at("sp", BIAS))

    def load_weights(self, names: list[str], spare: str) -> None:
        """All of this channel stay in registers."""
        a, bytes_ = self.a, self.part.weight_bytes
        a("ldr", spare, at("sp", WEIGHTS))
        if bytes_ == 1:
            raw = [names[min(index, len(names) - 1)] for index in range(1, len(names) + 1, 2)]
            for index, name in enumerate(raw):
                a("ldr", name, at(spare, 4 * index))
            for index, name in enumerate(raw):
                low = names[2 * index]
                a("sxtb16", low, name)
                if low != name:
                    a("sxtb16", name, name, "ror #8")
        else:
            raw = names
            for index, name in enumerate(names):
                a("ldr", name, at(spare, 4 * index))
        a("addw", spare, spare, imm(2 * bytes_ * self.part.window.stored_words))
        a("str", spare, at("sp", WEIGHTS))

    def routine(self) -> tuple[Routine, float]:
        """And its cycles for CHANNELS_A_CALL channels."""
        part, window = self.part, self.part.window
        fields = {"window_height": window.height, "window_width": window.width}
        fields |= {"stride_height": window.stride_height, "stride_width": window.stride_width}
        fields |= {"rows": part.rows, "columns": part.tiles * part.columns, "words": part.words}
        fields |= {"filters": part.filters, "width": part.width, "row_words": len(window.pairs)}
        fields |= {"packed": int(part.weight_bytes == 1), "multiplier": part.multiplier, **part.finish.fields}
        twin = KernelCall("depthwise_tile", ("x", "weights", "output", "bias", "channels"), fields)
        return Routine(self.name, self.a.text, self.a.code_bytes, SIGNATURE, twin), self.a.cycles


CHANNELS_A_CALL = 4  # of a call whose cycles are told


def _layouts(part: Part) -> list[str]:
    finish = part.finish
    weights = "bytes, in the order in which SXTB16 takes them apart" if part.weight_bytes == 1 else "16 bits"
    return [
        "",
        f"x        16 bits: [rows][{part.words} pairs of columns][4 channels][2 columns], from a channel on",
        f"weights  of each filter: [{part.window.height}][{len(part.window.pairs)} pairs of taps][2], as {weights}",
        f"output   numbers of {finish.store_bytes} bytes: [rows][{part.width}][{part.filters} filters], from one on",
        "bias     of each filter, with what rounds in it",
        "",
        "No sum overflows at its end: mcusim has the bound of each from its weights, and what needs more than 32 bits",
        "does not come here; on the way sums wrap round.",
    ]
