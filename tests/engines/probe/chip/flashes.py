"""Flash controllers of the played chips: they erase pages and program what is erased, when they are asked in order.

RM0394, 3.7 (STM32L45x); AmbiqSuite's list of functions in the boot ROM (Apollo3).
"""

from __future__ import annotations

from typing import Any

import unicorn
from unicorn import arm_const

from tests.engines.probe.chip.core import Chip

_KEYS = (0x45670123, 0xCDEF89AB)
_LOCK, _START, _PG, _PER, _MER = 1 << 31, 1 << 16, 1, 2, 4
_PGSERR, _WRPERR = 1 << 7, 1 << 4


class Stm32L4:
    """`protected`: RDP level 1. A debugger does not see flash then, nor may it change it. `erased`: how many pages."""

    ORIGIN, SIZE, PAGE = 0x08000000, 0x80000, 2048

    def __init__(self, chip: Chip, *, protected: bool = False) -> None:
        self.chip, self.values = chip, chip.registers.values
        self.keyr, self.sr, self.cr, optr = (0x40022000 + at for at in (0x08, 0x10, 0x14, 0x20))
        self.keys: list[int] = []
        self.erased, self.locked = 0, True
        chip.on_write |= {self.keyr: self._key, self.sr: self._clear, self.cr: self._control, optr: lambda value: None}
        chip.uc.hook_add(unicorn.UC_HOOK_MEM_WRITE, self._programmed, None, self.ORIGIN, self.ORIGIN + self.SIZE - 1)
        chip.uc.mem_write(0x1FFF75E0, (self.SIZE >> 10).to_bytes(2, "little"))
        if protected:
            chip.hidden = lambda address: address < self.ORIGIN + self.SIZE
        self._option_bytes = optr, 0xFFEFF8BB if protected else 0xFFEFF8AA
        self._again()
        reset = chip.reset

        def reset_all() -> None:
            self.locked = True
            self.keys.clear()
            reset()
            self._again()

        chip.reset = reset_all  # type: ignore[method-assign]

    def _again(self) -> None:
        self.values = self.chip.registers.values
        self.values[self._option_bytes[0]] = self._option_bytes[1]
        self.values[self.cr] = _LOCK

    def _key(self, value: int) -> None:
        self.keys.append(value)
        if tuple(self.keys[-2:]) == _KEYS:
            self.locked = False
            self.values[self.cr] = 0

    def _clear(self, value: int) -> None:
        self.values[self.sr] = self.values.get(self.sr, 0) & ~value

    def _control(self, value: int) -> None:
        if self.locked:
            return
        self.values[self.cr] = value & ~_START
        if value & _LOCK:
            self.locked = True
            self.keys.clear()
        elif value & _START and self.chip.hidden(self.ORIGIN):
            self.values[self.sr] = _WRPERR
        elif value & _START and value & _MER:
            self._erase(0, self.SIZE // self.PAGE)
        elif value & _START and value & _PER:
            self._erase(value >> 3 & 0xFF, 1)

    def _erase(self, first: int, pages: int) -> None:
        self.chip.uc.mem_write(self.ORIGIN + first * self.PAGE, b"\xff" * (pages * self.PAGE))
        self.erased += pages

    def _programmed(self, uc: Any, _kind: int, address: int, size: int, value: int, _data: Any) -> None:
        """What is no erased flash, or is not unlocked, is told; who verifies sees what is left.

        The same value again is fine: Unicorn makes a store twice when its time is up in the midst of it.
        """
        there, erased = int.from_bytes(uc.mem_read(address, size), "little"), (1 << 8 * size) - 1
        if self.locked or not self.values[self.cr] & _PG or there not in (erased, value & erased):
            self.values[self.sr] = self.values.get(self.sr, 0) | _PGSERR


class Apollo3:
    """Functions of the boot ROM: (key, ...) -> 0 when it was done."""

    ERASE_ALL, ERASE_PAGE, PROGRAM, KEY, PAGE, INSTANCE = 0x0800004C, 0x08000050, 0x08000054, 0x12344321, 8192, 0x80000

    def __init__(self, chip: Chip) -> None:
        self.chip, self.erased = chip, 0
        for at in (self.ERASE_ALL, self.ERASE_PAGE, self.PROGRAM):
            chip.uc.mem_write(at, b"\x70\x47\x70\x47")  # bx lr
        chip.uc.hook_add(unicorn.UC_HOOK_CODE, self._called, None, self.ERASE_ALL, self.PROGRAM + 3)

    def _called(self, uc: Any, address: int, *_: Any) -> None:
        key, one, two, three = (int(uc.reg_read(getattr(arm_const, f"UC_ARM_REG_R{n}"))) for n in range(4))
        if key == self.KEY and address == self.PROGRAM:
            uc.mem_write(two, bytes(uc.mem_read(one, 4 * three)))
        elif key == self.KEY and address == self.ERASE_PAGE:
            uc.mem_write(one * self.INSTANCE + two * self.PAGE, b"\xff" * self.PAGE)
            self.erased += 1
        uc.reg_write(arm_const.UC_ARM_REG_R0, int(key != self.KEY))


def flash_of(chip: Chip, *, protected: bool = False) -> Stm32L4 | Apollo3:
    return Apollo3(chip) if "boot_rom" in chip.board.chip.memory else Stm32L4(chip, protected=protected)
