"""ELF file -> its functions, every one by address, and the vectors that the core begins with."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from mcusim.system.elf import reading

_Row = tuple[int, int, str, str]  # address, size, name, source file of a local one
_LAST_ADDRESS = 1 << 32
_FIRST_VECTORS = 2  # stack, reset: without them nothing begins


@dataclass(frozen=True)
class CodeSymbol:
    """Addresses from `start` up to, not including, `end`. `file`: the source, where the name is only known in there."""

    name: str
    start: int
    end: int
    file: str = ""


def read_functions(path: Path) -> tuple[CodeSymbol, ...]:
    """One at each address, ascending: of several names a global one, of these the longest function.

    One without a size (hand-written assembly) ends where the next one begins. Raises BuildError for no ELF file.
    """
    ordered = sorted(_functions(path), key=lambda one: (one[0], one[3] == "", one[1], one[2]))
    found = list({address: (address, size, name, file) for address, size, name, file in ordered}.values())
    nexts = [*(address for address, *_ in found), _LAST_ADDRESS][1:]
    return tuple(
        CodeSymbol(name, address, min(address + size, _LAST_ADDRESS) if size else following, file)
        for (address, size, name, file), following in zip(found, nexts, strict=True)
    )


def named_functions(path: Path) -> Sequence[CodeSymbol]:
    """All that have a name, aliases too, in the order of the file. Raises BuildError for no ELF file."""
    return [CodeSymbol(name, address, address + size, file) for address, size, name, file in _functions(path)]


def _functions(path: Path) -> Sequence[_Row]:
    """A large file has 100,000 symbols, which several ask for."""
    with reading(path):
        found = path.stat()
    return _kept(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=2)
def _kept(path: Path, size: int, changed_ns: int) -> Sequence[_Row]:
    with reading(path) as elf:
        return tuple(_rows(elf))


def _rows(elf: ELFFile) -> Iterator[_Row]:
    table = elf.get_section_by_name(".symtab")
    file = ""
    for entry in table.iter_symbols() if isinstance(table, SymbolTableSection) else ():
        kind, binding = entry["st_info"]["type"], entry["st_info"]["bind"]
        if kind == "STT_FILE":
            file = entry.name
        elif kind == "STT_FUNC" and entry.name and isinstance(entry["st_shndx"], int):
            address = int(entry["st_value"]) & ~1 if elf["e_machine"] == "EM_ARM" else int(entry["st_value"])
            yield address, int(entry["st_size"]), entry.name, file if binding == "STB_LOCAL" else ""


@dataclass(frozen=True)
class Vectors:
    """The stack pointer after a reset, and the addresses of the handlers of exceptions, without that of the reset."""

    stack: int
    handlers: frozenset[int]


def read_vectors(path: Path, address: int, count: int) -> Vectors:
    """The `count` words at `address`, as far as the file has them. Raises BuildError for what is no ELF file."""
    data = read_bytes(path, address, 4 * count)
    words = struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])
    if len(words) < _FIRST_VECTORS:
        return Vectors(0, frozenset())
    return Vectors(words[0], frozenset(word & ~1 for word in words[2:] if word & 1) - {words[1] & ~1})


def read_bytes(path: Path, address: int, size: int) -> bytes:
    """Of what is loaded at `address`, at most `size`. Raises BuildError for what is no ELF file."""
    with reading(path) as elf:
        for segment in elf.iter_segments():
            origin, length = int(segment["p_paddr"]), int(segment["p_filesz"])
            if segment["p_type"] == "PT_LOAD" and origin <= address < origin + length:
                elf.stream.seek(int(segment["p_offset"]) + address - origin)
                return bytes(elf.stream.read(min(size, origin + length - address)))
    return b""
