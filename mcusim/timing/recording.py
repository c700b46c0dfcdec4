"""Counts + firmware -> Recording: all that a price needs, so that another clock needs neither a run nor the ELF."""

import base64
import bisect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mcusim.engines.counts import Counts
from mcusim.system.errors import DataError, McusimError
from mcusim.timing.code import Code
from mcusim.timing.source import Function, functions_of, lines_of

__all__ = ["RECORDING", "Function", "Recording", "executed", "record", "save"]

RECORDING = "profile.json"  # its name in the folder of a run
FORMAT = 1


@dataclass(frozen=True)
class Recording:
    """`lines`: source file and line by address, for the addresses where that changes. `board` is a name.

    `no_lines`: why there are none, when the firmware has some that cannot be read.
    """

    board: str
    counts: Counts
    code: Code
    functions: tuple[Function, ...]
    lines: tuple[tuple[int, str, int], ...]
    no_lines: str = ""

    @cached_property
    def _function_starts(self) -> Sequence[int]:
        return [function.start for function in self.functions]

    @cached_property
    def _line_starts(self) -> Sequence[int]:
        return [address for address, *_ in self.lines]

    def function_at(self, address: int) -> str:
        """'?' where the firmware has no symbol."""
        found = self._at(address)
        return found.name if found else "?"

    def entry_at(self, address: int) -> int:
        """Where the function at `address` begins; without a symbol: the address itself."""
        found = self._at(address)
        return found.start if found else address

    def _at(self, address: int) -> Function | None:
        at = bisect.bisect_right(self._function_starts, address) - 1
        return self.functions[at] if at >= 0 and address < self.functions[at].end else None

    def line_at(self, address: int) -> tuple[str, int] | None:
        at = bisect.bisect_right(self._line_starts, address) - 1
        return (self.lines[at][1], self.lines[at][2]) if at >= 0 and self.lines[at][2] else None


def record(counts: Counts, elf: Path, board: str) -> Recording:
    """Raises DataError for a file that is no ELF."""
    try:
        code, found, functions = executed(counts, elf), lines_of(elf, counts.blocks), functions_of(elf, counts)
    except McusimError as error:
        raise DataError(error.what, where=error.where, hint=error.hint) from error
    return Recording(board, counts, code, functions, found.rows, found.problem)


def executed(counts: Counts, elf: Path) -> Code:
    """Code that the file does not have where it ran (in RAM, or loaded) is that which the engine saw."""
    whole, seen = Code.of_elf(elf), Code(_joined(counts.code))
    spans = [(block.start, block.end) for block in counts.blocks if block.instructions]
    pieces = [(start, whole.bytes_of(start, end) or seen.bytes_of(start, end)) for start, end in spans]
    return Code(_joined([(start, data) for start, data in pieces if data]))


def _joined(pieces: Sequence[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Blocks overlap: a loop begins in the middle of the block that leads into it."""
    joined: list[tuple[int, bytes]] = []
    for start, data in sorted(pieces):
        if joined and start <= joined[-1][0] + len(joined[-1][1]):
            origin, before = joined[-1]
            joined[-1] = (origin, before + data[max(0, origin + len(before) - start) :])
        else:
            joined.append((start, data))
    return joined


def save(recording: Recording, path: Path) -> None:
    document = {
        "format": FORMAT,
        "board": recording.board,
        **document_of(recording.counts),
        "code": told_code(recording.code.pieces),
        "functions": [[f.name, f.start, f.end] for f in recording.functions],
        "lines": [list(line) for line in recording.lines],
    }
    path.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def document_of(counts: Counts) -> dict[str, Any]:
    """Counts, without code, as JSON has them."""
    document: dict[str, Any] = {
        "blocks": [[b.start, b.end, b.instructions] for b in counts.blocks],
        "edges": [[e.source, e.to] for e in counts.edges],
        "edge_counts": counts.edge_counts.tolist(),
        "events": [[e.kind, e.block, e.address] for e in counts.events],
        "event_counts": counts.event_counts.tolist(),
    }
    if counts.tree is not None:
        document["tree"] = {
            "nodes": [[node.parent, node.function, node.calls] for node in counts.tree.nodes],
            "tallies": [[node, edge, times] for (node, edge), times in counts.tree.tallies.items()],
            "never_returned": counts.tree.never_returned,
            "jumped_out": counts.tree.jumped_out,
        }
    if counts.changed:
        document["changed"] = sorted(counts.changed)
    return document


def told_code(pieces: Sequence[tuple[int, bytes]]) -> list[list[int | str]]:
    return [[start, base64.b64encode(data).decode()] for start, data in pieces]
