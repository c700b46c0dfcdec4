"""A firmware that does not go on -> the error that tells where it is and for what it waits."""

from collections.abc import Sequence
from dataclasses import dataclass

from mcusim.boards.board import Board
from mcusim.cores.armv7m.faults import describe_status
from mcusim.engines.engine import Job
from mcusim.engines.glimpse import Glimpse
from mcusim.engines.places import Places, region_name
from mcusim.system.errors import EngineError
from mcusim.system.image import Image

_FRAMES_SHOWN = 8
_MOSTLY = 0.75  # of all that it accesses: else it works with that
_SLEEPS = (b"\x30\xbf", b"\x20\xbf")  # WFI, WFE
_ITSELF = b"\xfe\xe7"  # a branch to itself
_DEVICES, _SYSTEM = range(0x40000000, 0x60000000), range(0xE0000000, 0x100000000)
_NO_END = "one that never ends is left after --calls N; one that only takes long has more time with --stall SECONDS"


@dataclass(frozen=True)
class Stage:
    """Where it ran. `engine` is its title; `instead`: what to do where that lacks a register."""

    board: Board
    engine: str
    instead: str


def explain_hang(
    image: Image, stage: Stage, stall_s: float, seen: Glimpse | None, status: Sequence[int] = ()
) -> EngineError:
    """`status`: CFSR, HFSR, MMFAR and BFAR, where they are known."""
    places = Places(image.elf)
    what = f"the firmware did not end within {stall_s:g} s"
    if seen is not None and (seen.begun or seen.measured):
        what += f" after {seen.measured} measured calls" + (", in another one" if seen.begun > seen.measured else "")
    if seen is None:
        return EngineError(what, where=str(image.elf), hint=_NO_END)
    doing, hint = _waiting(stage, places, seen, status) or (f"it is in {places.line(seen.pc)}", _NO_END)
    stack = " in ".join([places.line(seen.pc), *(places.name(at) for at in seen.frames[::-1][1:_FRAMES_SHOWN])])
    return EngineError(f"{what}: {doing}", where=f"0x{seen.pc:08x}, {stack}, {image.elf}", hint=hint)


def works_on(image: Image, stage: Stage, seen: Glimpse | None, status: Sequence[int] = ()) -> bool:
    """Is it in a measured call that does something, and waits for nothing that is known?"""
    return seen is not None and seen.begun > seen.measured and not _waiting(stage, Places(image.elf), seen, status)


def left_note(job: Job, seen: Glimpse) -> str:
    """Of a call that is measured as far as it got."""
    places = Places(job.image.elf)
    call = f"a call of {places.name(job.image.entry)} had not returned after {job.stall_s:g} s"
    return f"{call}: it was left in {places.line(seen.pc)}; one that only takes long has more time with --stall SECONDS"


def _waiting(stage: Stage, places: Places, seen: Glimpse, status: Sequence[int]) -> tuple[str, str] | None:
    """What it waits for, and a hint."""
    board, engine = stage.board, stage.engine
    fault = fault_told(board, status)
    if fault:
        return f"it is in {places.line(seen.pc)} since a fault: {fault}", (
            f"does the firmware use a part of the chip that {engine} does not have? {stage.instead}"
        )
    if places.code(seen.pc, 2) == _ITSELF:
        instruction, address = seen.polled
        told = f", after it had polled 0x{address:08x}{region_name(board, address)} in {places.line(instruction)}"
        return (
            f"it is in an endless loop in {places.line(seen.pc)}" + (told if instruction else ""),
            f"is that its way to end, or after an error? {_NO_END}",
        )
    own = [(at, address) for at, address in seen.waits_at if places.on_stack(at, seen)]
    for instruction, address in own:
        where = places.line(instruction)
        if address in _DEVICES or address in _SYSTEM:
            told = f"it polls 0x{address:08x}{region_name(board, address)} in {where}"
            return told, f"{engine} does not have that register as the chip has it: {stage.instead}"
    if places.code(seen.end - 2, 2) in _SLEEPS:
        return f"it sleeps (WFI) in {places.line(seen.end - 2)}", f"what should wake it is not in {engine}? {_NO_END}"
    mostly = sum(seen.accesses[access] for access in own) > _MOSTLY * sum(seen.accesses.values())
    for _, address in own[:1] if mostly else ():
        told = f"it is in {places.line(seen.pc)} and reads 0x{address:08x} again and again"
        return told, f"does an interrupt or DMA change that, which {engine} does not have? {_NO_END}"
    return None


def fault_told(board: Board, status: Sequence[int]) -> str:
    """In words what these registers tell; empty without a fault."""
    if not status:
        return ""
    cause, address = describe_status(*status)
    return cause + (f", at 0x{address:08x}{region_name(board, address)}" if cause and address is not None else "")
