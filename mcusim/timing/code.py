"""ELF file -> Code: the bytes of a firmware by address, and the instructions of its blocks."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from pathlib import Path

from mcusim.engines.counts import Block
from mcusim.system.elf import reading
from mcusim.timing.decode import Instruction, decode

_EXECUTABLE = 1
_IN_IT = 4  # instructions from IT on, of which those behind it may be skipped: they are decoded together


class Code:
    """Bytes of a firmware by address, and the instructions of its blocks."""

    def __init__(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        self.pieces = sorted(pieces)
        self._starts = [start for start, _ in self.pieces]
        self._decoded: dict[tuple[int, int], tuple[Instruction, ...]] = {}
        self._known: dict[int, tuple[Instruction, ...]] = {}  # by address

    @classmethod
    def of_elf(cls, path: Path) -> Code:
        """The executable parts of a firmware, without what is copied to RAM. Raises BuildError for no ELF file."""
        with reading(path) as elf:
            loaded = (s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"])
            kept = (s for s in loaded if s["p_flags"] & _EXECUTABLE and s["p_vaddr"] == s["p_paddr"])
            return cls([(int(s["p_vaddr"]), bytes(s.data())) for s in kept])

    def bytes_of(self, start: int, end: int) -> bytes | None:
        """None when that is not wholly inside one piece."""
        at = bisect.bisect_right(self._starts, start) - 1
        if at < 0:
            return None
        origin, data = self.pieces[at]
        return data[start - origin : end - origin] if end <= origin + len(data) else None

    def instructions(self, block: Block) -> tuple[Instruction, ...]:
        """Empty for a block outside of the firmware."""
        key = (block.start, block.end)
        if key not in self._decoded:
            data = self.bytes_of(*key) if block.instructions else None
            found = self._decode(data, block.start) if data else ()
            self._decoded[key] = self._known[block.start] = found
        return self._decoded[key]

    def _decode(self, data: bytes, start: int) -> tuple[Instruction, ...]:
        """A block is mostly made of others that were decoded before."""
        found: list[Instruction] = []
        at, end = start, start + len(data)
        while at < end:
            known = self._known.get(at, ())
            if not known or known[-1].end > end or any(insn.kind == "it" for insn in known[-_IN_IT:]):
                return (*found, *decode(data[at - start :], at))
            found += known
            at = known[-1].end
        return tuple(found)
