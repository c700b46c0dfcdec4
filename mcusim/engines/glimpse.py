"""progress.bin of the profiler -> what a firmware does right now. It is there even when the engine was killed."""

import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_HEAD = struct.Struct("<2Q4I")  # progress.h
_ACCESSES, _FRAMES = 256, 64
_ALL = struct.Struct(f"<{2 * _ACCESSES}I{_FRAMES}I3I")
_AGAIN = 16  # accesses of one instruction to one address among the last ones: it is a loop that waits


@dataclass(frozen=True)
class Glimpse:
    """Calls that have `begun` and of these the `measured` ones; from `pc` to `end` the last block of code.

    `accesses`: how often which (instruction, address) was among the last; `frames`: entries of the functions on the
    stack, outermost first. `registers_known`: could the profiler see the stack pointer? `polled`: the last
    (instruction, address) by which a register of a device was asked again and again; (0, 0) where none was.
    """

    begun: int
    measured: int
    pc: int
    end: int
    accesses: Counter[tuple[int, int]]
    frames: tuple[int, ...]
    registers_known: bool
    polled: tuple[int, int]

    @property
    def waits_at(self) -> list[tuple[int, int]]:
        """(instruction, address) of accesses that are done again and again, the most frequent first."""
        return [access for access, times in self.accesses.most_common() if times >= _AGAIN]


def look(folder: Path) -> Glimpse | None:
    """None when the profiler has not begun."""
    try:
        data = (folder / "progress.bin").read_bytes()
        begun, measured, pc, end, accesses, depth = _HEAD.unpack_from(data)
        words = _ALL.unpack_from(data, _HEAD.size)
    except (OSError, struct.error):
        return None
    filled = min(accesses, _ACCESSES)
    pairs = zip(words[0 : 2 * filled : 2], words[1 : 2 * filled : 2], strict=True)
    frames = words[2 * _ACCESSES :][: min(depth, _FRAMES)]
    known, *polled = words[-3:]
    return Glimpse(begun, measured, pc, end, Counter(pairs), frames, bool(known), (polled[0], polled[1]))
