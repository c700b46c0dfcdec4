"""The scripts and the boot ROM of apollo3.repl, as AmbiqSuite uses them."""

from __future__ import annotations

import re

import capstone
import pytest

from mcusim.boards.load import load_chip
from mcusim.system.assets import PLATFORMS
from tests.platforms.devices import Device, chip

ENTRIES = chip("apollo3")


def device(name: str) -> Device:
    return Device(ENTRIES[name])


# Bit of DEVPWREN: bit of DEVPWRSTATUS, by am_hal_pwrctrl.c.
DOMAINS = {0: 2, 1: 3, 2: 3, 3: 3, 4: 4, 5: 4, 6: 4, 7: 2, 8: 2, 9: 5, 10: 2, 11: 6, 12: 7, 13: 8}


@pytest.mark.parametrize("bit", DOMAINS)
def test_device_power_follows_enable(bit: int) -> None:
    power = device("pwrctrl")
    assert power.read(0x18) == 0x3
    power.write(0x08, 1 << bit)
    assert power.read(0x18) & ~0x3 & ~0x200 == 1 << DOMAINS[bit]
    power.write(0x08, 0)
    assert power.read(0x18) == 0x3


def test_a_domain_stays_on_for_its_other_devices() -> None:
    power = device("pwrctrl")
    power.write(0x08, 1 << 7 | 1 << 8)
    power.clear(0x08, 1 << 7)
    assert power.read(0x18) >> 2 & 1


def test_memory_power_follows_enable() -> None:
    power = device("pwrctrl")
    assert power.read(0x14) == 0x1FFFF
    power.write(0x10, 0x40000007)
    assert power.read(0x14) == 0x8007
    assert power.read(0x04) == 1
    power.write(0x00, 1)
    assert power.read(0x04) == 3


def test_core_clock_needs_the_key() -> None:
    clkgen = device("clkgen")
    assert clkgen.read(0x18) == 1
    clkgen.write(0x18, 0)
    assert clkgen.read(0x18) == 1 and "key" in clkgen.log[0]
    clkgen.write(0x14, 0x47)
    clkgen.write(0x18, 0)
    clkgen.write(0x14, 0)
    assert clkgen.read(0x18) == 0 and clkgen.read(0x14) == 0


def test_burst_mode_is_acknowledged() -> None:
    clkgen, mcuctrl = device("clkgen"), device("mcuctrl")
    clkgen.write(0x34, 1)
    assert clkgen.read(0x34) == 7
    clkgen.write(0x34, 0)
    assert clkgen.read(0x34) == 0
    mcuctrl.write(0x18, 0x10)
    assert mcuctrl.read(0x18) == 0x70


def test_identification_says_what_the_chip_has() -> None:
    """CHIPPN: flash 16 KiB << bits 20 to 23, RAM bits 16 to 19 of the table in am_hal_mcuctrl.c."""
    mcuctrl = device("mcuctrl")
    number, memory = mcuctrl.read(0x00), load_chip("apollo3").memory
    assert number >> 24 == 0x06 and 16384 << (number >> 20 & 0xF) == memory["flash"].size_bytes
    assert (16, 32, 64, 128, 256, 512, 1024, 384, 768)[number >> 16 & 0xF] * 1024 == memory["sram"].size_bytes
    mcuctrl.write(0x00, 0)
    assert mcuctrl.read(0x00) == number
    mcuctrl.write(0x1B0, 0xCAFE)
    assert mcuctrl.read(0x1B0) == 0xCAFE


def test_cache_and_comparator() -> None:
    cache, vcomp = device("cachectrl"), device("vcomp")
    cache.write(0x08, 1)
    assert cache.read(0x08) == 4
    assert vcomp.read(0x04) == 0
    vcomp.write(0x08, 0x37)
    assert vcomp.read(0x04) == 2


# How a reset comes: what STAT says after it.
CAUSES = {"power": 0x02, "core": 0x08, "SWPOI": 0x10, "SWPOR": 0x08, "watchdog": 0x40}


@pytest.mark.parametrize("cause", CAUSES)
def test_reset_causes(cause: str) -> None:
    rstgen = device("rstgen")
    rstgen.write(0x04, 0x00)
    rstgen.write(0x08, 0x1B)
    assert rstgen.machine.resets == 0
    keys = {"SWPOI": (0x04, 0x1B), "SWPOR": (0x08, 0xD4)}
    if cause in keys:
        rstgen.write(*keys[cause])
    if cause == "watchdog":
        rstgen.user(0x40)
    assert rstgen.machine.resets == (cause in (*keys, "watchdog"))
    if cause != "power":
        rstgen.reset()
    assert rstgen.read(0x3FC) == CAUSES[cause]
    rstgen.write(0x3FC, 0)
    assert rstgen.read(0x3FC) == 0
    rstgen.reset()
    assert rstgen.read(0x3FC) == 0x08


@pytest.mark.parametrize("name", ["uart0", "uart1"])
def test_interrupts_of_uarts_are_cleared(name: str) -> None:
    iec = device(f"{name}_iec")
    iec.write(0, 0xFFFFFFFF)
    assert iec.machine[name].registers == {0x44: 0x7FF}


def pads_of(gpio: Device) -> dict[int, int]:
    return gpio.machine["gpio_pads"].registers


def configure(gpio: Device, pad: int, padreg: int, cfg: int) -> int:
    """What the pads of Apollo4 are told of one."""
    gpio.write(0x60, 0x73)
    register, shift = pad // 4 * 4, pad % 4 * 8
    gpio.write(register, gpio.read(register) & ~(0xFF << shift) | padreg << shift)
    register, shift = 0x40 + pad // 8 * 4, pad % 8 * 4
    gpio.write(register, gpio.read(register) & ~(0xF << shift) | cfg << shift)
    gpio.write(0x60, 0)
    return pads_of(gpio)[4 * pad]


FUNCTION_GPIO, INPUT = 3 << 3, 1 << 1
RISING, FALLING, NEVER, BOTH = 0x0, 0x8, 0x1, 0x9  # INTD and INCFG, by am_hal_gpio.h


@pytest.mark.parametrize("pad", [0, 14, 31, 32, 46, 49])
@pytest.mark.parametrize(("cfg", "edges"), [(RISING, 2), (FALLING, 1), (NEVER, 0), (BOTH, 3)])
def test_pads_are_configured(pad: int, cfg: int, edges: int) -> None:
    gpio = device("gpio")
    told = configure(gpio, pad, FUNCTION_GPIO | INPUT, cfg | 1 << 1)
    assert told & 0xF == 3 and told >> 4 & 1 and told >> 5 & 1 == (edges == 0)
    assert (told >> 6 & 3, told >> 8 & 3) == (edges, 1)
    assert configure(gpio, pad, 0 << 3, cfg | 1 << 1) >> 8 & 3 == 0, "another function drives the pad"
    assert pads_of(gpio)[0x200] == 0x73


def test_configuration_needs_the_key() -> None:
    gpio = device("gpio")
    for register in (0x00, 0x58, 0xE0, 0x110):
        before = gpio.read(register)
        gpio.write(register, 0x5A5A5A5A)
        assert gpio.read(register) == before
    assert len(gpio.log) == 4 and not pads_of(gpio)


# Register of Apollo3: that of Apollo4.
SAME = {
    **{"WTA": (0x88, 0x214), "WTB": (0x8C, 0x218), "WTSA": (0x90, 0x224), "WTSB": (0x94, 0x228)},
    **{"WTCA": (0x98, 0x234), "WTCB": (0x9C, 0x238), "ENA": (0xA0, 0x244), "ENB": (0xA4, 0x248)},
    **{"ENSA": (0xA8, 0x254), "ENSB": (0xAC, 0x258), "ENCA": (0xB4, 0x264), "ENCB": (0xB8, 0x268)},
    **{"INT0EN": (0x200, 0x2C0), "INT0CLR": (0x208, 0x2C8), "INT1EN": (0x210, 0x2D0), "INT1SET": (0x21C, 0x2DC)},
}


@pytest.mark.parametrize("name", SAME)
def test_pads_do_what_registers_say(name: str) -> None:
    gpio, (own, theirs) = device("gpio"), SAME[name]
    gpio.write(own, 1 << 15)
    assert pads_of(gpio) == {theirs: 1 << 15} and gpio.read(own) == 1 << 15


@pytest.mark.parametrize(("output", "enabled", "expected"), [(0, 0, 0), (1, 0, 1), (2, 0, 0), (3, 0, 0), (3, 1, 1)])
def test_a_driven_pad_reads_itself(output: int, enabled: int, expected: int) -> None:
    gpio = device("gpio")
    configure(gpio, 46, FUNCTION_GPIO | INPUT, output << 1)
    pads_of(gpio).update({0x218: 1 << 14, 0x248: enabled << 14})
    assert gpio.read(0x84) >> 14 & 1 == expected
    configure(gpio, 46, FUNCTION_GPIO, output << 1)
    assert gpio.read(0x84) >> 14 & 1 == 0
    pads_of(gpio)[0x204] = 1 << 14  # a button
    assert gpio.read(0x80) >> 14 & 1 == 1


def boot_rom() -> list[tuple[int, bytes, str]]:
    """Offset, bytes and comment of each word that the description writes into the boot ROM."""
    text = (PLATFORMS / "chips" / "apollo3.repl").read_text(encoding="utf-8")
    lines = re.findall(r"^ +Write(Double)?Word 0x(\w{3}) 0x(\w+) +// (.+)$", text, re.MULTILINE)
    return [(int(at, 16), int(word, 16).to_bytes(4 if double else 2, "little"), say) for double, at, word, say in lines]


def test_boot_rom_is_what_its_comments_say() -> None:
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    words = boot_rom()
    for offset, code, comment in words:
        if comment != ".word":
            (instruction,) = decoder.disasm(code, offset)
            assert f"{instruction.mnemonic} {instruction.op_str}".strip() == comment, hex(offset)
    offsets = [offset for offset, _, _ in words]
    assert offsets == sorted(offsets)
    assert all(offset + len(code) <= after for (offset, code, _), after in zip(words, offsets[1:], strict=False))


def test_boot_rom_stays_inside() -> None:
    """Branches go to written code, and literals are those three words."""
    words = {offset: (code, comment) for offset, code, comment in boot_rom()}
    literals = {offset for offset, (_, comment) in words.items() if comment == ".word"}
    assert {int.from_bytes(words[offset][0], "little") for offset in literals} == {0x12344321, 0xD894E09E, 0x50020000}
    for offset, (_, comment) in words.items():
        if jump := re.search(r"^(?:b|cbz).*#(0x\w+)$", comment):
            assert int(jump[1], 16) in words.keys() - literals, comment
        if load := re.search(r"\[pc, #(0x\w+)\]", comment):
            assert (offset + 4 & ~3) + int(load[1], 16) in literals, comment


# What am_hal_flash.c calls, of what is there.
@pytest.mark.parametrize("entry", [0x4C, 0x50, 0x54, 0x58, 0x6C, 0x70, 0x74, 0x78, 0x7C, 0x80, 0x94, 0x9C])
def test_boot_rom_has_the_entries(entry: int) -> None:
    assert entry in {offset for offset, _, _ in boot_rom()}
