"""ELF file + executed blocks -> names and lines of the source: every function by its own name, C++ as it is written."""

import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from elftools.elf.elffile import ELFFile

from mcusim.engines.counts import NO_FUNCTION, Block, Counts
from mcusim.system.demangle import demangled
from mcusim.system.elf import reading
from mcusim.system.elf_code import CodeSymbol, read_functions
from mcusim.system.errors import BuildError
from mcusim.system.names import printable

_LONGEST_NAME = 500
_MOST_DEBUG_BYTES, _MOST_LINE_BYTES = 1 << 29, 1 << 26  # unpacked: more is no firmware, but a bomb
_MOST_PACKED = 1032  # bytes that zlib makes of one at most
_MOST_LINES = 6_000_000


@dataclass(frozen=True)
class Function:
    """Addresses from `start` up to, not including, `end`."""

    name: str
    start: int
    end: int


def functions_of(elf: Path, counts: Counts) -> tuple[Function, ...]:
    """By address. Two of one name are told apart by their file, or by their address.

    A call to where there is no symbol is a function by its address. Raises BuildError for what is no ELF file.
    """
    symbols = _with_nameless(read_functions(elf), counts)
    starts = [symbol.start for symbol in symbols]
    executed = {bisect.bisect_right(starts, block.start) - 1 for block in counts.blocks if block.instructions}
    written = demangled([symbols[at].name for at in sorted(executed) if at >= 0])
    named = [replace(symbol, name=written.get(symbol.name, symbol.name)) for symbol in symbols]
    return tuple(Function(name, s.start, s.end) for name, s in zip(_told_apart(named), named, strict=True))


def _with_nameless(symbols: Sequence[CodeSymbol], counts: Counts) -> Sequence[CodeSymbol]:
    called = {node.function for node in counts.tree.nodes} - {NO_FUNCTION} if counts.tree else set()
    starts = [symbol.start for symbol in symbols]
    ends = [block.end for block in counts.blocks if block.instructions]
    nameless = []
    for address in called:
        at = bisect.bisect_right(starts, address)
        if at == 0 or symbols[at - 1].end <= address:
            following = starts[at] if at < len(starts) else max(ends, default=address + 2)
            nameless.append(CodeSymbol(f"0x{address:08x}", address, max(following, address + 2)))
    return _cut(sorted([*symbols, *nameless], key=lambda symbol: symbol.start))


def _cut(symbols: Sequence[CodeSymbol]) -> Sequence[CodeSymbol]:
    """Nameless ones end where the next begins."""
    nexts = [*(symbol.start for symbol in symbols), 1 << 32][1:]
    return [
        replace(symbol, end=min(symbol.end, following)) if symbol.name.startswith("0x") else symbol
        for symbol, following in zip(symbols, nexts, strict=True)
    ]


def _told_apart(symbols: Sequence[CodeSymbol]) -> list[str]:
    plain = [printable(symbol.name)[:_LONGEST_NAME] for symbol in symbols]
    times = Counter(plain)
    names = [
        f"{name} ({printable(symbol.file)})" if times[name] > 1 and symbol.file else name
        for name, symbol in zip(plain, symbols, strict=True)
    ]
    times = Counter(names)
    return [
        f"{name} (0x{symbol.start:08x})" if times[name] > 1 else name
        for name, symbol in zip(names, symbols, strict=True)
    ]


@dataclass(frozen=True)
class Lines:
    """`rows`: (address, file, line) where that changes; a line of 0 ends a stretch. `problem`: why there are none."""

    rows: tuple[tuple[int, str, int], ...] = ()
    problem: str = ""


def lines_of(elf: Path, blocks: Sequence[Block]) -> Lines:
    """Rows of the DWARF line table that lie in executed code. Damaged ones are none: they price nothing.

    Raises BuildError for what is no ELF file.
    """
    starts = sorted((block.start, block.end) for block in blocks if block.instructions)
    if not starts:
        return Lines()
    try:
        return Lines(_rows(elf, starts[0][0], max(end for _, end in starts)))
    except BuildError as error:
        with reading(elf):  # what cannot be opened is no ELF file; else only its lines are damaged
            pass
        return Lines(problem=printable(error.what.partition(" file: ")[2])[:200] or "damaged")


def _rows(elf: Path, lowest: int, highest: int) -> tuple[tuple[int, str, int], ...]:
    rows: list[tuple[int, str, int]] = []
    read = 0
    with reading(elf) as found:
        if not found.has_dwarf_info():
            return ()
        _demand_bounded(found)
        dwarf = found.get_dwarf_info(relocate_dwarf_sections=False, follow_links=False)
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            if program is None:
                continue
            first_file = 0 if program.header.version >= 5 else 1
            names = [printable(bytes(entry.name).decode(errors="replace")) for entry in program.header.file_entry]
            for entry in program.get_entries():
                state, read = entry.state, read + 1
                if read > _MOST_LINES:
                    raise ValueError(f"it has more than {_MOST_LINES} lines")
                if state is None or not lowest <= state.address < highest:
                    continue
                name = names[state.file - first_file] if 0 <= state.file - first_file < len(names) else "?"
                rows.append((state.address, name, 0 if state.end_sequence else state.line))
    return tuple(sorted(rows, key=lambda row: (row[0], row[2] != 0)))


def _demand_bounded(elf: ELFFile) -> None:
    """A packed section may be a bomb. Those of old (.zdebug) do not even have to tell how long they are unpacked."""
    for section in elf.iter_sections():
        packed = section.name.startswith(".zdebug")
        size = int(section.data_size) * (_MOST_PACKED if packed else 1)
        if section.name.startswith(".debug") or packed:
            limit = _MOST_LINE_BYTES if section.name.endswith("debug_line") else _MOST_DEBUG_BYTES
            if size > limit:
                raise ValueError(f"{section.name} may have {size >> 20} MiB unpacked")
