"""Timers and watchdog of apollo3.repl, in virtual time."""

from __future__ import annotations

import pickle

import pytest

from mcusim.boards.load import load_chip
from tests.platforms.devices import SECOND, Device, Machine, chip

ENTRIES = chip("apollo3")
STCFG, STTMR, SCMPR0, STMINTEN, STMINTSTAT, STMINTCLR, STMINTSET = 0x140, 0x144, 0x150, 0x300, 0x304, 0x308, 0x30C
GLOBEN, INTEN, INTSTAT, INTCLR, INTSET = 0x100, 0x200, 0x204, 0x208, 0x20C
FREEZE, CLEAR, XTAL = 1 << 31, 1 << 30, 3
ENABLE, IE0, IE1, CLR = 1, 1 << 9, 1 << 10, 1 << 11
ONCE, REPEAT, PULSE, CONTINUOUS = (function << 6 for function in (0, 1, 3, 6))
HFRC_DIV16, LFRC = 2 << 1, 13 << 1  # 3 MHz, 1024 Hz


def with_alarms(name: str) -> Device:
    machine = Machine()
    Device(ENTRIES["alarms"], machine)
    return Device(ENTRIES[name], machine)


@pytest.fixture
def timer() -> Device:
    return with_alarms("ctimer")


def lines(device: Device) -> set[int]:
    """Interrupts that are raised now."""
    state = {number: on for number, on in device.machine["nvic"].calls}
    return {number for number, on in state.items() if on}


# CLKSEL: ticks in a second, apollo3.h.
STIMER_CLOCKS = {0: 0, 1: 3_000_000, 2: 187_500, 3: 32_768, 4: 16_384, 5: 1024, 6: 1024, 7: 0, 15: 0}


@pytest.mark.parametrize("select", STIMER_CLOCKS)
def test_system_timer_counts(select: int, timer: Device) -> None:
    timer.write(STCFG, select)
    timer.machine.advance(SECOND)
    assert timer.read(STTMR) == STIMER_CLOCKS[select]
    timer.write(STCFG, select | FREEZE)
    timer.machine.advance(SECOND)
    assert timer.read(STTMR) == STIMER_CLOCKS[select]
    timer.write(STCFG, select | CLEAR)
    assert timer.read(STTMR) == 0


def test_system_timer_wraps(timer: Device) -> None:
    timer.write(STMINTEN, 1 << 8)
    timer.write(STCFG, 1)
    timer.machine.advance((1 << 32) * SECOND // 3_000_000 - 10)
    assert timer.read(STTMR) == 0xFFFFFFFF and not lines(timer)
    timer.machine.advance(20)
    assert timer.read(STTMR) == 0 and lines(timer) == {22}


@pytest.mark.parametrize("k", range(8))
def test_compare_registers(k: int, timer: Device) -> None:
    """A write is a distance from the count; a read is where it lies."""
    timer.write(STMINTEN, 1 << k)
    timer.write(STCFG, XTAL | 1 << (8 + k))
    timer.machine.advance(SECOND)
    timer.write(SCMPR0 + 4 * k, 3277)
    assert timer.read(SCMPR0 + 4 * k) == 32768 + 3277
    timer.machine.advance(SECOND // 10)
    assert not lines(timer) and timer.read(STMINTSTAT) == 0
    timer.machine.advance(SECOND // 32768)
    assert lines(timer) == {23 + k} and timer.read(STMINTSTAT) == 1 << k and timer.read(STTMR) == 32768 + 3277
    timer.write(STMINTCLR, 1 << k)
    assert not lines(timer) and timer.read(STMINTSTAT) == 0
    timer.machine.advance(100 * SECOND)
    assert not lines(timer)


def test_a_compare_register_may_be_moved_or_switched_off(timer: Device) -> None:
    timer.write(STMINTEN, 1)
    timer.write(STCFG, XTAL | 1 << 8)
    timer.write(SCMPR0, 100)
    timer.write(SCMPR0, 10_000)
    timer.machine.advance(100 * SECOND // 32768)
    assert timer.read(STMINTSTAT) == 0
    timer.write(STCFG, XTAL)
    timer.machine.advance(SECOND)
    assert timer.read(STMINTSTAT) == 0


# CLK: ticks in 100 seconds, apollo3.h.
CLOCKS = {
    **{1: 12_000_000_00, 2: 3_000_000_00, 3: 187_500_00, 4: 46_875_00, 5: 11_718_75, 6: 32_768_00, 7: 16_384_00},
    **{8: 2048_00, 9: 256_00, 10: 512_00, 11: 32_00, 12: 1_00, 13: 1024_00, 14: 100_00, 16: 8192_00, 17: 4096_00},
    **{18: 1024_00, 0: 0, 20: 0, 31: 0},
}


@pytest.mark.parametrize("select", CLOCKS)
def test_counters_count(select: int, timer: Device) -> None:
    linked = 1 << 31
    timer.write(0x2C, linked | CONTINUOUS | select << 1 | ENABLE)
    timer.machine.advance(100 * SECOND)
    assert timer.read(0x20) == CLOCKS[select]


def test_halves_count_by_themselves(timer: Device) -> None:
    timer.write(0x0C, (CONTINUOUS | HFRC_DIV16 | ENABLE) | (CONTINUOUS | LFRC | ENABLE) << 16)
    timer.machine.advance(SECOND // 100)
    assert timer.read(0x00) == 30_000 | 10 << 16
    timer.write(0x0C, CONTINUOUS | HFRC_DIV16 | ENABLE)
    timer.machine.advance(SECOND // 100)
    assert timer.read(0x00) == 60_000 | 10 << 16
    timer.machine.advance(SECOND // 100)
    assert timer.read(0x00) & 0xFFFF == 90_000 - 65_536
    timer.write(0x0C, CONTINUOUS | HFRC_DIV16 | CLR)
    assert timer.read(0x00) == 10 << 16
    assert timer.read(0x20) == 0


def test_global_enable_stops(timer: Device) -> None:
    timer.write(0x0C, CONTINUOUS | LFRC | ENABLE)
    timer.write(GLOBEN, 0xFFFE)
    timer.machine.advance(SECOND)
    assert timer.read(0x00) == 0
    timer.write(GLOBEN, 0xFFFF)
    timer.machine.advance(SECOND)
    assert timer.read(0x00) == 1024


@pytest.mark.parametrize("n", range(16))
def test_repeated_counts_interrupt(n: int, timer: Device) -> None:
    base, shift = n // 2 * 0x20, n % 2 * 16
    timer.write(base + (0x08 if n % 2 else 0x04), 1000)
    timer.write(INTEN, 1 << n)
    timer.write(base + 0x0C, (REPEAT | HFRC_DIV16 | IE0 | ENABLE) << shift)
    times = 0
    for _ in range(100):
        timer.machine.advance(SECOND // 10_000)
        times += lines(timer) == {14}
        timer.write(INTCLR, 0xFFFFFFFF)
        assert not lines(timer)
    assert times == 30  # 10 ms, 3 MHz, 1000 ticks
    assert timer.read(base) >> shift & 0xFFFF < 1000


def test_counting_once_stops(timer: Device) -> None:
    timer.write(0x04, 500)
    timer.write(0x0C, ONCE | LFRC | IE0 | ENABLE)
    timer.machine.advance(10 * SECOND)
    assert timer.read(0x00) == 500 and timer.read(INTSTAT) == 1
    timer.write(INTCLR, 1)
    timer.machine.advance(10 * SECOND)
    assert timer.read(INTSTAT) == 0 and not lines(timer)


def test_pulses_interrupt_at_both_compare_registers(timer: Device) -> None:
    timer.write(0x04, 100 | 1024 << 16)
    timer.write(0x0C, PULSE | LFRC | IE0 | IE1 | ENABLE)
    timer.machine.advance(SECOND // 5)
    assert timer.read(INTSTAT) == 1
    timer.machine.advance(SECOND)
    assert timer.read(INTSTAT) == 1 | 1 << 16


def test_linked_counters_interrupt(timer: Device) -> None:
    timer.write(0x04, 300_000 & 0xFFFF)
    timer.write(0x08, 300_000 >> 16)
    timer.write(0x0C, 1 << 31 | REPEAT | HFRC_DIV16 | IE0 | ENABLE)
    timer.machine.advance(SECOND // 10 - 1000)
    assert timer.read(INTSTAT) == 0
    timer.machine.advance(2000)
    assert timer.read(INTSTAT) == 1 and timer.read(0x00) == 3


def test_a_reset_stops_everything(timer: Device) -> None:
    timer.write(0x04, 10)
    timer.write(0x0C, REPEAT | LFRC | IE0 | ENABLE)
    timer.reset()
    timer.machine.advance(SECOND)
    assert timer.read(0x00) == 0 and timer.read(INTSTAT) == 0


def test_a_reset_of_the_machine_stops_everything(timer: Device) -> None:
    timer.write(0x04, 10)
    timer.write(0x0C, REPEAT | LFRC | IE0 | ENABLE)
    timer.machine["alarms"].reset()
    timer.reset()
    assert timer.machine.ClockSource.entries == []
    timer.machine.advance(SECOND)
    assert timer.read(INTSTAT) == 0


def test_several_events_at_once(timer: Device) -> None:
    """Of two counters and the system timer, which then go on."""
    timer.write(STMINTEN, 1)
    timer.write(STCFG, 5 | 1 << 8)
    timer.write(SCMPR0, 10)
    for base in (0x00, 0x40):
        timer.write(base + 0x04, 10)
        timer.write(base + 0x0C, REPEAT | LFRC | IE0 | ENABLE)
    timer.machine.advance(10 * SECOND // 1024 - 1)
    assert timer.read(INTSTAT) == timer.read(STMINTSTAT) == 0
    for _ in range(3):
        timer.machine.advance(10 * SECOND // 1024 + 1)
        assert timer.read(INTSTAT) == 1 | 1 << 4 and timer.read(STMINTSTAT) == 1
        timer.write(INTCLR, 0xFFFFFFFF)


def test_what_renode_saves_holds_no_function(timer: Device) -> None:
    """It keeps what lies in a script's scope, and what its clock calls."""
    timer.write(STCFG, XTAL | 1 << 8)
    timer.write(SCMPR0, 100)
    [entry] = timer.machine.ClockSource.entries
    assert entry.Handler == (timer.machine["alarms"], "Reset")
    for device in (timer, timer.machine["alarms"]):
        given = ("request", "self", "clr", "sys", "System", "Antmicro", "__builtins__", "here")
        kept = {name: value for name, value in device.scope.items() if name not in given}
        assert pickle.loads(pickle.dumps(kept)) == kept and None not in kept.values()


def test_software_raises_interrupts(timer: Device) -> None:
    timer.write(INTEN, 0xFFFFFFFF)
    timer.write(STMINTEN, 0x1FFF)
    timer.write(INTSET, 1 << 5)
    timer.write(STMINTSET, 0x1FF)
    assert lines(timer) == set(load_chip("apollo3").peripherals["ctimer"].interrupts)
    timer.write(INTEN, 0)
    assert 14 not in lines(timer)


WDT_CFG, RSTRT, LOCK, COUNT = 0x00, 0x04, 0x08, 0x0C
HZ_128, HZ_16, HZ_1 = (select << 24 for select in (1, 2, 3))


@pytest.fixture
def watchdog() -> Device:
    device = with_alarms("wdt")
    device.machine.SystemBus.WriteBytes(b"\x02\x00\x00\x00", 0x40000000)  # RSTGEN CFG: WDREN
    return device


def configured(reset: int, interrupt: int, clock: int) -> int:
    return 0x7 | reset << 8 | interrupt << 16 | clock


def test_watchdog_barks_then_bites(watchdog: Device) -> None:
    watchdog.write(INTEN, 1)
    watchdog.write(WDT_CFG, configured(128, 64, HZ_128))
    watchdog.machine.advance(SECOND // 2 - 1)
    assert not lines(watchdog) and watchdog.read(COUNT) == 63
    watchdog.machine.advance(1)
    assert lines(watchdog) == set(load_chip("apollo3").peripherals["wdt"].interrupts)
    watchdog.write(INTCLR, 1)
    assert not lines(watchdog)
    watchdog.machine.advance(SECOND // 2)
    assert watchdog.machine["rstgen"].calls == [("ControlWrite", 0x40, 0)]


def test_watchdog_is_fed(watchdog: Device) -> None:
    watchdog.write(WDT_CFG, configured(16, 255, HZ_16))
    for _ in range(5):
        watchdog.machine.advance(SECOND * 9 // 10)
        watchdog.write(RSTRT, 0xB2)
    watchdog.write(RSTRT, 0x00)
    assert not watchdog.machine["rstgen"].calls
    watchdog.machine.advance(SECOND)
    assert watchdog.machine["rstgen"].calls


def test_watchdog_resets_only_if_allowed(watchdog: Device) -> None:
    watchdog.machine.SystemBus.WriteBytes(bytes(4), 0x40000000)
    watchdog.write(WDT_CFG, configured(1, 255, HZ_1))
    watchdog.machine.advance(10 * SECOND)
    assert not watchdog.machine["rstgen"].calls


def test_watchdog_can_be_locked(watchdog: Device) -> None:
    watchdog.write(WDT_CFG, configured(2, 255, HZ_1))
    watchdog.write(LOCK, 0x3A)
    watchdog.write(WDT_CFG, 0)
    watchdog.machine.advance(2 * SECOND)
    assert watchdog.machine["rstgen"].calls
