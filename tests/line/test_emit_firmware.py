"""Whole firmware sources: what goes in, and memory protection that allows exactly what the map has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.boards.board import MemoryMap
from mcusim.boards.chip import Region
from mcusim.boards.load import board_names, load_board
from mcusim.line.emit_firmware import MpuRegion, emit_firmware, emit_for, emit_host, memory_protection
from mcusim.line.sources import Sources
from mcusim.system.errors import ConfigurationError

LIBRARY = Sources({"model.c": "", "model.h": ""})


def test_parts() -> None:
    board = load_board("nucleo_l452re_p")
    firmware = emit_firmware(LIBRARY, board, board.memory)
    host = emit_host(LIBRARY)
    assert {"model.c", "linker.ld", "harness/startup.c", "harness/transport_semihosting.c"} <= set(firmware.files)
    assert "harness/transport_stdio.c" in host.files and "linker.ld" not in host.files
    assert firmware.files["harness/main.c"] == host.files["harness/main.c"]  # the same loop everywhere
    assert emit_for("host", LIBRARY, board) == host and emit_for("qemu", LIBRARY, board) == firmware


def test_a_library_may_not_replace_the_harness() -> None:
    with pytest.raises(ValueError, match="in both sets"):
        emit_host(Sources({"harness/main.c": ""}))


def test_linker_script_follows_the_map() -> None:
    edge = load_board("sparkfun_edge")
    real, emulated = (emit_for(engine, LIBRARY, edge).files["linker.ld"] for engine in ("board", "qemu"))
    assert "flash (rx) : ORIGIN = 0x0000C000, LENGTH = 999424" in real and real.count("ORIGIN = 0x10000000") == 1
    assert "ORIGIN = 0x20000000, LENGTH = 393216" in emulated and ".reset :" in emulated and ".reset :" not in real


def block(region: MpuRegion) -> Region:
    """Decodes the SIZE field of MPU_RASR."""
    return Region(origin=region.base, size_bytes=2 << (region.attributes >> 1 & 31))


def allowed(regions: tuple[MpuRegion, ...], address: int) -> str:
    """What the last (highest) region around an address allows, as an MPU decides it."""
    for region in reversed(regions):
        if block(region).origin <= address < block(region).end:
            access = {0: "", 3: "rw", 6: "r"}[region.attributes >> 24 & 7]
            return access + ("" if region.attributes >> 28 & 1 else "x")
    raise AssertionError("an address without a region: Renode lets privileged code go there")


@pytest.mark.parametrize("name", board_names())
@pytest.mark.parametrize("engine", ["qemu", "board"])
def test_protection_of_the_boards(name: str, engine: str) -> None:
    board = load_board(name)
    memory = board.memory_for(engine)
    regions = memory_protection(memory)
    for address, access in (
        (memory.flash.origin, "rx"),
        (memory.flash.end - 1, "rx"),
        (memory.ram.origin, "rw"),
        (memory.ram.end - 1, "rw"),
        (memory.ram.origin - 1, ""),  # where an overflowing stack goes
        (memory.ram.end, ""),
        (0x40000000, "rw"),
        (0x60000000, ""),
        (0xE000E000, "rw"),
        (0xE0100000, ""),
        (0xFFFFFFFF, ""),
    ):
        assert allowed(regions, address) == access, hex(address)


@given(st.integers(0, 1 << 18), st.integers(1, 1 << 12))
def test_protection_is_exact_or_refused(origin_kib: int, size_kib: int) -> None:
    ram = Region(origin=0x10000000 + origin_kib * 1024, size_bytes=size_kib * 1024)
    memory = MemoryMap(flash=Region(origin=0, size_bytes=1 << 20), ram=ram, stack_bytes=512)
    try:
        regions = memory_protection(memory)
    except ConfigurationError as error:
        assert "takes" in error.what and error.hint
        return
    assert len(regions) <= 8
    for region in regions:
        assert block(region).origin % block(region).size_bytes == 0 and block(region).size_bytes >= 32
    for address in (ram.origin, ram.origin + ram.size_bytes // 2, ram.end - 1):
        assert allowed(regions, address) == "rw"
    for address in (ram.origin - 1, ram.end):
        assert allowed(regions, address) == ""
