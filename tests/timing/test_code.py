"""Bytes of a firmware by address."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mcusim.engines.counts import Block
from mcusim.system.toolchain import find_arm_tool
from mcusim.timing.code import Code

CODE = Code([(0x2000, bytes.fromhex("0133")), (0x1000, bytes.fromhex("01300131"))])


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (0x1000, 0x1004, "01300131"),
        (0x1002, 0x1004, "0131"),
        (0x2000, 0x2002, "0133"),
        (0x1002, 0x1006, None),
        (0x1004, 0x1006, None),
        (0x0FFE, 0x1002, None),
        (0x1000, 0x2002, None),
    ],
)
def test_bytes_are_wholly_inside_one_piece(start: int, end: int, found: str | None) -> None:
    assert CODE.bytes_of(start, end) == (None if found is None else bytes.fromhex(found))


def test_pieces_are_in_order() -> None:
    assert [start for start, _ in CODE.pieces] == [0x1000, 0x2000]


def test_instructions_of_a_block() -> None:
    assert [insn.address for insn in CODE.instructions(Block(0x1000, 0x1004, 2))] == [0x1000, 0x1002]
    assert [insn.address for insn in CODE.instructions(Block(0x1002, 0x1004, 1))] == [0x1002]
    assert CODE.instructions(Block(0x1000, 0x1000, 0)) == ()  # everything outside the markers
    assert CODE.instructions(Block(0x3000, 0x3004, 2)) == ()


PROGRAM = """
    .cpu cortex-m4
    .thumb
    .section .flash, "ax"
    bx lr
    .section .copied, "ax"
    nop
    .section .numbers, "a"
    .word 1
"""
LINKED = """
SECTIONS {
    .flash 0x08000000 : { *(.flash) }
    .copied 0x20000000 : AT(0x08000100) { *(.copied) }
    .numbers 0x08001000 : { *(.numbers) }
    /DISCARD/ : { *(*) }
}
"""


@pytest.mark.arm
def test_only_what_is_executed_where_it_was_loaded(tmp_path: Path) -> None:
    """Neither what start-up copies to RAM, which may have changed there, nor data."""
    (tmp_path / "a.s").write_text(PROGRAM)
    (tmp_path / "a.ld").write_text(LINKED)
    options = ["-nostdlib", "-mcpu=cortex-m4", "-mthumb", "-Wl,-T,a.ld", "-Wl,-e,0x08000001", "-Wl,-n"]
    subprocess.run([find_arm_tool("gcc"), *options, "a.s", "-o", "a.elf"], cwd=tmp_path, check=True)
    assert [(start, data.hex()) for start, data in Code.of_elf(tmp_path / "a.elf").pieces] == [(0x08000000, "7047")]
