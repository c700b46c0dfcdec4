"""What Renode is told of a chip or board is what its TOML file says."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import pytest

from mcusim.boards.board import Board
from mcusim.boards.chip import Chip, Region
from mcusim.boards.load import board_names, load_board, load_chip
from mcusim.system.assets import PLATFORMS, RENODE_SCRIPTS
from tests.every_board import board_with
from tests.platforms.devices import chip, descriptions
from tests.platforms.repl import Entry, New, Range, Registration, load

CHIPS = sorted(path.stem for path in (PLATFORMS / "chips").glob("*.repl"))
SCRIPT = "Python.PythonPeripheral"
MEMORY = "Memory.MappedMemory"

# Of the types that know their own size: `Size` in Renode 1.16.1.
SIZES = {
    "CRC.STM32_CRC": 0x400,
    "I2C.STM32F7_I2C": 0x400,
    "IRQControllers.NVIC": 0x1000,
    "Miscellaneous.DWT": 0x1000,
    "Miscellaneous.STM32F4_RNG": 0x400,
    "SPI.STM32SPI": 0x400,
    "Timers.STM32F4_RTC": 0x400,
    "Timers.STM32L0_LpTimer": 0x400,
    "Timers.STM32_IndependentWatchdog": 0x400,
    "Timers.STM32_Timer": 0x400,
    "UART.STM32F7_USART": 0x400,
}


@cache
def chip_of(name: str) -> tuple[Chip, dict[str, Entry]]:
    return load_chip(name), chip(name)


@cache
def platform(path: str) -> dict[str, Entry]:
    return load(Path(path))


def board_of(name: str) -> tuple[Board, dict[str, Entry]]:
    board = board_with(name, "renode")
    assert board.renode is not None
    return board, platform(board.renode.platform)


def integer(value: object) -> int:
    assert isinstance(value, int), value
    return value


def region_of(entry: Entry, registration: Registration) -> Region:
    point = registration.point
    if isinstance(point, Range):
        return Region(origin=point.start, size_bytes=point.end - point.start)
    if isinstance(point, New):
        assert point.type == "Bus.BusRangeRegistration"
        return Region(origin=integer(point.attributes["address"]), size_bytes=integer(point.attributes["size"]))
    return Region(origin=integer(point), size_bytes=integer(entry.attributes.get("size") or SIZES[entry.type or ""]))


def on_the_bus(entries: dict[str, Entry]) -> list[tuple[Entry, Region]]:
    """Every entry once for each place where the core finds it."""
    found = [(entry, at) for entry in entries.values() for at in entry.registrations or []]
    return [(entry, region_of(entry, at)) for entry, at in found if at.register == "sysbus" and at.point is not None]


def owner(described: Chip, entry: Entry) -> list[str]:
    """Peripherals of the TOML file that an entry is, or is a part of: `exti_5_9` is a part of `exti`."""
    return [name for name in described.peripherals if f"{entry.name}_".startswith(f"{name}_")]


def test_what_there_is() -> None:
    assert {"apollo3", "stm32l452re"} <= set(CHIPS)
    named = {Path(board.renode.platform) for board in map(load_board, board_names()) if board.renode}
    assert named >= set((PLATFORMS / "boards").glob("*.repl")), "a platform that no board names"


@pytest.mark.parametrize("path", descriptions(), ids=lambda path: path.stem)
def test_each_says_what_it_is(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[0].startswith("// ") and "For Renode 1.16.1 and newer." in lines[0]
    assert all(len(line) <= 120 for line in lines)


@pytest.mark.parametrize("name", CHIPS)
def test_memory(name: str) -> None:
    described, entries = chip_of(name)
    found = {}
    for entry, region in on_the_bus(entries):
        if entry.type == MEMORY:
            found[region] = entry.name
    assert found == {
        Region(origin=region.origin, size_bytes=region.size_bytes): region.alias_of or name
        for name, region in described.memory.items()
    }


@pytest.mark.parametrize("name", CHIPS)
def test_aliases_come_after_what_they_show(name: str) -> None:
    """The first registration is the region itself."""
    described, entries = chip_of(name)
    for entry in entries.values():
        if entry.type == MEMORY:
            first, *others = [region for one, region in on_the_bus(entries) if one is entry]
            assert first.origin == described.memory[entry.name].origin
            aliases = [r.origin for r in described.memory.values() if r.alias_of == entry.name]
            assert [region.origin for region in others] == aliases


@pytest.mark.parametrize("name", CHIPS)
def test_memory_that_keeps_reads_erased(name: str) -> None:
    described, entries = chip_of(name)
    for region_name, region in described.memory.items():
        if region.alias_of is None and region.kind in ("flash", "information"):
            entry = entries[region_name]
            assert entry.attributes["ResetByte"] == 0xFF and entry.init[0] == "ZeroAll"


@pytest.mark.parametrize("name", CHIPS)
def test_peripherals(name: str) -> None:
    """Each lies in the one it is named for, and none of the TOML file is only partly there."""
    described, entries = chip_of(name)
    covered: dict[str, list[Region]] = {known: [] for known in described.peripherals}
    for entry, region in on_the_bus(entries):
        if entry.type != MEMORY:
            around = [known for known, where in described.peripherals.items() if where.contains(region)]
            assert len(around) == 1, f"{entry.name} at {region} is in {around}"
            assert f"{entry.name}_".startswith(f"{around[0]}_") or around[0].startswith(f"{entry.name}_")
            covered[around[0]].append(region)
    for known, where in described.peripherals.items():
        assert covered[known], f"{known} is not modelled"
        found = (min(region.origin for region in covered[known]), max(region.end for region in covered[known]))
        assert found == (where.origin, where.end), known


@pytest.mark.parametrize("name", CHIPS)
def test_nothing_overlaps(name: str) -> None:
    _, entries = chip_of(name)
    regions = on_the_bus(entries)
    regions += [(entries["sysbus"], region) for region in silent_and_tagged(entries)]
    regions.sort(key=lambda one: one[1].origin)
    for (entry, region), (other, following) in itertools.pairwise(regions):
        assert not region.overlaps(following), f"{entry.name} {region} and {other.name} {following}"


def silent_and_tagged(entries: dict[str, Entry]) -> list[Region]:
    """`SilenceRange <start size>` and `Tag <start size> "NAME"`."""
    found = []
    for line in entries["sysbus"].init:
        if line.startswith("SetHookBeforePeripheralWrite nvic "):
            continue
        command, start, size = line.replace("<", "").replace(">", "").split(" ")[:3]
        assert command in ("SilenceRange", "Tag") and "," not in start, line
        found.append(Region(origin=int(start, 0), size_bytes=int(size, 0)))
    return found


@pytest.mark.parametrize("name", CHIPS)
def test_interrupts(name: str) -> None:
    """Arrows to the NVIC; scripts raise theirs themselves: tests/platforms/test_apollo3_timers.py."""
    described, entries = chip_of(name)
    raised: dict[str, set[int]] = {known: set() for known in described.peripherals}
    for entry in entries.values():
        for irq in entry.irqs:
            if irq.target == "nvic":
                owners = owner(described, entry)
                assert owners, f"{entry.name} raises {irq.line}"
                raised[owners[0]].add(irq.line)
    scripts = {known for entry in entries.values() if entry.type == SCRIPT for known in owner(described, entry)}
    for known, peripheral in described.peripherals.items():
        assert peripheral.interrupts == sorted(set(peripheral.interrupts)), known
        if raised[known] or known not in scripts:
            assert raised[known] == set(peripheral.interrupts), known


@pytest.mark.parametrize("name", CHIPS)
def test_core(name: str) -> None:
    described, entries = chip_of(name)
    mask = (0xFF00 >> described.priority_bits) & 0xFF
    assert entries["nvic"].attributes["priorityMask"] == mask
    assert (
        entries["cpu"].attributes["cpuType"] == described.core and entries["cpu"].attributes["numberOfMPURegions"] == 8
    )
    assert [(irq.source, irq.target, irq.line) for irq in entries["nvic"].irqs] == [("IRQ", "cpu", 0)]
    assert entries["itm"].type == SCRIPT and entries["itm"].attributes["size"] == 0x1000
    assert described.clocks is not None
    assert described.clocks.reset_hz <= clock(entries) <= described.clocks.core_hz_max


def clock(entries: dict[str, Entry]) -> int:
    """The one frequency of core, SysTick and DWT: one instruction is one cycle everywhere."""
    hertz = integer(entries["cpu"].attributes["PerformanceInMips"]) * 1_000_000
    assert entries["nvic"].attributes["systickFrequency"] == entries["dwt"].attributes["frequency"] == hertz
    return hertz


@pytest.mark.parametrize("name", board_names())
def test_clock_of_a_board(name: str) -> None:
    described, entries = board_of(name)
    assert clock(entries) == described.clock_hz
    timers = [entry for entry in entries.values() if entry.type in ("Timers.STM32_Timer", "Timers.STM32L0_LpTimer")]
    timers += [entry for entry in entries.values() if entry.type == "UART.STM32F7_USART"]
    assert all(entry.attributes["frequency"] == described.clock_hz for entry in timers)


@pytest.mark.parametrize("name", board_names())
def test_a_board_adds_no_silicon(name: str) -> None:
    described, entries = board_of(name)
    only_here = set(entries) - set(chip(described.chip.name))
    assert {entries[one].type for one in only_here} <= {"Miscellaneous.LED", "Miscellaneous.Button"}


@pytest.mark.parametrize("name", board_names())
def test_console(name: str) -> None:
    """The script of the board's platform, where it has one, shows the UART that the TOML file names."""
    described, entries = board_of(name)
    assert board_with(name, "console").console and described.console and described.renode
    uart = described.console.uart
    assert (entries[uart].type or "").startswith("UART.") and uart in described.chip.peripherals
    script = RENODE_SCRIPTS / Path(described.renode.platform).with_suffix(".resc").name
    assert not script.is_file() or f"showAnalyzer {uart}\n" in script.read_text(encoding="utf-8")


# LED: the pad it hangs on. Sources: the boards' .repl files.
LEDS = {
    "nucleo_l452re_p": {"led4": ("gpiob", 13)},
    "sparkfun_edge": {
        "led_red": ("gpio_pads", 46),
        "led_blue": ("gpio_pads", 37),
        "led_green": ("gpio_pads", 44),
        "led_yellow": ("gpio_pads", 47),
    },
}
BUTTONS = {"nucleo_l452re_p": ("gpioc", 13, None), "sparkfun_edge": ("gpio_pads", 14, True)}


@pytest.mark.parametrize("name", LEDS)
def test_leds_and_button(name: str) -> None:
    _, entries = board_of(name)
    assert set(LEDS[name]) == {one for one, entry in entries.items() if entry.type == "Miscellaneous.LED"}
    for led, (port, pad) in LEDS[name].items():
        assert entries[led].registrations == [Registration(port, pad)]
        assert [irq.source for irq in entries[port].irqs if irq.target == led] == [pad]
    port, pad, inverted = BUTTONS[name]
    assert entries["button"].registrations == [Registration(port, pad)]
    assert [(irq.target, irq.line) for irq in entries["button"].irqs] == [(port, pad)]
    assert entries["button"].attributes.get("invert") is inverted


def test_a_led_takes_no_interrupt_away() -> None:
    """An arrow of the board replaces those of the chip from the same pin."""
    _, entries = board_of("nucleo_l452re_p")
    lines = {irq.source: irq.line for irq in entries["gpiob"].irqs if irq.target == "syscfg" and irq.local == 1}
    assert lines == {pin: pin for pin in range(16)}
