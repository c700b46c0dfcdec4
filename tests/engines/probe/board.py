"""A board for tests, played in Python: memory, a firmware with a mailbox, and a probe that tells what it did."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mcusim.engines.probe.connection import DOORBELL
from mcusim.engines.probe.mailbox import DONE, FAULT, NO_MORE, STATE, THERE, WANTED, Mailbox, read_mailbox, word
from mcusim.engines.probe.target import Refused
from mcusim.system.elf import Symbol
from mcusim.system.image import Image
from tests.tiny_library import INPUTS, OUTPUTS

FLASH, RAM, BOX, INPUT, OUTPUT = 0x08000000, 0x20000000, 0x20001000, 0x20001100, 0x20001200
BELL, IDCODE = 0x08000100, 0xE0042000
STARTED = Mailbox(
    *(0x4D495355, 2, 84, WANTED, INPUT, INPUTS, OUTPUT, OUTPUTS, 0, 0, 0xE0001004, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10)
)


def image(elf: Path = Path("firmware.elf")) -> Image:
    places = {"mcusim_vectors": FLASH, "mcusim_stack_start": RAM, "mcusim_mailbox": BOX, DOORBELL: BELL}
    symbols = {name: Symbol(address, 4, "object", ".data") for name, address in places.items()}
    return Image(elf, "nucleo_l452re_p", FLASH + 64, FLASH + 80, INPUTS, OUTPUTS, {}, symbols)


def answer_of(sample: bytes) -> bytes:
    return bytes((sum(sample) & 0xFF, *sample[:3]))


@dataclass
class PlayedBoard:
    """A Target. `breakpoints`: does it have any? `spoil` may change the mailbox after each sample."""

    kind: str = "openocd"
    title: str = "Played"
    version: str = "1"
    reads_running: bool = False
    emulator: bool = True
    breakpoints: bool = True
    protected: bool = False
    damages: bool = False
    chip: int = 0x10016462
    takes_looks: int = 0  # how often a sample is not ready when it is looked at
    spoil: Callable[[dict[str, int]], None] = lambda box: None
    memory: dict[int, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    looks: int = 0

    def __post_init__(self) -> None:
        self.poke(IDCODE, word(self.chip))

    def poke(self, address: int, data: bytes) -> None:
        self.memory.update(enumerate(data, address))

    def peek(self, address: int, count: int) -> bytes:
        return bytes(self.memory.get(address + at, 0xFF) for at in range(count))

    @property
    def box(self) -> Mailbox:
        return read_mailbox(self.peek(BOX, 84))

    def set(self, **values: int) -> None:
        changed = self.box._asdict() | values
        self.spoil(changed)
        self.poke(BOX, b"".join(map(word, changed.values())))

    def read(self, address: int, count: int) -> bytes:
        if self.protected and FLASH <= address < RAM:
            raise Refused(f"no reading at {address:#x}")
        if not self.breakpoints and address == BOX:
            self._looked()
        return self.peek(address, count)

    def write(self, address: int, data: bytes) -> None:
        self.poke(address, bytes((data[0] ^ 1, *data[1:])) if self.damages and address == INPUT else data)
        if not self.breakpoints and address == BOX + STATE:
            self.looks = 0

    def same(self, address: int, data: bytes) -> bool:
        return self.read(address, len(data)) == data

    def load(self, pieces: list[tuple[int, bytes]]) -> None:
        self.told.append("load")
        for address, data in pieces:
            self.poke(address, data)

    def reset(self, vectors: int) -> None:
        self.told.append("reset")

    def break_at(self, address: int) -> bool:
        assert address == BELL
        return self.breakpoints

    def go(self) -> None:
        if self.breakpoints:
            self._run()
        elif self.box.state == 0:
            self.poke(BOX, b"".join(map(word, STARTED)))

    def halt(self) -> None:
        self.told.append("halt")

    def stopped(self, limit_s: float) -> bool:
        return self.box.state != THERE

    def program_counter(self) -> int:
        return FLASH + 64

    def close(self) -> None:
        self.told.append("close")

    def _looked(self) -> None:
        self.looks += 1
        if self.looks > self.takes_looks:
            self._run()

    def _run(self) -> None:
        box = self.box
        if box.state == 0:
            self.poke(BOX, b"".join(map(word, STARTED)))
            self.set()
        elif box.state == THERE:
            sample = self.peek(INPUT, INPUTS)
            output = answer_of(sample)
            self.poke(OUTPUT, output)
            crcs = {"input_crc": zlib.crc32(sample), "output_crc": zlib.crc32(output)}
            self.set(state=WANTED, samples=box.samples + 1, cycles=1000 + box.samples, **crcs)
        elif box.state == NO_MORE:
            self.set(state=DONE, stack_bytes=48)


def hangs(box: dict[str, int]) -> None:
    """From the third sample on."""
    if box["samples"] > 2:
        box["state"] = THERE


def faults(box: dict[str, int]) -> None:
    if box["samples"] > 2:
        box.update(state=FAULT, fault=RAM, fault_bytes=0)
