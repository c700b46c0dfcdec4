"""Counts + firmware -> Recording: all that a price needs, so that another clock needs neither a run nor the ELF."""

from __future__ import annotations

import base64
import bisect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from mcusim.engines.counts import Block, Counts, Edge, Event
from mcusim.system.elf import read_elf
from mcusim.system.errors import DataError
from mcusim.timing.code import Code

RECORDING = "profile.json"  # its name in the folder of a run
_FORMAT = 1


@dataclass(frozen=True)
class Function:
    """Addresses from `start` up to, not including, `end`."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Recording:
    """`lines`: source file and line by address, for the addresses where that changes. `board` is a name."""

    board: str
    counts: Counts
    code: Code
    functions: tuple[Function, ...]
    lines: tuple[tuple[int, str, int], ...]

    def function_at(self, address: int) -> str:
        """'?' where the firmware has no symbol."""
        at = bisect.bisect_right(self.functions, address, key=lambda function: function.start) - 1
        return self.functions[at].name if at >= 0 and address < self.functions[at].end else "?"

    def line_at(self, address: int) -> tuple[str, int] | None:
        at = bisect.bisect_right(self.lines, address, key=lambda line: line[0]) - 1
        return (self.lines[at][1], self.lines[at][2]) if at >= 0 and self.lines[at][2] else None


def record(counts: Counts, elf: Path, board: str) -> Recording:
    """Raises DataError for a file that is no ELF."""
    try:
        whole = Code.of_elf(elf)
        lines = _lines(elf, counts.blocks)
    except (ELFError, OSError) as error:
        raise DataError(f"{elf.name!r} is not a readable ELF file: {error}", where=str(elf)) from error
    pieces = [(block.start, whole.bytes_of(block.start, block.end)) for block in counts.blocks if block.instructions]
    code = Code(_joined([(start, data) for start, data in pieces if data]))
    return Recording(board, counts, code, _functions(elf), lines)


def _functions(elf: Path) -> tuple[Function, ...]:
    """One without a size (hand-written assembly) ends where the next one begins."""
    symbols = [(s.address, s.size, name) for name, s in read_elf(elf).symbols.items() if s.kind == "function"]
    symbols = sorted({address: (address, size, name) for address, size, name in sorted(symbols)}.values())
    nexts = [address for address, _, _ in symbols[1:]] + [1 << 32]
    return tuple(
        Function(name, address, address + size if size else following)
        for (address, size, name), following in zip(symbols, nexts, strict=True)
    )


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


def _lines(elf: Path, blocks: Sequence[Block]) -> tuple[tuple[int, str, int], ...]:
    """Rows of the DWARF line table that lie in executed code; a line of 0 ends a stretch."""
    rows: list[tuple[int, str, int]] = []
    starts = sorted((block.start, block.end) for block in blocks if block.instructions)
    if not starts:
        return ()
    lowest, highest = starts[0][0], max(end for _, end in starts)
    with elf.open("rb") as file:
        found = ELFFile(file)
        if not found.has_dwarf_info():
            return ()
        dwarf = found.get_dwarf_info()
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            if program is None:
                continue
            first_file = 0 if program.header.version >= 5 else 1
            names = [bytes(entry.name).decode(errors="replace") for entry in program.header.file_entry]
            for entry in program.get_entries():
                state = entry.state
                if state is None or not lowest <= state.address < highest:
                    continue
                name = names[state.file - first_file] if 0 <= state.file - first_file < len(names) else "?"
                rows.append((state.address, name, 0 if state.end_sequence else state.line))
    return tuple(sorted(rows, key=lambda row: (row[0], row[2] != 0)))


def save(recording: Recording, path: Path) -> None:
    counts = recording.counts
    document = {
        "format": _FORMAT,
        "board": recording.board,
        "blocks": [[b.start, b.end, b.instructions] for b in counts.blocks],
        "edges": [[e.source, e.to] for e in counts.edges],
        "edge_counts": counts.edge_counts.tolist(),
        "events": [[e.kind, e.block, e.address] for e in counts.events],
        "event_counts": counts.event_counts.tolist(),
        "code": [[start, base64.b64encode(data).decode()] for start, data in recording.code.pieces],
        "functions": [[f.name, f.start, f.end] for f in recording.functions],
        "lines": [list(line) for line in recording.lines],
    }
    path.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def load(path: Path) -> Recording:
    """Raises DataError when the file is no recording of this version."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != _FORMAT:
            what = f"{path.name!r} is a profile of format {document['format']!r}, not {_FORMAT}"
            raise DataError(what, where=str(path))
        return _recording(document)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        hint = "make one with mcusim profile"
        raise DataError(f"{path.name!r} is not a profile: {error}", where=str(path), hint=hint) from error


def _recording(document: dict) -> Recording:  # type: ignore[type-arg]
    blocks = tuple(Block(*map(int, row)) for row in document["blocks"])
    edges = tuple(Edge(*map(int, row)) for row in document["edges"])
    events = tuple(Event(*map(int, row)) for row in document["events"])
    if any(not 0 <= at < len(blocks) for edge in edges for at in (edge.source, edge.to)):
        raise ValueError("an edge of it names a block that it does not have")
    samples = len(document["edge_counts"])
    edge_counts = np.array(document["edge_counts"], np.uint64).reshape(samples, len(edges))
    event_counts = np.array(document["event_counts"], np.uint64).reshape(samples, len(events))
    return Recording(
        board=str(document["board"]),
        counts=Counts(blocks, edges, edge_counts, events, event_counts),
        code=Code([(int(start), base64.b64decode(data, validate=True)) for start, data in document["code"]]),
        functions=tuple(Function(str(name), int(start), int(end)) for name, start, end in document["functions"]),
        lines=tuple((int(address), str(name), int(line)) for address, name, line in document["lines"]),
    )
