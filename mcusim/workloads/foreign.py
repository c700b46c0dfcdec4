"""Somebody else's firmware: an ELF file for a board, which reads what it reads. Calls of one function are measured."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mcusim.boards.board import Board
from mcusim.engines.engine import Facts
from mcusim.system.demangle import demangled
from mcusim.system.elf import ElfFile, read_elf, reading
from mcusim.system.elf_code import CodeSymbol, named_functions
from mcusim.system.errors import ConfigurationError, EngineError, suggestion
from mcusim.system.image import Image

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{1,8}")
_PLACES_SHOWN = 6
_NAMES_COMPARED = 20_000


@dataclass(frozen=True)
class ForeignElf:
    """`start`: the function that is called; `end`: where measuring ends, None for where the call returns.

    Both are names, as the linker or C++ spells them, ``file.c:name`` where several files have one, or addresses.
    """

    NAME: ClassVar[str] = "foreign"
    elf: Path
    start: str
    end: str | None = None

    def image(self, facts: Facts, board: Board | None, folder: Path) -> Image:
        """The file itself.

        Raises BuildError for no ELF file, ConfigurationError for one that is for another core and for an unknown name,
        EngineError where only our own can run.
        """
        if not facts.foreign or board is None:
            what = f"engine {facts.name!r} runs no firmware but that of mcusim"
            raise EngineError(what, where=str(self.elf), hint="mcusim engines tells which one does")
        file = read_elf(self.elf)
        start, end = self.demand_places()
        return Image(
            elf=self.elf.absolute(),
            board=board.name,
            entry=start,
            leave=end,
            input_bytes=0,
            output_bytes=0,
            sections=file.sections,
            symbols=file.symbols,
        )

    def demand_places(self) -> tuple[int, int | None]:
        """The addresses of `start` and `end`. Raises BuildError or ConfigurationError as `image` does."""
        file = read_elf(self.elf)
        self._demand_firmware()
        functions = named_functions(self.elf)
        end = self._address(self.end, file, functions, "--to") if self.end else None
        return self._address(self.start, file, functions, "--from"), end

    def _demand_firmware(self) -> None:
        with reading(self.elf) as elf:
            machine, kind = str(elf["e_machine"]), str(elf["e_type"])
            little, bits = elf.little_endian, elf.elfclass
        wrong = ""
        if machine != "EM_ARM" or bits != 32 or not little:
            wrong = f"is for {machine.removeprefix('EM_')}, {bits} bit, {'little' if little else 'big'}-endian"
            hint = "build it with arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb"
        elif kind != "ET_EXEC":
            kinds = {"ET_REL": "an object file that was not linked", "ET_DYN": "position independent (PIE)"}
            wrong = f"is {kinds.get(kind, 'no program')}"
            hint = "give the file that the linker wrote, with fixed addresses (-no-pie)"
        if wrong:
            what = f"{self.elf.name!r} {wrong}: no firmware for a Cortex-M4"
            raise ConfigurationError(what, where=str(self.elf), hint=hint)

    def _address(self, name: str, file: ElfFile, functions: Sequence[CodeSymbol], option: str) -> int:
        if _ADDRESS.fullmatch(name):
            return int(name, 16) & ~1
        found = {(f.start, f.file) for f in functions if name in (f.name, f"{f.file}:{f.name}")}
        if not found and name in file.symbols:  # a label
            return file.symbols[name].address & ~1
        if not found:
            found = _otherwise_spelled(name, functions)
        addresses = sorted({address for address, _ in found})
        if len(addresses) == 1:
            return addresses[0]
        if addresses:
            raise self._ambiguous(name, sorted(found), option)
        raise self._unknown(name, functions, option)

    def _ambiguous(self, name: str, found: list[tuple[int, str]], option: str) -> ConfigurationError:
        shown = [f"0x{address:08x}" + (f" ({file})" if file else "") for address, file in found[:_PLACES_SHOWN]]
        more = f" and {len(found) - _PLACES_SHOWN} more" if len(found) > _PLACES_SHOWN else ""
        what = f"{self.elf.name!r} has {len(found)} functions {name!r}: {', '.join(shown)}{more}"
        return ConfigurationError(what, where=str(self.elf), hint=f"name one by its address: {option} {shown[0][:10]}")

    def _unknown(self, name: str, functions: Sequence[CodeSymbol], option: str) -> ConfigurationError:
        where = str(self.elf)
        if not functions:
            hint = f"give an address: {option} 0x08000123; names are in an ELF file linked without -s, and not stripped"
            return ConfigurationError(f"{self.elf.name!r} has no symbols, so none is {name!r}", where=where, hint=hint)
        hint = suggestion(name, [function.name for function in functions[:_NAMES_COMPARED]])
        if not hint.startswith("did you mean"):
            hint = f"name one of its {len(functions):,} functions, for example {option} {functions[0].name}"
        return ConfigurationError(f"{self.elf.name!r} has no symbol {name!r}", where=where, hint=hint)


def _otherwise_spelled(name: str, functions: Sequence[CodeSymbol]) -> set[tuple[int, str]]:
    """Functions of C++ of that name, with its parameters or without, and what the compiler made of one (clones)."""
    written = demangled([function.name for function in functions])
    found = set()
    for function in functions:
        full = written.get(function.name, function.name)
        whole = full.partition(" [clone")[0]
        if name in (full, whole, whole.partition("(")[0], function.name.partition(".")[0]):
            found.add((function.start, full))
    return found
