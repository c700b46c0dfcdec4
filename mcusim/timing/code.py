"""ELF file -> Code: the bytes of a firmware by address, and the instructions of its blocks."""

import bisect
from collections.abc import Sequence
from pathlib import Path

from mcusim.engines.counts import Block
from mcusim.system.elf import reading
from mcusim.timing.decode import Instruction, decode

_EXECUTABLE = 1


class Code:
    """Bytes of a firmware by address, and the instructions of its blocks."""

    def __init__(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        self.pieces = sorted(pieces)
        self._starts = [start for start, _ in self.pieces]
        self._decoded: dict[tuple[int, int], tuple[Instruction, ...]] = {}

    @classmethod
    def of_elf(cls, path: Path) -> "Code":
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
            self._decoded[key] = tuple(decode(data, block.start)) if data else ()
        return self._decoded[key]
