"""Addresses in a firmware -> functions and lines, as an error names them."""

import bisect
from pathlib import Path, PurePosixPath

from mcusim.boards.board import Board
from mcusim.boards.chip import Region
from mcusim.engines.glimpse import Glimpse
from mcusim.system.command import run
from mcusim.system.elf_code import CodeSymbol, read_bytes, read_functions
from mcusim.system.errors import McusimError
from mcusim.system.toolchain import find_arm_tool


class Places:
    """Names of addresses in an ELF file."""

    def __init__(self, elf: Path) -> None:
        self._elf = elf
        self._functions = read_functions(elf)

    def code(self, address: int, size: int) -> bytes:
        return read_bytes(self._elf, address, size)

    def on_stack(self, instruction: int, seen: Glimpse) -> bool:
        """Is it in the function that runs, or in one that called it? Else it is an interrupt's."""
        found = self._function(instruction)
        return found is None or found in {self._function(at) for at in (seen.pc, *seen.frames)}

    def _function(self, address: int) -> CodeSymbol | None:
        at = bisect.bisect_right(self._functions, address, key=lambda function: function.start) - 1
        return self._functions[at] if at >= 0 and address < self._functions[at].end else None

    def name(self, address: int) -> str:
        found = self._function(address)
        return repr(found.name) if found else f"0x{address:08x}"

    def line(self, address: int) -> str:
        """``'wait' (rcc.c:12)``, as far as it is known."""
        try:
            command = [find_arm_tool("addr2line"), "-f", "-C", "-e", str(self._elf), hex(address)]
            said = run(command, timeout_s=20).stdout.splitlines()
        except McusimError:
            return self.name(address)
        path, _, number = (said[1] if len(said) > 1 else "").split(" (")[0].rpartition(":")
        name = repr(said[0]) if said and said[0] != "??" else self.name(address)
        return f"{name} ({PurePosixPath(path).name}:{number})" if number.isdigit() and number != "0" else name


def region_name(board: Board, address: int) -> str:
    """`` (sram2)``: what the chip has there; empty when nothing is known."""
    places: list[tuple[str, Region]] = [*board.chip.memory.items(), *board.chip.peripherals.items()]
    return next((f" ({name})" for name, place in places if place.origin <= address < place.end), "")
