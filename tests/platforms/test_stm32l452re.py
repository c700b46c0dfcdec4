"""The scripts of stm32l452re.repl, register by register, as ST's start-up code and HAL use them."""

from __future__ import annotations

import pytest

from mcusim.boards.load import load_chip
from tests.platforms.devices import Device, Machine, chip
from tests.platforms.repl import Name, parse

ENTRIES = chip("stm32l452re")
FLASH_AT, KEYR, OPTKEYR, SR, CR, OPTR = 0x08000000, 0x08, 0x0C, 0x10, 0x14, 0x20
LOCK, OPTLOCK, STRT = 1 << 31, 1 << 30, 1 << 16


@pytest.fixture
def rcc() -> Device:
    return Device(ENTRIES["rcc"])


@pytest.fixture
def flash() -> Device:
    return Device(ENTRIES["flash_registers"])


# Register, bit that switches the clock on, bit that says it is ready: stm32l452xx.h.
CLOCKS = {
    "MSI": (0x00, 0, 1),
    "HSI": (0x00, 8, 10),
    "HSE": (0x00, 16, 17),
    "PLL": (0x00, 24, 25),
    "PLLSAI1": (0x00, 26, 27),
    "LSE": (0x90, 0, 1),
    "LSI": (0x94, 0, 1),
    "HSI48": (0x98, 0, 1),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_ready_follows_enable(name: str, rcc: Device) -> None:
    register, on, ready = CLOCKS[name]
    if name == "MSI":  # the core's own after a reset
        rcc.set(0x00, 1 << 8)
        rcc.write(0x08, 1)
    rcc.clear(register, 1 << on)
    assert not rcc.read(register) & (1 << ready | 1 << on)
    rcc.set(register, 1 << on)
    assert rcc.read(register) >> ready & 1 and rcc.read(register) >> on & 1


def test_reset_values(rcc: Device) -> None:
    assert (rcc.read(0x00), rcc.read(0x0C), rcc.read(0x08)) == (0x63, 0x1000, 0)


@pytest.mark.parametrize(("source", "on"), [(1, 8), (2, 16), (3, 24)])
def test_the_core_changes_to_a_ready_clock_only(source: int, on: int, rcc: Device) -> None:
    rcc.write(0x08, source)
    assert rcc.read(0x08) == source  # SWS is still 0: MSI
    rcc.set(0x00, 1 << on)
    assert rcc.read(0x08) == source | source << 2
    rcc.clear(0x00, 1 << on)
    assert rcc.read(0x00) >> on & 1, "the clock of the core went off"
    rcc.write(0x08, 0)
    assert rcc.read(0x08) == 0
    rcc.clear(0x00, 1 << on)
    assert not rcc.read(0x00) >> on & 1


def test_reset_flags(rcc: Device) -> None:
    assert rcc.read(0x94) >> 24 == 0x0C  # power-on and pin
    rcc.set(0x94, 1 << 23)
    assert rcc.read(0x94) >> 24 == 0
    rcc.reset()
    assert rcc.read(0x94) >> 24 == 0x14  # software and pin


def test_backup_domain_outlives_a_reset(rcc: Device) -> None:
    rcc.write(0x90, 0x8101)
    rcc.write(0x0C, 0x12345678)
    rcc.reset()
    assert rcc.read(0x90) == 0x8103 and rcc.read(0x0C) == 0x1000
    rcc.write(0x90, 1 << 16)
    assert rcc.machine["rtc"].calls == [("Reset",)] and rcc.read(0x90) == 1 << 16


def test_peripherals_are_reset_once(rcc: Device) -> None:
    rcc.write(0x38, 1 << 17)
    rcc.write(0x38, 1 << 17)
    rcc.write(0x38, 0)
    assert rcc.machine["usart2"].calls == [("Reset",)]


def test_reset_bits_name_peripherals_of_the_chip(rcc: Device) -> None:
    for register in (0x28, 0x2C, 0x30, 0x38, 0x3C, 0x40):
        rcc.write(register, 0xFFFFFFFF)
    reset = set(rcc.machine._peripherals)
    assert reset <= set(load_chip("stm32l452re").peripherals)
    clocked = ("usart", "uart", "lpuart", "tim", "i2c", "spi", "gpio", "lptim")
    assert reset >= {
        name for name in load_chip("stm32l452re").peripherals if name.rstrip("0123456789abcdeh") in clocked
    }


def unlock(flash: Device) -> None:
    flash.write(KEYR, 0x45670123)
    flash.write(KEYR, 0xCDEF89AB)


def test_flash_unlocks_with_both_keys(flash: Device) -> None:
    flash.write(CR, 1)
    assert flash.read(CR) == LOCK | OPTLOCK and "locked" in flash.log[0]
    unlock(flash)
    assert flash.read(CR) == OPTLOCK
    flash.write(CR, 1)
    assert flash.read(CR) == OPTLOCK | 1
    flash.write(CR, LOCK)
    assert flash.read(CR) == LOCK | OPTLOCK
    unlock(flash)
    assert flash.read(CR) == OPTLOCK


def test_a_wrong_key_locks_until_the_next_reset(flash: Device) -> None:
    flash.write(KEYR, 0x45670123)
    flash.write(KEYR, 0x45670123)
    unlock(flash)
    assert flash.read(CR) & LOCK
    flash.reset()
    unlock(flash)
    assert not flash.read(CR) & LOCK


def test_pages_are_erased(flash: Device) -> None:
    memory = flash.machine.SystemBus
    memory.WriteBytes(bytes(0x3000), FLASH_AT)
    unlock(flash)
    flash.write(CR, 0x2 | 3 << 3)
    flash.write(CR, 0x2 | 3 << 3 | STRT)
    assert memory.ReadBytes(FLASH_AT + 0x17FF, 2) == b"\x00\xff"
    assert memory.ReadBytes(FLASH_AT + 0x1FFF, 2) == b"\xff\x00"
    assert not flash.read(SR) and not flash.read(CR) & STRT
    flash.write(CR, 0x4 | STRT)
    assert memory.ReadBytes(FLASH_AT, 0x3000) == b"\xff" * 0x3000


def test_what_is_programmed_while_locked_is_taken_back(flash: Device) -> None:
    memory = flash.machine.SystemBus
    flash.write(CR, 1)
    memory.WriteBytes(b"\x00" * 8, FLASH_AT + 0x100)
    assert flash.read(CR) & LOCK and flash.read(SR) == 1 << 7  # PGSERR
    assert memory.ReadBytes(FLASH_AT + 0x100, 8) == b"\xff" * 8
    flash.write(SR, 1 << 7)
    assert flash.read(SR) == 0


def program(flash: Device, at: int, data: bytes) -> int:
    """As ST's HAL does it; -> the flags of errors, which it takes away."""
    flash.set(CR, 1)
    flash.machine.SystemBus.WriteBytes(data, FLASH_AT + at)
    flags = flash.read(SR)
    flash.clear(CR, 1)
    flash.write(SR, flags)
    return flags


def test_what_is_erased_can_be_programmed_once(flash: Device) -> None:
    """RM0394, PROGERR: a double word that is not erased becomes zeros, and nothing else."""
    memory, first, second, zeros = flash.machine.SystemBus, bytes(range(8)), b"\x00" * 7 + b"\x01", bytes(8)
    unlock(flash)
    assert [program(flash, 0x100, data) for data in (first, second, first)] == [0, 1 << 3, 0]
    assert memory.ReadBytes(FLASH_AT + 0xF8, 24) == b"\xff" * 8 + first + b"\xff" * 8
    assert program(flash, 0x100, zeros + first) == 0  # the one after it is erased
    assert program(flash, 0x100, second) == 1 << 3
    assert memory.ReadBytes(FLASH_AT + 0x100, 16) == zeros + first
    flash.write(CR, 0x2)
    flash.write(CR, 0x2 | STRT)
    assert program(flash, 0x100, second) == 0 and memory.ReadBytes(FLASH_AT + 0x100, 8) == second


def test_what_was_erased_while_it_may_be_programmed_stays_erased(flash: Device) -> None:
    unlock(flash)
    flash.machine.SystemBus.WriteBytes(bytes(8), FLASH_AT)
    flash.write(CR, 0x1)
    flash.write(CR, 0x1 | 0x2 | STRT)
    assert flash.read(SR) == 0 and flash.machine.SystemBus.ReadBytes(FLASH_AT, 8) == b"\xff" * 8


def test_later_versions_ask_for_the_series() -> None:
    """Renode's master of August 2026: STM32_RNG(STM32Series), STM32SPI(IMachine, STM32Series, ..)."""
    before, after = Machine(), Machine()
    rcc = Device(ENTRIES["rcc"], before)
    rcc.reset()
    Device(ENTRIES["rcc"], after, later=True)
    [old], [new] = before.described, after.described
    assert "Miscellaneous.STM32F4_RNG" in old and "series" not in old
    without = [line for line in new.splitlines() if "series" not in line]
    assert "\n".join(without).replace("STM32_RNG", "STM32F4_RNG") == old
    series = {entry.name: entry.attributes["series"] for entry in parse(new).entries}
    f7 = Name("STM32Series.F7")
    assert series == {"rng": Name("STM32Series.F4"), "spi1": f7, "spi2": f7, "spi3": f7}


def test_option_bytes(flash: Device) -> None:
    flash.write(OPTR, 0)
    assert flash.read(OPTR) == 0xFFEFF8AA
    unlock(flash)
    flash.write(OPTKEYR, 0x08192A3B)
    flash.write(OPTKEYR, 0x4C5D6E7F)
    assert not flash.read(CR) & OPTLOCK
    flash.write(OPTR, 0xFFEFF8BB)
    flash.write(CR, 1 << 17)
    flash.write(CR, 1 << 27)
    assert flash.machine.resets == 1
    flash.reset()
    assert flash.read(OPTR) == 0xFFEFF8BB and flash.read(CR) & OPTLOCK


def test_wait_states_read_back(flash: Device) -> None:
    flash.write(0x00, 0x704)
    assert flash.read(0x00) == 0x704


def test_power_is_ready() -> None:
    pwr = Device(ENTRIES["pwr"])
    assert pwr.read(0x00) == 0x200 and pwr.read(0x14) == 0x100
    pwr.set(0x00, 1 << 14)  # low-power run
    assert pwr.read(0x14) >> 9 & 1
    pwr.clear(0x00, 1 << 14)
    assert not pwr.read(0x14) >> 9 & 1


def test_sram2_is_erased_after_both_keys() -> None:
    syscfg = Device(ENTRIES["syscfg_control"])
    syscfg.machine.SystemBus.WriteBytes(b"\x55" * 4, 0x10007FFC)
    syscfg.write(0x18, 1)
    syscfg.write(0x24, 0xCA)
    syscfg.write(0x18, 1)
    assert syscfg.machine.SystemBus.ReadDoubleWord(0x10007FFC) == 0x55555555
    syscfg.write(0x24, 0xCA)
    syscfg.write(0x24, 0x53)
    syscfg.write(0x18, 1)
    assert syscfg.machine.SystemBus.ReadDoubleWord(0x10007FFC) == 0 and syscfg.read(0x18) == 0
    assert syscfg.read(0x04) == 0x7C000001


def test_reference_is_ready_when_on() -> None:
    vrefbuf = Device(ENTRIES["vrefbuf"])
    assert vrefbuf.read(0) == 0x2
    vrefbuf.write(0, 0x1)
    assert vrefbuf.read(0) == 0x9
    vrefbuf.write(0, 0x0)
    assert vrefbuf.read(0) == 0x0


@pytest.mark.parametrize("name", ["stm32l452re", "apollo3"])
def test_itm_prints_lines(name: str) -> None:
    itm = Device(chip(name)["itm"], Machine())
    assert [itm.read(4 * port) for port in (0, 31)] == [1, 1]
    for char in b"ab":
        itm.write(0, char, 1)
    itm.write(0, int.from_bytes(b"{0}\n", "little"), 4)
    itm.write(0, int.from_bytes(b"!\r", "little"), 2)
    itm.write(4, ord("x"), 1)
    assert itm.log == ["ab{0}"]
    itm.write(0xE80, 0x10001)
    assert itm.read(0xE80) == 0x10001
    for _ in range(200):
        itm.write(0, ord("-"), 1)
    assert itm.log[1] == "!" + "-" * 199
