"""A board: where its firmware lies, for itself and for an engine that has other memory."""

from __future__ import annotations

import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board


def test_only_ram_moves_for_qemu() -> None:
    nucleo, edge = load_board("nucleo_l452re_p"), load_board("sparkfun_edge")
    assert nucleo.qemu is not None
    there = nucleo.qemu.memory_map(nucleo.memory)
    assert there.model_copy(update={"code_ram": nucleo.memory.code_ram}) == nucleo.memory
    assert there.code_ram and nucleo.memory.code_ram and there.code_ram.origin != nucleo.memory.code_ram.origin
    assert there.code_ram.size_bytes == nucleo.memory.code_ram.size_bytes
    assert not any(there.code_ram.overlaps(region) for region in (there.flash, there.ram))
    assert edge.qemu is not None
    moved = edge.qemu.memory_map(edge.memory)
    assert moved.flash == edge.memory.flash and moved.ram.size_bytes == edge.memory.ram.size_bytes
    assert (moved.ram.origin, moved.reset_at) == (0x20000000, 0)
    assert edge.qemu is not None and edge.qemu.note is not None and "0x20000000" in edge.qemu.note


def test_boards_are_frozen() -> None:
    board: Board = load_board("sparkfun_edge")
    with pytest.raises(ValueError, match="frozen"):
        board.clock_hz = 1
