"""Memory map -> the regions of an Armv7-M memory protection unit, and the header that start-up code takes them from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mcusim.boards.board import MemoryMap
from mcusim.boards.chip import Region
from mcusim.system.errors import ConfigurationError
from mcusim.system.templates import render

# MPU_RASR of the Armv7-M Architecture Reference Manual, B3.5.9. Memory types are those of the default memory map
# (B3.1), so that the core buffers and orders accesses as it does without protection.
_ENABLE = 1
_EXECUTE_NEVER = 1 << 28
_READ_WRITE, _READ_ONLY = 3 << 24, 6 << 24
_WRITE_THROUGH, _WRITE_BACK, _DEVICE = 1 << 17, 1 << 19 | 1 << 17 | 1 << 16, 1 << 16
_DEFAULT_SRAM_ORIGIN = 0x20000000  # normal memory below this is write-through, above write-back
_PERIPHERALS = Region(origin=0x40000000, size_bytes=0x20000000)
_SYSTEM = Region(origin=0xE0000000, size_bytes=0x100000)
_EVERYTHING = Region(origin=0, size_bytes=1 << 32)
_MPU_REGIONS = 8


@dataclass(frozen=True)
class MpuRegion:
    base: int
    attributes: int
    what: str


def memory_protection(memory: MemoryMap, board: str) -> Mapping[str, str]:
    """See `Core.memory_protection`."""
    return {"memory_protection.h": render("memory_protection.h.j2", board=board, regions=mpu_regions(memory))}


def mpu_regions(memory: MemoryMap) -> tuple[MpuRegion, ...]:
    """The MPU regions that allow what a firmware may do; a later one goes before an earlier one.

    Flash and code in RAM cannot be written, other RAM not executed, and an access elsewhere is a fault on every engine:
    also on QEMU machines that answer 0 from a hole, and in Renode, which lets privileged code go where no region is.
    Where an overflowing stack goes, below RAM, is such an elsewhere.
    """
    code = _READ_ONLY | _WRITE_THROUGH
    ram_type = _WRITE_THROUGH if memory.ram.origin < _DEFAULT_SRAM_ORIGIN else _WRITE_BACK
    allowed = (
        ("everything else: nothing", [_EVERYTHING], _EXECUTE_NEVER),
        ("flash: read, execute", [_smallest_block(memory.flash)], code),
        ("ram: read, write", list(_exact_blocks(memory.ram)), _READ_WRITE | _EXECUTE_NEVER | ram_type),
        ("code in ram: read, execute", list(_exact_blocks(memory.code_ram)) if memory.code_ram else [], code),
        ("peripherals: read, write", [_PERIPHERALS], _READ_WRITE | _EXECUTE_NEVER | _DEVICE),
        ("system: read, write", [_SYSTEM], _READ_WRITE | _EXECUTE_NEVER | _DEVICE),
    )
    regions = tuple(
        MpuRegion(block.origin, flags | (block.size_bytes.bit_length() - 2) << 1 | _ENABLE, what)  # 2**(SIZE + 1) bytes
        for what, blocks, flags in allowed
        for block in blocks
    )
    if len(regions) > _MPU_REGIONS:
        code_ram = f" and code_ram ({memory.code_ram})" if memory.code_ram else ""
        what = f"memory protection of ram ({memory.ram}){code_ram} takes {len(regions)} regions"
        what += f", the core has {_MPU_REGIONS}"
        hint = "choose a size that is the sum of few powers of two, as 98304 = 65536 + 32768"
        raise ConfigurationError(what, hint=hint)
    return regions


def _exact_blocks(region: Region) -> Iterator[Region]:
    """Cuts `region` into blocks that an MPU can describe: a power of two long, aligned to their length."""
    origin = region.origin
    while origin < region.end:
        size = 1 << (region.end - origin).bit_length() - 1
        if origin:
            size = min(size, origin & -origin)
        yield Region(origin=origin, size_bytes=size)
        origin += size


def _smallest_block(region: Region) -> Region:
    """The smallest such block around `region`. Below an application lies the boot loader, which is harmless to read."""
    size = 1 << (region.size_bytes - 1).bit_length()
    while region.origin // size * size + size < region.end:
        size *= 2
    return Region(origin=region.origin // size * size, size_bytes=size)
