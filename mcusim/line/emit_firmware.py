"""Library + Board -> Sources of a whole firmware: the library, the harness, linker script and memory protection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import jinja2

from mcusim.boards.board import Board, MemoryMap
from mcusim.boards.chip import Region
from mcusim.line.c_text import number_lines, plain_comment
from mcusim.line.sources import Sources
from mcusim.system.arrays import Array
from mcusim.system.assets import CODEGEN
from mcusim.system.errors import ConfigurationError

_ON_BOARD = ("main.c", "harness.h", "infer.c", "startup.c", "fault.c", "fault.h", "transport.h", "mailbox.h")
_ON_HOST = ("main.c", "harness.h", "infer.c", "fault.h", "transport.h", "transport_stdio.c")

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

# How a firmware that an engine runs gets its samples: codegen/harness/transport_<name>.c.
_TRANSPORTS = {"qemu": "semihosting", "renode": "mailbox", "board": "mailbox"}


@dataclass(frozen=True)
class MpuRegion:
    base: int
    attributes: int
    what: str


def emit_firmware(library: Sources, board: Board, memory: MemoryMap, transport: str = "semihosting") -> Sources:
    """`library` (the model's C) with everything a firmware for `board` needs around it.

    `memory` is `board.memory_for(engine)`; `transport` names a `codegen/harness/transport_<name>.c`. That of QEMU sets
    no register of the board, whose place is taken by another machine.
    """
    in_qemu = transport == "semihosting"
    harness = _harness((*_ON_BOARD, f"transport_{transport}.c"))
    values = {"board": board.name, "memory": memory, "regions": memory_protection(memory)}
    registers = {"start_up": () if in_qemu else board.start_up, "console": None if in_qemu else board.console}
    generated = {
        "linker.ld": _render("linker.ld.j2", values),
        "harness/memory_protection.h": _render("memory_protection.h.j2", values),
        "harness/board.h": _render("board.h.j2", values | registers),
    }
    return library.merged(Sources({**harness, **generated}))


def emit_console(library: Sources, board: Board, samples: Array, what: str) -> Sources:
    """A firmware for `board` that shows on its console what the model makes of `samples` (N, inputs), raw numbers.

    `what` names them in a comment. Raises ConfigurationError for a board without a console.
    """
    if board.console is None:
        raise ConfigurationError(f"board {board.name!r} names no console", hint="add [console] to its file")
    lines = [number_lines(sample) for sample in samples]
    values = {"count": len(samples), "what": plain_comment(what), "samples": lines}
    generated = Sources({"harness/samples.h": _render("samples.h.j2", values)})
    return emit_firmware(library, board, board.memory, "console").merged(generated)


def emit_host(library: Sources) -> Sources:
    """`library` as a program for the build machine: same main loop, samples through stdio."""
    return library.merged(Sources(_harness(_ON_HOST)))


def emit_for(engine: str, library: Sources, board: Board) -> Sources:
    """What `engine` runs: the program of the host engine, else the firmware linked for that engine."""
    if engine == "host":
        return emit_host(library)
    return emit_firmware(library, board, board.memory_for(engine), _TRANSPORTS[engine])


def memory_protection(memory: MemoryMap) -> tuple[MpuRegion, ...]:
    """The MPU regions that allow what a firmware may do; a later one goes before an earlier one.

    Flash cannot be written, RAM not executed, and an access elsewhere is a fault on every engine: also on QEMU machines
    that answer 0 from a hole, and in Renode, which lets privileged code go where no region is. Where an overflowing
    stack goes, below RAM, is such an elsewhere.
    """
    ram_type = _WRITE_THROUGH if memory.ram.origin < _DEFAULT_SRAM_ORIGIN else _WRITE_BACK
    allowed = (
        ("everything else: nothing", [_EVERYTHING], _EXECUTE_NEVER),
        ("flash: read, execute", [_smallest_block(memory.flash)], _READ_ONLY | _WRITE_THROUGH),
        ("ram: read, write", list(_exact_blocks(memory.ram)), _READ_WRITE | _EXECUTE_NEVER | ram_type),
        ("peripherals: read, write", [_PERIPHERALS], _READ_WRITE | _EXECUTE_NEVER | _DEVICE),
        ("system: read, write", [_SYSTEM], _READ_WRITE | _EXECUTE_NEVER | _DEVICE),
    )
    regions = tuple(
        MpuRegion(block.origin, flags | _size_field(block) | _ENABLE, what)
        for what, blocks, flags in allowed
        for block in blocks
    )
    if len(regions) > _MPU_REGIONS:
        raise ConfigurationError(
            f"memory protection of ram ({memory.ram}) takes {len(regions)} regions, the core has {_MPU_REGIONS}",
            hint="choose a size that is the sum of few powers of two, as 98304 = 65536 + 32768",
        )
    return regions


def _size_field(block: Region) -> int:
    return (block.size_bytes.bit_length() - 2) << 1


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


def _harness(names: tuple[str, ...]) -> dict[str, str]:
    return {f"harness/{name}": (CODEGEN / "harness" / name).read_text(encoding="utf-8") for name in names}


def _render(template: str, values: dict[str, object]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(CODEGEN / "templates"),
        line_statement_prefix="%%",
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["hex"] = lambda value: f"0x{value:08X}"
    return environment.get_template(template).render(values)
