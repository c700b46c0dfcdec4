"""A firmware that does not go on -> the error that tells where it is and for what it waits."""

from __future__ import annotations

import re

from mcusim.boards.board import Board
from mcusim.cores.armv7m.faults import describe_status
from mcusim.engines.glimpse import Glimpse
from mcusim.engines.places import Places
from mcusim.engines.qemu.machine_memory import region_name
from mcusim.engines.qemu.process import FAULT_STATUS, FAULT_STATUS_WORDS
from mcusim.system.errors import EngineError
from mcusim.system.image import Image

_FRAMES_SHOWN = 8
_SLEEPS = (b"\x30\xbf", b"\x20\xbf")  # WFI, WFE
_ITSELF = b"\xfe\xe7"  # a branch to itself
_DEVICES, _SYSTEM = range(0x40000000, 0x60000000), range(0xE0000000, 0x100000000)
_NO_END = "one that never ends is left after --calls N; one that only takes long has more time with --stall SECONDS"


def explain_hang(image: Image, board: Board, stall_s: float, seen: Glimpse | None, said: str) -> EngineError:
    """`said`: QEMU's registers and fault status, when its monitor answered."""
    places = Places(image.elf)
    what = f"the firmware did not end within {stall_s:g} s"
    if seen is not None and (seen.begun or seen.measured):
        what += f" after {seen.measured} measured calls" + (", in another one" if seen.begun > seen.measured else "")
    if seen is None:
        return EngineError(what, where=str(image.elf), hint=_NO_END)
    doing, hint = _doing(board, places, seen, said)
    stack = " in ".join([places.line(seen.pc), *(places.name(at) for at in seen.frames[::-1][1:_FRAMES_SHOWN])])
    return EngineError(f"{what}: {doing}", where=f"0x{seen.pc:08x}, {stack}, {image.elf}", hint=hint)


def _doing(board: Board, places: Places, seen: Glimpse, said: str) -> tuple[str, str]:
    fault = _fault(board, said)
    if fault:
        return f"it is in {places.line(seen.pc)} since a fault: {fault}", (
            "does the firmware use a part of the chip that QEMU does not have? build it without"
        )
    own = [(at, address) for at, address in seen.waits_at if places.on_stack(at, seen)]
    for instruction, address in own:
        where = places.line(instruction)
        if address in _DEVICES or address in _SYSTEM:
            told = f"it polls 0x{address:08x}{region_name(board, address)} in {where}"
            return told, "QEMU does not have that register as the chip has it: build the firmware without this set-up"
    if places.code(seen.end - 2, 2) in _SLEEPS:
        return f"it sleeps (WFI) in {places.line(seen.end - 2)}", f"what should wake it is not in QEMU? {_NO_END}"
    if places.code(seen.pc, 2) == _ITSELF:
        return (
            f"it is in an endless loop in {places.line(seen.pc)}",
            f"is that its way to end, or after an error? {_NO_END}",
        )
    for _, address in own[:1]:
        told = f"it is in {places.line(seen.pc)} and reads 0x{address:08x} again and again"
        return told, f"does an interrupt or DMA change that, which QEMU does not have? {_NO_END}"
    return f"it is in {places.line(seen.pc)}", _NO_END


def _fault(board: Board, said: str) -> str:
    """In words what the fault status tells; empty without one."""
    rows = re.findall(rf"\b(?:{FAULT_STATUS:x}|{FAULT_STATUS + 16:x}): ((?:0x[0-9a-f]{{8}} ?)+)", said)
    words = [int(word, 16) for row in rows for word in row.split()]
    if len(words) < FAULT_STATUS_WORDS:
        return ""
    cfsr, hfsr, _, mmfar, bfar = words[:FAULT_STATUS_WORDS]
    cause, address = describe_status(cfsr, hfsr, mmfar, bfar)
    return cause + (f", at 0x{address:08x}{region_name(board, address)}" if cause and address is not None else "")


def explain_lockup(image: Image, board: Board, seen: Glimpse | None, said: str) -> EngineError:
    """A fault in the fault handler, or before there was one: QEMU gives up and prints the registers."""
    places = Places(image.elf)
    found = re.findall(r"\bR15=([0-9a-f]{8})\b", said)
    pc = int(found[-1], 16) if found else seen.pc if seen else 0
    reason = re.search(r"Lockup: (.*)", said)
    last = f", after {places.line(seen.pc)}" if seen and seen.pc != pc else ""
    what = f"the firmware faulted where it could not handle it: {reason[1].strip() if reason else 'lockup'}"
    hint = f"was it linked for {board.name!r}, and does it use memory or registers that QEMU does not have?"
    return EngineError(what, where=f"{places.line(pc)}{last}, {image.elf}", hint=hint)
