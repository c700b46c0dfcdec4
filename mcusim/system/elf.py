"""What an ELF file says: sections, symbols, what is loaded where, and the source line of an address."""

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import DWARFError, ELFError
from elftools.construct import ConstructError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from mcusim.system.errors import BuildError
from mcusim.system.files import sha256_of

_KINDS = {"STT_FUNC": "function", "STT_OBJECT": "object", "STT_NOTYPE": "label"}
_ALLOCATED = 0x2
_HINT = "name the .elf or .axf file that the linker wrote, not a .bin or .hex made of it; was it copied whole?"
_DAMAGED: tuple[type[Exception], ...] = (
    *(ELFError, ConstructError, DWARFError, struct.error, zlib.error, OSError, ValueError, OverflowError),
    *(LookupError, TypeError, AttributeError, AssertionError, RecursionError, MemoryError),
)


@dataclass(frozen=True)
class Symbol:
    """`address` is that of the first byte (without the Thumb bit); `kind` is function, object or label."""

    address: int
    size: int
    kind: str
    section: str


@dataclass(frozen=True)
class ElfFile:
    """`sections` that take memory: their bytes by name. `loaded`: the (address, bytes) that flashing writes."""

    sections: Mapping[str, int]
    symbols: Mapping[str, Symbol]
    loaded: tuple[tuple[int, int], ...]
    sha256: str


@contextmanager
def reading(path: Path) -> Iterator[ELFFile]:
    """An open ELF file. Raises BuildError when it is none, or damaged where it is read.

    pyelftools was written for good files: of damaged ones it raises whatever comes to its mind.
    """
    try:
        if not path.exists():
            raise BuildError(f"there is no {path.name!r}", where=str(path), hint="was it built, and into that folder?")
        if not path.is_file():  # a pipe is never at its end, a device may do something when it is read
            raise OSError("it is a folder, a pipe or a device")
        with path.open("rb") as file:
            yield ELFFile(file)
    except _DAMAGED as error:
        reason = str(error) or "it is damaged"
        what = f"{path.name!r} is not a readable ELF file: {reason}"
        raise BuildError(what, where=str(path), hint=_HINT) from error


def read_elf(path: Path) -> ElfFile:
    """Reads an ELF file. Raises BuildError when it is none."""
    with reading(path) as elf:
        sections = {s.name: int(s["sh_size"]) for s in elf.iter_sections() if s["sh_flags"] & _ALLOCATED}
        segments = (s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"])
        loaded = tuple((int(s["p_paddr"]), int(s["p_filesz"])) for s in segments)
        return ElfFile(sections, _symbols(elf), loaded, sha256_of(path))


def _symbols(elf: ELFFile) -> dict[str, Symbol]:
    """Named symbols of allocated sections. Where a name occurs twice (two files), the global one is meant, the last."""
    table = elf.get_section_by_name(".symtab")
    found: dict[str, Symbol] = {}
    if not isinstance(table, SymbolTableSection):
        return {}
    for entry in table.iter_symbols():
        kind = _KINDS.get(entry["st_info"]["type"])
        if not entry.name or entry.name.startswith("$") or kind is None or not isinstance(entry["st_shndx"], int):
            continue
        address = int(entry["st_value"])
        if kind == "function" and elf["e_machine"] == "EM_ARM":
            address &= ~1
        section = elf.get_section(entry["st_shndx"]).name
        found[entry.name] = Symbol(address, int(entry["st_size"]), kind, section)
    return dict(sorted(found.items(), key=lambda item: item[1].address))


def read_code(path: Path, sections: tuple[str, ...]) -> tuple[tuple[int, bytes], ...]:
    """(address, contents) of those of `sections` that the file has."""
    with reading(path) as elf:
        found = (elf.get_section_by_name(name) for name in sections)
        return tuple((int(s["sh_addr"]), bytes(s.data())) for s in found if s is not None)
