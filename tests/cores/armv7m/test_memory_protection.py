"""Memory protection that allows exactly what the map has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.boards.board import MemoryMap
from mcusim.boards.chip import Region
from mcusim.boards.load import board_names
from mcusim.cores.armv7m.memory_protection import MpuRegion, mpu_regions
from mcusim.engines import ENGINES
from mcusim.system.errors import ConfigurationError
from tests.every_board import board_with


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
@pytest.mark.parametrize("engine", ["qemu", "renode"])
def test_protection_of_the_boards(name: str, engine: str) -> None:
    memory_map = ENGINES[engine].FACTS.memory_map
    assert memory_map is not None
    memory = memory_map(board_with(name, engine))
    regions = mpu_regions(memory)
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
        *(((memory.code_ram.origin, "rx"), (memory.code_ram.end, "")) if memory.code_ram else ()),
    ):
        assert allowed(regions, address) == access, hex(address)


@given(st.integers(0, 1 << 18), st.integers(1, 1 << 12))
def test_protection_is_exact_or_refused(origin_kib: int, size_kib: int) -> None:
    ram = Region(origin=0x10000000 + origin_kib * 1024, size_bytes=size_kib * 1024)
    memory = MemoryMap(flash=Region(origin=0, size_bytes=1 << 20), ram=ram, stack_bytes=512)
    try:
        regions = mpu_regions(memory)
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


@pytest.mark.parametrize("start_kib", [0, 16, 560, 1600])
def test_all_of_a_flash_is_allowed_wherever_an_application_begins(start_kib: int) -> None:
    """And code in RAM at address 0, which is aligned to everything."""
    flash = Region(origin=0x08000000 + start_kib * 1024, size_bytes=528 * 1024)
    ram, code_ram = Region(origin=0x20000000, size_bytes=1 << 16), Region(origin=0, size_bytes=48 << 10)
    regions = mpu_regions(MemoryMap(flash=flash, ram=ram, code_ram=code_ram, stack_bytes=512))
    for region in (flash, code_ram):
        assert {allowed(regions, at) for at in (region.origin, region.end - 1)} == {"rx"}
    assert allowed(regions, code_ram.end) == ""
