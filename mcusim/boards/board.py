"""A board is only data: its chip, clock, supply and memory, and what each engine has to know of it."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from mcusim.boards.chip import HIGHEST_A, HIGHEST_HZ, HIGHEST_V, Chip, Data, Region
from mcusim.system.validation import Unusable

_LONGEST_TOLD = 32
PLAIN = r"^[A-Za-z0-9 .,:;()/+=_-]+$"  # of what becomes a comment in C
_MINIMUM_STACK_BYTES = 256  # the harness alone needs some 200 at its end


class MemoryMap(Data):
    """What a firmware is linked for. The stack takes the first `stack_bytes` of `ram`.

    `code_ram`: RAM from which code is fetched without waiting, over another bus than data; it holds nothing else.
    `reset_at` is where the core looks for its first two vectors when that is not the beginning of `flash`.
    """

    flash: Region
    ram: Region
    code_ram: Region | None = None
    stack_bytes: int = Field(default=4096, ge=_MINIMUM_STACK_BYTES, multiple_of=8)
    reset_at: int | None = Field(default=None, ge=0, lt=1 << 32, multiple_of=4)

    @field_validator("flash", "ram", "code_ram")
    @classmethod
    def _aligned(cls, region: Region | None) -> Region | None:
        if region and (region.origin % 1024 or region.size_bytes % 1024):
            what = f"{region} does not begin and end at a multiple of 1024 bytes (memory protection)"
            raise Unusable(what, "give an origin and a size_bytes that are multiples of 1024")
        return region

    @model_validator(mode="after")
    def _regions_fit(self) -> MemoryMap:
        if self.flash.overlaps(self.ram):
            raise Unusable(f"flash ({self.flash}) overlaps ram ({self.ram})", "move or shorten one of them")
        for name, region in (("flash", self.flash), ("ram", self.ram)):
            if self.code_ram is not None and self.code_ram.overlaps(region):
                what = f"code_ram ({self.code_ram}) overlaps {name} ({region})"
                raise Unusable(what, "give it RAM of its own, or leave it out: code then stays in flash")
        if self.reset_at is not None and self.flash.origin <= self.reset_at < self.flash.end:
            reset_at = f"reset_at (0x{self.reset_at:08X})"
            raise Unusable(f"{reset_at} lies in flash ({self.flash}), whose beginning it would be", "leave it out")
        if self.stack_bytes >= self.ram.size_bytes:
            what = f"stack_bytes ({self.stack_bytes}) leaves nothing of ram ({self.ram.size_bytes} bytes)"
            raise Unusable(what, "give fewer: 4096 are enough for most models")
        return self


class QemuMachine(Data):
    """The machine of stock QEMU that stands in for the board, and where its memory lies elsewhere."""

    machine: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    flash: Region | None = None
    ram: Region | None = None
    code_ram: Region | None = None
    reset_at: int | None = Field(default=None, ge=0, lt=1 << 32, multiple_of=4)
    note: str | None = None

    def memory_map(self, of_board: MemoryMap) -> MemoryMap:
        """What a firmware is linked for to run on it: `of_board`, except where the machine has none such.

        What takes the place of RAM for code may as well be flash: QEMU loads code there, and nothing copies it.
        """
        return MemoryMap(
            flash=self.flash or of_board.flash,
            ram=self.ram or of_board.ram,
            code_ram=of_board.code_ram and (self.code_ram or of_board.code_ram),
            stack_bytes=of_board.stack_bytes,
            reset_at=self.reset_at,
        )


class RegisterStep(Data):
    """One access to a 32-bit register: `write`; or `clear` and `set` bits; or wait until `mask` of it `equals`."""

    what: str = Field(min_length=1, pattern=PLAIN)
    address: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    write: int | None = Field(default=None, ge=0, lt=1 << 32)
    clear: int = Field(default=0, ge=0, lt=1 << 32)
    set: int = Field(default=0, ge=0, lt=1 << 32)
    mask: int = Field(default=0, ge=0, lt=1 << 32)
    equals: int | None = Field(default=None, ge=0, lt=1 << 32)

    @model_validator(mode="after")
    def _is_one_thing(self) -> RegisterStep:
        if (self.write is not None) + bool(self.clear | self.set) + (self.equals is not None) != 1:
            what = f"step {self.what!r} needs one of: write, clear and set, mask and equals"
            raise Unusable(what, "make two steps of it, or remove what it does not do")
        if self.equals is not None and self.equals & ~self.mask:
            what = f"step {self.what!r} waits for bits that its mask does not have"
            raise Unusable(what, f"give mask = {self.mask | self.equals:#x}")
        return self


BASE_BAUD = 115200  # of every console after its start-up


class Rate(Data):
    """How a console comes to another rate, with nothing on its way."""

    baud: int = Field(ge=1200, le=12_000_000)
    steps: list[RegisterStep] = Field(min_length=1, strict=False)


class Console(Data):
    """The UART that a terminal on the development machine sees: how to start it, and when its `data` takes a byte.

    `uart` is its name in the chip's file and in Renode. With `receive` it can be spoken to: then `receiver` follows on
    `start_up`, and `data_in` holds a byte when that wait is over. `rates` has the one of the beginning, too.
    """

    uart: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    start_up: list[RegisterStep] = Field(default=[], strict=False)
    data: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    ready: RegisterStep
    idle: RegisterStep
    receiver: list[RegisterStep] = Field(default=[], strict=False)
    receive: RegisterStep | None = None
    data_in: int | None = Field(default=None, ge=0, lt=1 << 32, multiple_of=4)
    rates: list[Rate] = Field(default=[], strict=False)

    @model_validator(mode="after")
    def _waits_are_waits(self) -> Console:
        for name, step in (("ready", self.ready), ("idle", self.idle), ("receive", self.receive)):
            if step is not None and step.equals is None:
                raise Unusable(f"console.{name} is no wait: it needs mask and equals", "mask = 0x80, equals = 0x80")
        return self

    @model_validator(mode="after")
    def _receives_whole(self) -> Console:
        if (self.receive is None) != (self.data_in is None):
            raise Unusable("console has only one of receive and data_in", "a console that receives needs both")
        bauds = [rate.baud for rate in self.rates]
        if self.receive is not None and (BASE_BAUD not in bauds or len(set(bauds)) < len(bauds)):
            hint = f"one [[console.rates]] for each, {BASE_BAUD} among them"
            raise Unusable(f"console.rates are not the rates of a console that receives: {bauds}", hint)
        return self


class EnergyPin(Data):
    """A pin that is `high` while the model runs, where an energy meter looks for it.

    `title`: as people find it on the board. `start_up` makes it an output, which is low.
    """

    title: str = Field(min_length=1, pattern=PLAIN)
    start_up: list[RegisterStep] = Field(default=[], strict=False)
    high: RegisterStep
    low: RegisterStep

    @model_validator(mode="after")
    def _changes_something(self) -> EnergyPin:
        for name, step in (("high", self.high), ("low", self.low)):
            if step.equals is not None:
                raise Unusable(f"energy_pin.{name} is a wait: it has to set the pin", "give write, or clear and set")
        return self


class RenodePlatform(Data):
    """`platform`: the .repl file of the board. Relative to the board's own file, absolute once read."""

    platform: str = Field(min_length=1)


class Board(Data):
    """A board with its chip. `name` is the stem of its file; currents are those at `clock_hz` and `supply_v`.

    `start_up`: what firmware does on the board itself before main(): clock, flash, caches. QEMU has no such registers.
    """

    name: str
    title: str
    chip: Chip
    clock_hz: int = Field(gt=0, le=HIGHEST_HZ)
    supply_v: float = Field(gt=0, le=HIGHEST_V, allow_inf_nan=False)
    current_a: float = Field(gt=0, le=HIGHEST_A, allow_inf_nan=False)
    memory: MemoryMap
    qemu: QemuMachine | None = None
    renode: RenodePlatform | None = None
    start_up: list[RegisterStep] = Field(default=[], strict=False)
    console: Console | None = None
    energy_pin: EnergyPin | None = None

    @property
    def told_name(self) -> bytes:
        """As its firmware tells it."""
        return self.name.encode()[:_LONGEST_TOLD]

    @model_validator(mode="after")
    def _chip_has_the_memory(self) -> Board:
        memory = self.memory
        for key, kind, region in (
            ("flash", "flash", memory.flash),
            ("ram", "ram", memory.ram),
            ("code_ram", "ram", memory.code_ram),
        ):
            regions = [has for has in self.chip.memory.values() if has.kind == kind and has.alias_of is None]
            if region is not None and not any(has.contains(region) for has in regions):
                what = f"memory.{key} ({region}) does not lie in any {kind} of chip {self.chip.name!r}"
                raise Unusable(what, f"it has {', '.join(map(str, regions)) or 'none'}")
        if self.qemu is not None:
            self.qemu.memory_map(self.memory)  # the override has to be a good map too
        return self
