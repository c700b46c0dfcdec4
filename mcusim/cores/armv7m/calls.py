"""Thumb code: where an address is in the source; who called, guessed from what lies on the stack."""

import re
import struct
from collections.abc import Sequence

from mcusim.cores import source_lines
from mcusim.cores.source_lines import CODE_SECTIONS, function_at
from mcusim.system.elf import read_code
from mcusim.system.image import Image
from mcusim.system.toolchain import find_arm_tool

_CALLERS_SHOWN = 4


def locate(image: Image, address: int) -> str:
    return source_lines.locate(image, address, find_arm_tool)


def callers(image: Image, stack: Sequence[int]) -> list[int]:
    """Addresses of calls, innermost first, guessed from what lies on the stack.

    A word counts as a return address when it is odd (Thumb), points into the code, and follows a call there. An old one
    that a function left lying in its frame is taken for one too: a hint, as every back-trace without frame pointers.
    """
    code = read_code(image.elf, CODE_SECTIONS)
    found = (_call_before(code, word & ~1) for word in stack if word & 1)
    return [address for address in found if address is not None][:_CALLERS_SHOWN]


def _call_before(code: Sequence[tuple[int, bytes]], address: int) -> int | None:
    """Address of the BL or BLX that ends at `address`, if one does."""
    if _is_bl(_halfwords(code, address - 4)):
        return address - 4
    return address - 2 if _halfwords(code, address - 4)[1] & 0xFF87 == 0x4780 else None  # BLX register


def called_function(image: Image, call: int) -> str | None:
    """Name of the function that the BL at `call` goes to; None for a call through a register."""
    halfwords = _halfwords(read_code(image.elf, CODE_SECTIONS), call)
    return function_at(image, _branch_target(call, *halfwords)) if _is_bl(halfwords) else None


def _halfwords(code: Sequence[tuple[int, bytes]], address: int) -> tuple[int, int]:
    for start, content in code:
        if start <= address <= start + len(content) - 4:
            first, second = struct.unpack_from("<HH", content, address - start)
            return first, second
    return 0, 0


def _is_bl(halfwords: tuple[int, int]) -> bool:
    return halfwords[0] & 0xF800 == 0xF000 and halfwords[1] & 0xD000 == 0xD000


def _branch_target(address: int, first: int, second: int) -> int:
    """Target of a BL, encoding T1: S:I1:I2:imm10:imm11:0 relative to the address + 4."""
    sign = first >> 10 & 1
    i1, i2 = 1 ^ (second >> 13 & 1) ^ sign, 1 ^ (second >> 11 & 1) ^ sign
    offset = i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    return (address + 4 + offset - (sign << 24)) & 0xFFFFFFFF


def program_counter(dump: str) -> int | None:
    """R15 of a register dump as QEMU prints it."""
    found = re.findall(r"\bR15=([0-9a-f]{8})\b", dump)
    return int(found[-1], 16) if found else None
