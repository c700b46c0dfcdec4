"""QEMU machine -> the memory that it really has, and the error that a firmware needs some that is not there."""

import re
import subprocess
from collections.abc import Sequence
from functools import cache

from mcusim.boards.board import Board
from mcusim.boards.chip import Region
from mcusim.engines.engine import LacksMemoryError
from mcusim.engines.foreign import memory_needed
from mcusim.engines.places import region_name
from mcusim.engines.qemu.facts import memory_map
from mcusim.engines.qemu.watched import vectors_of
from mcusim.system.command import start, stop
from mcusim.system.errors import EngineError
from mcusim.system.image import Image

_ROW = re.compile(r"^\s*([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, (?:ram|rom|romd|nv-ram)\):", re.MULTILINE)
_ASKED_S = 20.0
_OTHER_BOARD = "was it linked for another board, or to run behind a boot loader? link it for the beginning of this one"


def demand_memory(image: Image, board: Board, qemu: str, machine: str) -> None:
    """Raises EngineError when the image cannot begin, LacksMemoryError when it takes memory that the machine has not.

    Of a machine that tells nothing all is right.
    """
    if not vectors_of(image, board).stack:
        memory = memory_map(board)
        begins = memory.flash.origin if memory.reset_at is None else memory.reset_at
        what = f"the firmware has no vectors at 0x{begins:08X}, where {board.name!r} begins"
        raise EngineError(what, where=str(image.elf), hint=_OTHER_BOARD)
    regions = memory_of(qemu, machine)
    for region, what in memory_needed(image, vectors_of(image, board).stack) if regions else ():
        if not any(has.contains(region) for has in regions):
            named = region_name(board, region.origin)
            told = f"the firmware has {what} at {region}{named}, where QEMU's {machine} has no memory"
            renode = ", or profile it with --engine renode" if board.renode else ""
            raise LacksMemoryError(told, where=str(image.elf), hint=_elsewhere(board, regions, machine) + renode)


def _elsewhere(board: Board, regions: Sequence[Region], machine: str) -> str:
    moved = board.qemu.ram if board.qemu else None
    if moved is not None:
        return f"link its RAM at 0x{moved.origin:08X}, as [qemu] of the board file has it, or for another board"
    ram = [
        f"{name} at {region}"
        for name, region in board.chip.memory.items()
        if region.kind == "ram" and any(has.contains(region) for has in regions)
    ]
    there = f"link it into {' or '.join(ram)} to measure it" if ram else "link it elsewhere to measure it"
    return f"{there}, or name a machine in [qemu] of the board file that has it (a newer QEMU's {machine} may)"


@cache
def memory_of(qemu: str, machine: str) -> tuple[Region, ...]:
    """Flash and RAM, joined where they touch. Empty when this QEMU does not tell."""
    command = [qemu, "-M", machine, "-S", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "none"]
    process = start([*command, "-monitor", "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        said, _ = process.communicate(b"info mtree -f\nquit\n", timeout=_ASKED_S)
    except subprocess.TimeoutExpired:
        return ()
    finally:
        stop([process])
    found = {(int(row[1], 16), int(row[2], 16) + 1) for row in _ROW.finditer(said.decode("ascii", "replace"))}
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(pair for pair in found if pair[1] <= 1 << 32):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return tuple(Region(origin=begin, size_bytes=end - begin) for begin, end in joined)
