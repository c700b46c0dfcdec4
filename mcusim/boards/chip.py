"""What the silicon has: memory, peripherals, clocks, and how long its memory takes. `load.py` reads one from TOML."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from mcusim.system.validation import Table, Unusable, short

# Far beyond any microcontroller: they keep what is computed of them finite.
HIGHEST_HZ, MOST_WAIT_STATES, HIGHEST_V, HIGHEST_A = 10**10, 1000, 1000.0, 1000.0


class Data(Table):
    """A table of a chip's or board's file, told in the checker's own words: data sheets give the numbers, not we."""

    @classmethod
    def refusal(cls, key: str, spelled: str, value: Any, found: Mapping[str, Any]) -> Unusable:
        message = found["msg"][:1].lower() + found["msg"][1:]
        shown = "" if isinstance(found["input"], (dict, BaseModel)) else f" (it is {short(found['input'])})"
        return Unusable(message + shown, _instead(found))


_KINDS = {  # of errors of pydantic, by how they begin -> what to write
    "int": "give a whole number, such as 0x2000_0000 or 48_000_000",
    "float": "give a number, such as 3.3",
    "finite": "give a number, such as 3.3",
    "string_pattern": "use plain letters, digits and signs",
    "string": 'give a text in quotation marks: "..."',
    "bool": "write true or false",
    "list": "give a list: [..]",
}
_BOUNDS = {"gt": "above", "ge": "from", "lt": "below", "le": "up to", "multiple_of": "that is a multiple of"}


def _instead(found: Mapping[str, Any]) -> str:
    told = found.get("ctx", {})
    for key, words in _BOUNDS.items():
        if key in told:
            return f"give a number {words} {told[key]}"
    if "expected" in told:
        return f"write {told['expected']}"
    kind = next((words for begin, words in _KINDS.items() if found["type"].startswith(begin)), None)
    return kind or "see the files in platforms/, which show all keys"


class Region(Data):
    """Addresses from `origin` up to, not including, `end`."""

    origin: int = Field(ge=0, lt=1 << 32)
    size_bytes: int = Field(gt=0, le=1 << 32)

    @property
    def end(self) -> int:
        return self.origin + self.size_bytes

    @model_validator(mode="after")
    def _in_address_space(self) -> Region:
        if self.end > 1 << 32:
            raise Unusable(f"{self} ends beyond the 32-bit address space", "give a smaller 'size_bytes'")
        return self

    def contains(self, other: Region) -> bool:
        return self.origin <= other.origin and other.end <= self.end

    def overlaps(self, other: Region) -> bool:
        return self.origin < other.end and other.origin < self.end

    def __str__(self) -> str:
        return f"0x{self.origin:08X}..0x{self.end - 1:08X}"


class ChipRegion(Region):
    """Memory of the chip. An alias shows the same bytes as region `alias_of`, at other addresses."""

    kind: Literal["flash", "ram", "rom", "information"]
    alias_of: str | None = Field(default=None, min_length=1)


class Peripheral(Region):
    """Registers, and the interrupts they can raise: CMSIS numbers."""

    interrupts: list[int] = Field(default=[], strict=False)


class RandomNumbers(Data):
    """Registers of the source of random numbers: `data` gives one, `status` reads as `ready` when there is one."""

    data: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    status: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    ready: int = Field(ge=0, lt=1 << 32)


class Register(Data):
    """Of a device. It reads as `reset` at first, then as written; bits `follows` others of it: [[bit, other], ..]."""

    address: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    reset: int = Field(default=0, ge=0, lt=1 << 32)
    follows: list[list[Annotated[int, Field(ge=0, le=31)]]] = Field(default=[], strict=False)

    @model_validator(mode="after")
    def _pairs(self) -> Register:
        if any(len(pair) != 2 for pair in self.follows):
            raise Unusable("'follows' is no list of pairs", "write [[bit, the bit that it follows], ..]")
        return self


class Serial(Data):
    """A serial port, as a firmware receives with it: `status` is `idle`, with `waiting` set while `data_in` has a byte.

    It raises `interrupt` (CMSIS number) then, when `enable` has `enabled` set. What is written to `data_out` is sent.
    """

    data_in: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    data_out: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    status: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    idle: int = Field(ge=0, lt=1 << 32)
    waiting: int = Field(ge=0, lt=1 << 32)
    enable: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    enabled: int = Field(ge=0, lt=1 << 32)
    interrupt: int = Field(ge=0, lt=240)


class Identity(Data):
    """A register by which a chip tells what it is: `mask` of it `equals`."""

    what: str = Field(min_length=1)
    address: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    mask: int = Field(gt=0, lt=1 << 32)
    equals: int = Field(ge=0, lt=1 << 32)

    def is_of(self, word: int) -> bool:
        return word & self.mask == self.equals


class Debug(Data):
    """What a debug probe has to know. `servers`: those that know this chip's flash, and what they call it."""

    identity: Identity | None = None
    servers: dict[str, str] = Field(default={})


class Clocks(Data):
    """The core's clock right after a reset, and the highest it may have."""

    reset_hz: int = Field(gt=0, le=HIGHEST_HZ)
    core_hz_max: int = Field(gt=0, le=HIGHEST_HZ)

    @model_validator(mode="after")
    def _reset_is_allowed(self) -> Clocks:
        if self.reset_hz > self.core_hz_max:
            what = f"reset_hz ({self.reset_hz}) is more than core_hz_max ({self.core_hz_max})"
            raise Unusable(what, "give the clock after a reset, and the highest one")
        return self


class Cache(Data):
    """`granule_bytes` are what a miss brings in, of a line of `line_bytes`; the last one stays in a buffer in front."""

    sets: int = Field(ge=1, le=1 << 16)
    ways: int = Field(ge=1, le=64)
    line_bytes: int = Field(ge=4, le=256)
    granule_bytes: int = Field(ge=4, le=256)
    least_recently_used: bool = True


class RamTiming(Region):
    """RAM that the core waits for, or that is a memory of its own: loads from two of them do not pair.

    What no such entry names is one memory without waits.

    What a load takes more that is not behind another one: `single_load` always, `load_after_other` with a register
    offset when the access to RAM before it went to another one.
    """

    wait_states: int = Field(ge=0, le=MOST_WAIT_STATES)
    single_load: int = Field(default=0, ge=0, le=MOST_WAIT_STATES)
    load_after_other: int = Field(default=0, ge=0, le=MOST_WAIT_STATES)


class MemoryTiming(Data):
    """How long flash and RAM take. `wait_states_up_to_hz[n]` is the highest clock for n wait states.

    A chip whose wait states do not follow the clock names `wait_states`. Without `data_cache` the instruction cache
    serves both. `data_hit_cycles` and `data_miss_extra` are fitted: docs/timing.md. `one_data_bus`: loads from any two
    memories pair. `records` names those lines of platforms/measured.csv that speak for this memory.
    """

    wait_states_up_to_hz: list[int] = Field(default=[], strict=False)
    wait_states: int | None = Field(default=None, ge=0, le=MOST_WAIT_STATES)
    prefetch: bool
    instruction_cache: Cache
    data_cache: Cache | None = None
    data_hit_cycles: int = Field(default=0, ge=0, le=2)
    data_miss_extra: int = Field(default=0, ge=-1, le=3)
    ram: list[RamTiming] = Field(default=[], strict=False)
    one_data_bus: bool = False
    records: list[str] = Field(default=[], strict=False)

    @model_validator(mode="after")
    def _wait_states_are_known(self) -> MemoryTiming:
        if (self.wait_states is None) == (not self.wait_states_up_to_hz):
            raise Unusable("timing needs either wait_states or wait_states_up_to_hz", "give one of them")
        if self.wait_states_up_to_hz != sorted(self.wait_states_up_to_hz):
            raise Unusable("wait_states_up_to_hz does not ascend", "give the highest clock for 0, 1, 2 .. wait states")
        return self

    def wait_states_at(self, clock_hz: int) -> int | None:
        """None when the flash cannot be read at that clock."""
        if self.wait_states is not None:
            return self.wait_states
        return next((states for states, highest in enumerate(self.wait_states_up_to_hz) if clock_hz <= highest), None)


class Chip(Data):
    """What the silicon has. `name` is the stem of its file; mcusim/cores/ knows `core` with `fpu` by these names."""

    name: str
    title: str
    core: str = Field(min_length=1)
    fpu: str | None = None
    interrupts: int = Field(ge=0, le=240)
    priority_bits: int = Field(ge=3, le=8)
    clocks: Clocks | None = None
    memory: dict[str, ChipRegion]
    peripherals: dict[str, Peripheral] = Field(default={})
    random_numbers: RandomNumbers | None = None
    registers: list[Register] = Field(default=[], strict=False)
    serial: list[Serial] = Field(default=[], strict=False)
    timing: MemoryTiming | None = None
    debug: Debug | None = None

    @property
    def identity(self) -> Identity | None:
        return self.debug.identity if self.debug else None

    @model_validator(mode="after")
    def _regions_are_apart(self) -> Chip:
        regions: list[tuple[str, Region]] = [(f"memory {name!r}", region) for name, region in self.memory.items()]
        regions += [(f"peripheral {name!r}", region) for name, region in self.peripherals.items()]
        for (name, region), (other_name, other) in itertools.combinations(regions, 2):
            if region.overlaps(other):
                hint = f"move or shorten one of them, or make {name.split()[-1]} an alias_of the other"
                raise Unusable(f"{name} ({region}) overlaps {other_name} ({other})", hint)
        return self

    @model_validator(mode="after")
    def _aliases_show_something(self) -> Chip:
        for name, region in self.memory.items():
            original = self.memory.get(region.alias_of or name)
            if original is None or (region.alias_of and original.alias_of):
                own = ", ".join(other for other, one in self.memory.items() if one.alias_of is None)
                what = f"memory {name!r} is an alias of {region.alias_of!r}, which is no region of its own"
                raise Unusable(what, f"these are: {own}")
            if (region.kind, region.size_bytes) != (original.kind, original.size_bytes):
                what = f"memory {name!r} has another kind or size than {region.alias_of!r}"
                raise Unusable(what, f"give it kind = {original.kind!r} and size_bytes = {original.size_bytes}")
        return self

    @model_validator(mode="after")
    def _interrupts_exist(self) -> Chip:
        for name, peripheral in self.peripherals.items():
            wrong = [number for number in peripheral.interrupts if not 0 <= number < self.interrupts]
            if wrong:
                what = f"peripheral {name!r} has interrupt {wrong[0]}, the chip {self.interrupts}"
                raise Unusable(what, "give the numbers of CMSIS, from 0; or more 'interrupts'")
        return self
