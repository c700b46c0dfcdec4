"""A Cortex-M4 with its debug registers, memory and flash, played in this process by Unicorn.

Time passes when somebody looks: each access of a debugger lets a core that runs go on for a moment. The cycle counter
tells the time of this machine while the core ran: it shows that it is read, and nothing about cycles.
Reference: Armv7-M Architecture Reference Manual, C1 (debug).
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

import unicorn
from unicorn import arm_const

from mcusim.boards.board import Board
from mcusim.engines.unicorn.devices import Registers, Serial
from mcusim.engines.unicorn.worker import between

DHCSR, DCRSR, DCRDR, DEMCR, AIRCR, DFSR = 0xE000EDF0, 0xE000EDF4, 0xE000EDF8, 0xE000EDFC, 0xE000ED0C, 0xE000ED30
_CPUID, _FP_CTRL, _FP_COMP, _DWT_CTRL, _CYCCNT = 0xE000ED00, 0xE0002000, 0xE0002008, 0xE0001000, 0xE0001004
_COMPARATORS, _TRCENA, _VC_CORERESET = 6, 1 << 24, 1
_DEBUGEN, _HALT, _STEP = 1, 2, 4
_HALTED, _BKPT, _VCATCH = 1, 2, 8  # in DFSR
_DEVICES, _SYSTEM, _PAGE, _NOWHERE = (0x40000000, 0x20000000), (0xE0000000, 0x00100000), 0x1000, 0xFFFFFFFE
_SLICE = 200_000  # instructions; a stop by the clock, from another thread, is not always where the core was
_VENDORS = 0xE0040000  # debug registers of the chip
_BREAKPOINT = 7  # exception of QEMU's core
ROM_TABLE = 0xE00FF000
_READS_AS = {_CPUID: 0x410FC241, 0xE000EF40: 0x10110021, 0xE000EF44: 0x11000011, AIRCR: 0xFA050000}


def _component(part: int, class_: int) -> dict[int, int]:
    """Its identification registers: Arm's component of that part number."""
    told = (part & 0xFF, 0xB0 | part >> 8, 0x0B, 0, 0x0D, class_ << 4, 0x05, 0xB1)
    return {0xFD0: 4, **{0xFE0 + 4 * at: word for at, word in enumerate(told)}}


for _base, _part, _class in ((ROM_TABLE, 0x4C4, 1), (0xE000E000, 0x00C, 14), (0xE0001000, 2, 14), (0xE0002000, 3, 14)):
    _READS_AS.update({_base + at: word for at, word in _component(_part, _class).items()})
_READS_AS.update({ROM_TABLE + 4 * at: word for at, word in enumerate((0xFFF0F003, 0xFFF02003, 0xFFF03003, 0))})

_CORE = [
    getattr(arm_const, f"UC_ARM_REG_{name}") for name in (*(f"R{n}" for n in range(15)), "PC", "XPSR", "MSP", "PSP")
]
_MASKS = [getattr(arm_const, f"UC_ARM_REG_{name}") for name in ("PRIMASK", "BASEPRI", "FAULTMASK", "CONTROL")]


class Fault(Exception):
    """Nothing is there, or it is not for a debugger."""


class Chip:
    """`hidden`: what a debugger may not read or write, as told by the flash."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        self.buffers: dict[str, Any] = {}
        self.ranges: list[tuple[int, int]] = []
        for name, at in sorted(board.chip.memory.items(), key=lambda item: item[1].alias_of is not None):
            self._map(at.alias_of or name, at.origin, at.size_bytes)
        self.registers = Registers((), [one.model_dump() for one in board.chip.registers], Serial(b"", b"", ()))
        for origin, size in (*between(self.ranges, *_DEVICES), _SYSTEM):
            self.uc.mmio_map(origin, size, self._core_reads, origin, self._core_writes, origin)
            self.ranges.append((origin, origin + size))
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._exception)
        self.on_write: dict[int, Callable[[int], None]] = {}
        self.hidden: Callable[[int], bool] = lambda address: False
        self.vectors = board.memory.flash.origin if board.memory.reset_at is None else board.memory.reset_at
        self.identity = board.chip.identity
        if self.identity:
            self.registers.values[self.identity.address] = self.identity.equals | 0x10000000 & ~self.identity.mask
        self._control, self._dfsr, self._was_reset, self._locked = 0, 0, False, False
        self._breaks: dict[int, Any] = {}
        self._comparators, self._breaks_on = [0] * _COMPARATORS, False
        self._ran_s, self._since, self._counter_at = 0.0, time.monotonic(), 0.0
        self.halted, self.in_reset = True, False
        self.halted = False
        self.reset()

    def _map(self, original: str, origin: int, size: int) -> None:
        room = -(-size // _PAGE) * _PAGE
        if original not in self.buffers:
            self.buffers[original] = ctypes.create_string_buffer(b"\xff" * room + bytes(_PAGE))
        start = -(-ctypes.addressof(self.buffers[original]) // _PAGE) * _PAGE
        ctypes.memset(start, 0xFF, room)
        self.uc.mem_map_ptr(origin, room, unicorn.UC_PROT_ALL, start)
        self.ranges.append((origin, origin + size))

    # ---- What a debugger does

    def read(self, address: int, count: int) -> bytes:
        self._pass_time()
        self._demand(address, count)
        if not self._is_device(address):
            return bytes(self.uc.mem_read(address, count))
        words = [self._word(at).to_bytes(4, "little") for at in range(address & ~3, address + count, 4)]
        return b"".join(words)[address & 3 :][:count]

    def write(self, address: int, data: bytes) -> None:
        self._pass_time()
        self._demand(address, len(data))
        if not self._is_device(address):
            self.uc.mem_write(address, data)
            self.uc.ctl_remove_cache(address, address + len(data))  # code that was there
            return
        for at in range(0, len(data), 4):
            piece = data[at : at + 4]
            self._write(address + at, len(piece), int.from_bytes(piece, "little"))

    def reset(self) -> None:
        """As SYSRESETREQ does it. Debug registers stay."""
        self._run(False)
        kept = (DCRDR, DEMCR, _DWT_CTRL, *([self.identity.address] if self.identity else []))
        self.registers.values = {
            at: value for at, value in self.registers.values.items() if at in kept or at >= _VENDORS
        }
        self._was_reset, self._locked, self._counter_at, self._ran_s = True, False, 0.0, 0.0
        stack, entry = (int.from_bytes(self.uc.mem_read(self.vectors + at, 4), "little") for at in (0, 4))
        for register in (*_CORE[:14], *_MASKS):
            self.uc.reg_write(register, 0)
        self.uc.reg_write(arm_const.UC_ARM_REG_SP, stack & ~3)
        self.uc.reg_write(arm_const.UC_ARM_REG_LR, 0xFFFFFFFF)
        self.uc.reg_write(arm_const.UC_ARM_REG_PC, entry | 1)
        self.uc.ctl_flush_tb()
        if self._control & _DEBUGEN and self.registers.values.get(DEMCR, 0) & _VC_CORERESET:
            self._dfsr |= _VCATCH
        elif not self.in_reset:
            self._run(True)

    def hold_reset(self, held: bool) -> None:
        """The pin NRST. The core begins when it is let go."""
        self.in_reset = held
        self.reset()

    def core_register(self, number: int, value: int | None = None) -> int:
        """As DCRSR numbers them."""
        if number == 20:
            given = 0 if value is None else value
            for at, register in enumerate(_MASKS):
                if value is not None:
                    self.uc.reg_write(register, given >> 8 * at & 0xFF)
            return sum((int(self.uc.reg_read(register)) & 0xFF) << 8 * at for at, register in enumerate(_MASKS))
        if number < len(_CORE):
            register = arm_const.UC_ARM_REG_SP if number == 17 else _CORE[number]
        else:
            register = arm_const.UC_ARM_REG_FPSCR if number == 33 else arm_const.UC_ARM_REG_S0 + number - 64
        if value is not None:
            self.uc.reg_write(register, value | (number == 15))
        return int(self.uc.reg_read(register)) & 0xFFFFFFFF

    # ---- Registers

    def _demand(self, address: int, count: int) -> None:
        inside = any(begin <= address and address + count <= end for begin, end in self.ranges)
        if not inside or self.hidden(address):
            raise Fault(f"{count} bytes at 0x{address:08x}")

    @staticmethod
    def _is_device(address: int) -> bool:
        return address >> 28 in (4, 5, 14)

    def _core_reads(self, _uc: Any, offset: int, size: int, origin: int) -> int:
        at = origin + offset
        return self._word(at & ~3) >> 8 * (at & 3) & (1 << 8 * size) - 1

    def _core_writes(self, _uc: Any, offset: int, size: int, value: int, origin: int) -> None:
        self._write(origin + offset, size, value)

    def _word(self, at: int) -> int:
        if at == DHCSR:
            told = (
                self._control & 0xF
                | self.halted * _HALT
                | 1 << 16
                | self.halted << 17
                | self._locked << 19
                | self._was_reset << 25
            )
            self._was_reset = False
            return told
        if at == _CYCCNT:
            return int((self._seconds() - self._counter_at) * self.board.clock_hz) & 0xFFFFFFFF
        if at == DFSR:
            return self._dfsr
        if at == _FP_CTRL:
            return 0x260 | self._breaks_on
        if _FP_COMP <= at < _FP_COMP + 4 * _COMPARATORS:
            return self._comparators[(at - _FP_COMP) // 4]
        return self._known(at)

    def _known(self, at: int) -> int:
        if at in _READS_AS:
            return _READS_AS[at]
        if at == _DWT_CTRL:
            return self.registers.values.get(at, 0) & 0xFFFFFFF | 0x40000000
        if at in self.on_write or at & ~0xFFF == ROM_TABLE or at in (DCRDR, DEMCR):
            return self.registers.values.get(at, 0)
        return self.registers.read(self.uc, at, 4, 0)

    def _write(self, at: int, size: int, value: int) -> None:
        if at in self.on_write:
            self.on_write[at](value)
        elif at == DHCSR and value >> 16 == 0xA05F:
            self._controlled(value & 0xF)
        elif at == DCRSR:
            kept = self.registers.values.get(DCRDR, 0)
            self.registers.values[DCRDR] = self.core_register(value & 0x7F, kept if value >> 16 & 1 else None)
        elif at == DFSR:
            self._dfsr &= ~value
        elif at == AIRCR and value >> 16 == 0x05FA and value & 5:
            self.reset()
        elif at == _CYCCNT:
            self._counter_at = self._seconds() - value / self.board.clock_hz
        elif at == _FP_CTRL and value & 2:
            self._breaks_on = bool(value & 1)
            self._set_breaks()
        elif _FP_COMP <= at < _FP_COMP + 4 * _COMPARATORS:
            self._comparators[(at - _FP_COMP) // 4] = value
            self._set_breaks()
        else:
            self.registers.write(self.uc, at, size, value, 0)

    def _set_breaks(self) -> None:
        wanted = {(word & 0x1FFFFFFC) + (word >> 31 << 1) for word in self._comparators if word & self._breaks_on}
        for address in self._breaks.keys() - wanted:
            self.uc.hook_del(self._breaks.pop(address))
        for address in wanted - self._breaks.keys():
            hook = self.uc.hook_add(unicorn.UC_HOOK_CODE, self._met, None, address, address)
            self._breaks[address] = hook
        self.uc.ctl_flush_tb()

    # ---- The core

    def _controlled(self, bits: int) -> None:
        self._control = bits
        if not bits & _DEBUGEN or not bits & (_HALT | _STEP):
            self._run(True)
        elif bits & _HALT:
            self._dfsr |= 0 if self.halted else _HALTED
            self._locked = False
            self._run(False)
        else:
            self._dfsr |= _HALTED
            self._go(count=1)
            self._run(False)

    def _run(self, wanted: bool) -> None:
        now = time.monotonic()
        if not self.halted:
            self._ran_s += now - self._since
        self.halted, self._since = not wanted, now

    def _seconds(self) -> float:
        return self._ran_s + (0.0 if self.halted else time.monotonic() - self._since)

    def _pass_time(self) -> None:
        if not self.halted and not self.in_reset and not self._locked:
            self._go()

    def _go(self, count: int = _SLICE) -> None:
        try:
            self.uc.emu_start(self.core_register(15) | 1, _NOWHERE, 0, count)
        except unicorn.UcError as error:
            print(f"locked up at 0x{self.core_register(15):08x}: {error}")
            self._locked = True

    def _met(self, uc: Any, *_: Any) -> None:
        self._stop(_BKPT)

    def _exception(self, _uc: Any, number: int, _data: Any) -> None:
        if number == _BREAKPOINT:
            self._stop(_BKPT)
        else:
            self._locked = True
            self.uc.emu_stop()

    def _stop(self, why: int) -> None:
        self._dfsr |= why
        self._run(False)
        self.uc.emu_stop()
