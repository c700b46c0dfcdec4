"""Fault record of a firmware (codegen/harness/armv7m/fault.h) -> an error in words."""

import struct
from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import MemoryMap
from mcusim.cores.armv7m.calls import called_function, callers, locate
from mcusim.cores.source_lines import function_at
from mcusim.system.errors import EngineError
from mcusim.system.image import Image

_MAGIC = 0x544C4146
_WORDS = 26
_EXCEPTIONS = {0: "no exception", 2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault"}
_EXCEPTIONS |= {11: "SVCall", 12: "DebugMonitor", 14: "PendSV", 15: "SysTick"}
_NEAR_STACK_BYTES = 1 << 16  # an access this close below the stack is taken for an overflow

# Bits of CFSR (Armv7-M ARM, B3.2.15): name, and what the firmware did.
_CFSR = {
    0: ("IACCVIOL", "jumped to an address where there is no code"),
    1: ("DACCVIOL", "accessed an address outside its memory"),
    3: ("MUNSTKERR", "returned from an exception with a broken stack pointer"),
    4: ("MSTKERR", "stack overflow"),
    5: ("MLSPERR", "stack overflow"),
    8: ("IBUSERR", "jumped to an address where there is no memory"),
    9: ("PRECISERR", "accessed an address where there is nothing"),
    10: ("IMPRECISERR", "wrote to an address where there is nothing"),
    11: ("UNSTKERR", "returned from an exception with a broken stack pointer"),
    12: ("STKERR", "stack overflow"),
    13: ("LSPERR", "stack overflow"),
    16: ("UNDEFINSTR", "undefined instruction"),
    17: ("INVSTATE", "jumped to an address without the Thumb bit"),
    18: ("INVPC", "returned from an exception that there was not"),
    19: ("NOCP", "used the FPU while it is off, or an instruction that it does not have"),
    24: ("UNALIGNED", "unaligned access"),
    25: ("DIVBYZERO", "division by zero"),
}
_MMARVALID, _BFARVALID = 1 << 7, 1 << 15
_STACKING_FAILED = 1 << 4 | 1 << 5 | 1 << 12 | 1 << 13
_JUMPED = 1 << 0 | 1 << 8 | 1 << 17
_HFSR_VECTTBL, _HFSR_DEBUGEVT = 1 << 1, 1 << 31


@dataclass(frozen=True)
class Fault:
    """`registers` by name, less those that the core could not save. `stack`: words from sp up."""

    exception: int
    samples_done: int
    registers: dict[str, int]
    cfsr: int
    hfsr: int
    mmfar: int
    bfar: int
    stack: tuple[int, ...]


def parse_fault(data: bytes) -> Fault | None:
    """The contents of fault.bin; None when they are not a whole record."""
    if len(data) < 4 * _WORDS:
        return None
    words = struct.unpack_from(f"<{_WORDS}I", data)
    magic, exception, samples_done, frame_valid, sp, exc_return = words[:6]
    if magic != _MAGIC:
        return None
    if words[22] & _STACKING_FAILED:  # an emulator then leaves sp where it was, and no frame there
        frame_valid = 0
    registers = {f"r{number}": value for number, value in enumerate(words[6:14], start=4)}
    if frame_valid:
        registers.update(zip(("r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr"), words[14:22], strict=True))
    registers.update(sp=sp, exc_return=exc_return)
    stack = struct.unpack_from(f"<{len(data) // 4 - _WORDS}I", data, 4 * _WORDS)
    cfsr, hfsr, mmfar, bfar = words[22:26]
    return Fault(exception, samples_done, registers, cfsr, hfsr, mmfar, bfar, stack)


def explain_fault(
    record: bytes, image: Image, memory: MemoryMap, first_sample: int, folder: Path, told: str | None = None
) -> EngineError | None:
    """See `Core.explain_fault`."""
    fault = parse_fault(record)
    if fault is None:
        return None
    cause = told or describe_cause(fault, memory)
    what = f"the firmware faulted in sample {first_sample + fault.samples_done}: {cause}"
    where = ", ".join(_places(fault, image) or ["an unknown place"]) + "\n" + _table(fault)
    return EngineError(what, where=where, hint=_hint(cause, fault, memory) or f"the run is kept in {folder}")


def _hint(cause: str, fault: Fault, memory: MemoryMap) -> str | None:
    """Where the board's file is to blame."""
    if cause.startswith("stack overflow"):
        return f"raise stack_bytes in [memory] of the board file ({memory.stack_bytes} now)"
    told = {"flash": memory.flash, "ram": memory.ram, "code_ram": memory.code_ram}
    for key, region in told.items():
        if fault.cfsr & _BFARVALID and region is not None and region.origin <= fault.bfar < region.end:
            there = "say in its [qemu] where the machine has some, or leave it out"
            return f"the board file has {key} there, and what runs the firmware has not: {there}"
    return None


def _places(fault: Fault, image: Image) -> list[str]:
    """Where it happened, then who called, as far as the registers and the stack tell."""
    pc, lr = fault.registers.get("pc"), fault.registers.get("lr")
    if pc is None or lr is None:
        calls = callers(image, fault.stack)
        # The core could not save pc and lr: a function that has not stored its return address is not on the stack.
        places = [f"{called_function(image, calls[0]) or 'an unknown function'} or what it calls"] if calls else []
    else:
        # In the same function, lr only tells of a call that has long come back.
        from_leaf = function_at(image, lr) != function_at(image, pc)
        calls = callers(image, (lr, *fault.stack) if from_leaf else fault.stack)
        places = [locate(image, pc)]
    return places + [f"called by {locate(image, call)}" for call in dict.fromkeys(calls)]


def describe_cause(fault: Fault, memory: MemoryMap) -> str:
    """The cause in words; the address that was accessed, when the core knows it."""
    causes, address = describe_status(fault.cfsr, fault.hfsr, fault.mmfar, fault.bfar)
    below_stack = range(memory.ram.origin - _NEAR_STACK_BYTES, memory.ram.origin)
    if fault.cfsr & _STACKING_FAILED or address in below_stack or fault.registers["sp"] in below_stack:
        return f"stack overflow (it has {memory.stack_bytes} bytes)"
    if address is not None and memory.flash.origin <= address < memory.flash.end and fault.cfsr & _MMARVALID:
        return f"wrote to flash (0x{address:08x})"
    if fault.registers.get("pc") == 0 and fault.cfsr & _JUMPED:
        return "called a null function pointer"
    known = [f"the address is 0x{address:08x}"] if address is not None else []
    return "; ".join([causes, *known]) if causes else f"unexpected exception {_exception_name(fault.exception)}"


def describe_status(cfsr: int, hfsr: int, mmfar: int, bfar: int) -> tuple[str, int | None]:
    """What the fault status registers tell, in words (empty: no fault), and the address that was accessed if known."""
    causes = [words for bit, (_, words) in _CFSR.items() if cfsr >> bit & 1]
    if hfsr & _HFSR_VECTTBL:
        causes.append("cannot read the vector table")
    if hfsr & _HFSR_DEBUGEVT:
        causes.append("breakpoint instruction")
    return "; ".join(causes), mmfar if cfsr & _MMARVALID else bfar if cfsr & _BFARVALID else None


def _exception_name(number: int) -> str:
    return _EXCEPTIONS.get(number, f"interrupt {number - 16}" if number >= 16 else f"exception {number}")


def _table(fault: Fault) -> str:
    """Registers, four to a line, and the fault status with the names of its bits."""
    order = [*(f"r{number}" for number in range(13)), "sp", "lr", "pc", "xpsr"]
    cells = [f"{name:>4} {fault.registers[name]:08x}" for name in order if name in fault.registers]
    lines = ["".join(cells[i : i + 4]) for i in range(0, len(cells), 4)]
    bits = " ".join(name for bit, (name, _) in _CFSR.items() if fault.cfsr >> bit & 1)
    status = f"{_exception_name(fault.exception)}: cfsr {fault.cfsr:08x} ({bits}) hfsr {fault.hfsr:08x}"
    status += f" mmfar {fault.mmfar:08x} bfar {fault.bfar:08x}"
    return "\n".join(f"      {line}" for line in (*lines, f" {status}"))
