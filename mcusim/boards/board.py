"""platforms/ (or a user's own TOML file) -> Board, validated.

A board is only data: nothing has to be registered. `load_board` takes a name from `platforms/boards` or a path to a
TOML file, whose `chip` is a name from `platforms/chips` or a path next to that file.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mcusim.system.assets import PLATFORMS
from mcusim.system.errors import ConfigurationError, suggestion
from mcusim.system.toml_file import describe, line_of, read_toml

_MINIMUM_STACK_BYTES = 256  # the harness alone needs some 200 at its end


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Region(_Data):
    """Addresses from `origin` up to, not including, `end`."""

    origin: int = Field(ge=0, lt=1 << 32)
    size_bytes: int = Field(gt=0, le=1 << 32)

    @property
    def end(self) -> int:
        return self.origin + self.size_bytes

    @model_validator(mode="after")
    def _in_address_space(self) -> Region:
        if self.end > 1 << 32:
            raise ValueError(f"{self} ends beyond the 32-bit address space")
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


class Clocks(_Data):
    """The core's clock right after a reset, and the highest it may have."""

    reset_hz: int = Field(gt=0)
    core_hz_max: int = Field(gt=0)

    @model_validator(mode="after")
    def _reset_is_allowed(self) -> Clocks:
        if self.reset_hz > self.core_hz_max:
            raise ValueError(f"reset_hz ({self.reset_hz}) is more than core_hz_max ({self.core_hz_max})")
        return self


class Cache(_Data):
    """`granule_bytes` are what a miss brings in, of a line of `line_bytes`; the last one stays in a buffer in front."""

    sets: int = Field(ge=1)
    ways: int = Field(ge=1)
    line_bytes: int = Field(ge=4, le=256)
    granule_bytes: int = Field(ge=4, le=256)
    least_recently_used: bool = True


class RamTiming(Region):
    """RAM that the core waits for. What no such entry names has none."""

    wait_states: int = Field(ge=0)


class MemoryTiming(_Data):
    """How long flash and RAM take. `wait_states_up_to_hz[n]` is the highest clock for n wait states.

    A chip whose wait states do not follow the clock names `wait_states`. Without `data_cache` the instruction cache
    serves both.
    `data_hit_cycles` and `data_miss_extra` are fitted: docs/timing.md.
    """

    wait_states_up_to_hz: list[int] = Field(default=[], strict=False)
    wait_states: int | None = Field(default=None, ge=0)
    prefetch: bool
    instruction_cache: Cache
    data_cache: Cache | None = None
    data_hit_cycles: int = Field(default=0, ge=0, le=2)
    data_miss_extra: int = Field(default=0, ge=-1, le=3)
    ram: list[RamTiming] = Field(default=[], strict=False)

    @model_validator(mode="after")
    def _wait_states_are_known(self) -> MemoryTiming:
        if (self.wait_states is None) == (not self.wait_states_up_to_hz):
            raise ValueError("timing needs either wait_states or wait_states_up_to_hz")
        if self.wait_states_up_to_hz != sorted(self.wait_states_up_to_hz):
            raise ValueError("wait_states_up_to_hz does not ascend")
        return self

    def wait_states_at(self, clock_hz: int) -> int | None:
        """None when the flash cannot be read at that clock."""
        if self.wait_states is not None:
            return self.wait_states
        return next((states for states, highest in enumerate(self.wait_states_up_to_hz) if clock_hz <= highest), None)


class Chip(_Data):
    """What the silicon has. `name` is the stem of its file; mcusim/cores/ knows `core` with `fpu` by these names."""

    name: str
    title: str
    core: str = Field(min_length=1)
    fpu: str | None = None
    interrupts: int = Field(ge=0, le=240)
    priority_bits: int = Field(ge=3, le=8)
    clocks: Clocks | None = None
    memory: dict[str, ChipRegion]
    peripherals: dict[str, Peripheral] = {}
    timing: MemoryTiming | None = None

    @model_validator(mode="after")
    def _regions_are_apart(self) -> Chip:
        regions: list[tuple[str, Region]] = [(f"memory {name!r}", region) for name, region in self.memory.items()]
        regions += [(f"peripheral {name!r}", region) for name, region in self.peripherals.items()]
        for (name, region), (other_name, other) in itertools.combinations(regions, 2):
            if region.overlaps(other):
                raise ValueError(f"{name} ({region}) overlaps {other_name} ({other})")
        return self

    @model_validator(mode="after")
    def _aliases_show_something(self) -> Chip:
        for name, region in self.memory.items():
            original = self.memory.get(region.alias_of or name)
            if original is None or (region.alias_of and original.alias_of):
                raise ValueError(f"memory {name!r} is an alias of {region.alias_of!r}, which is no region of its own")
            if (region.kind, region.size_bytes) != (original.kind, original.size_bytes):
                raise ValueError(f"memory {name!r} has another kind or size than {region.alias_of!r}")
        return self

    @model_validator(mode="after")
    def _interrupts_exist(self) -> Chip:
        for name, peripheral in self.peripherals.items():
            wrong = [number for number in peripheral.interrupts if not 0 <= number < self.interrupts]
            if wrong:
                raise ValueError(f"peripheral {name!r} has interrupt {wrong[0]}, the chip {self.interrupts}")
        return self


class MemoryMap(_Data):
    """What a firmware is linked for. The stack takes the first `stack_bytes` of `ram`.

    `reset_at` is where the core looks for its first two vectors when that is not the beginning of `flash`.
    """

    flash: Region
    ram: Region
    stack_bytes: int = Field(default=4096, ge=_MINIMUM_STACK_BYTES, multiple_of=8)
    reset_at: int | None = Field(default=None, ge=0, lt=1 << 32, multiple_of=4)

    @field_validator("flash", "ram")
    @classmethod
    def _aligned(cls, region: Region) -> Region:
        if region.origin % 1024 or region.size_bytes % 1024:
            raise ValueError(f"{region} does not begin and end at a multiple of 1024 bytes (memory protection)")
        return region

    @model_validator(mode="after")
    def _regions_fit(self) -> MemoryMap:
        if self.flash.overlaps(self.ram):
            raise ValueError(f"flash ({self.flash}) overlaps ram ({self.ram})")
        if self.reset_at is not None and self.flash.origin <= self.reset_at < self.flash.end:
            raise ValueError(
                f"reset_at (0x{self.reset_at:08X}) lies in flash ({self.flash}), whose beginning it would be"
            )
        if self.stack_bytes >= self.ram.size_bytes:
            raise ValueError(f"stack_bytes ({self.stack_bytes}) leaves nothing of ram ({self.ram.size_bytes} bytes)")
        return self


class QemuMachine(_Data):
    """The machine of stock QEMU that stands in for the board, and where its memory lies elsewhere."""

    machine: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    flash: Region | None = None
    ram: Region | None = None
    reset_at: int | None = Field(default=None, ge=0, lt=1 << 32)
    note: str | None = None

    def memory_map(self, of_board: MemoryMap) -> MemoryMap:
        """What a firmware is linked for to run on it: `of_board`, except where the machine has none such."""
        return MemoryMap(
            flash=self.flash or of_board.flash,
            ram=self.ram or of_board.ram,
            stack_bytes=of_board.stack_bytes,
            reset_at=self.reset_at,
        )


class RegisterStep(_Data):
    """One access to a 32-bit register: `write`; or `clear` and `set` bits; or wait until `mask` of it `equals`."""

    what: str = Field(min_length=1, pattern=r"^[A-Za-z0-9 .,:;()/+=_-]+$")  # becomes a comment in C
    address: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    write: int | None = Field(default=None, ge=0, lt=1 << 32)
    clear: int = Field(default=0, ge=0, lt=1 << 32)
    set: int = Field(default=0, ge=0, lt=1 << 32)
    mask: int = Field(default=0, ge=0, lt=1 << 32)
    equals: int | None = Field(default=None, ge=0, lt=1 << 32)

    @model_validator(mode="after")
    def _is_one_thing(self) -> RegisterStep:
        if (self.write is not None) + bool(self.clear | self.set) + (self.equals is not None) != 1:
            raise ValueError(f"step {self.what!r} needs one of: write, clear and set, mask and equals")
        if self.equals is not None and self.equals & ~self.mask:
            raise ValueError(f"step {self.what!r} waits for bits that its mask does not have")
        return self


class Console(_Data):
    """The UART that a terminal on the development machine sees: how to start it, and when its `data` takes a byte.

    `uart` is its name in the chip's file and in Renode.
    """

    uart: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    start_up: list[RegisterStep] = Field(default=[], strict=False)
    data: int = Field(ge=0, lt=1 << 32, multiple_of=4)
    ready: RegisterStep
    idle: RegisterStep

    @model_validator(mode="after")
    def _waits_are_waits(self) -> Console:
        for name, step in (("ready", self.ready), ("idle", self.idle)):
            if step.equals is None:
                raise ValueError(f"console.{name} is no wait: it needs mask and equals")
        return self


class RenodePlatform(_Data):
    """`platform`: the .repl file of the board. Relative to the board's own file, absolute once read."""

    platform: str = Field(min_length=1)


class Board(_Data):
    """A board with its chip. `name` is the stem of its file; currents are those at `clock_hz` and `supply_v`.

    `start_up`: what firmware does on the board itself before main(): clock, flash, caches. QEMU has no such registers.
    """

    name: str
    title: str
    chip: Chip
    clock_hz: int = Field(gt=0)
    supply_v: float = Field(gt=0, allow_inf_nan=False, strict=False)
    current_a: float = Field(gt=0, allow_inf_nan=False, strict=False)
    memory: MemoryMap
    qemu: QemuMachine | None = None
    renode: RenodePlatform | None = None
    start_up: list[RegisterStep] = Field(default=[], strict=False)
    console: Console | None = None

    @model_validator(mode="after")
    def _chip_has_the_memory(self) -> Board:
        for kind, region in (("flash", self.memory.flash), ("ram", self.memory.ram)):
            regions = [has for has in self.chip.memory.values() if has.kind == kind and has.alias_of is None]
            if not any(has.contains(region) for has in regions):
                raise ValueError(f"memory.{kind} ({region}) does not lie in any {kind} of chip {self.chip.name!r}")
        if self.qemu is not None:
            self.qemu.memory_map(self.memory)  # the override has to be a good map too
        return self


def board_names() -> tuple[str, ...]:
    """Names of the boards that come with mcusim, sorted."""
    return _stems(PLATFORMS / "boards")


def load_board(name_or_path: str | Path) -> Board:
    """A board by name, or from a TOML file when that is what the argument looks like.

    Raises ConfigurationError for an unknown name, a file that is not TOML, an unknown key or a value that cannot be.
    """
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text:
        path = Path(text)
    elif text in board_names():
        path = PLATFORMS / "boards" / f"{text}.toml"
    else:
        raise ConfigurationError(f"unknown board {text!r}", hint=suggestion(text, board_names()))
    table, toml = _read(path)
    chip = table.get("chip")
    if not isinstance(chip, str):
        raise ConfigurationError(f"board {path.stem!r} names no chip", where=str(path), hint='chip = "stm32l452re"')
    found = {**table, "name": path.stem, "chip": _load_chip(chip, path)}
    return _with_platform(_validate(Board, found, path, toml), path)


def _with_platform(board: Board, path: Path) -> Board:
    """The board with an absolute path of its Renode platform. Raises ConfigurationError when that is no file."""
    if board.renode is None:
        return board
    platform = path.absolute().parent / board.renode.platform
    if not platform.is_file():
        raise ConfigurationError(
            f"there is no platform file {board.renode.platform!r}",
            where=f"{path}, renode.platform",
            hint=f"looked for {platform}",
        )
    return board.model_copy(update={"renode": RenodePlatform(platform=str(platform))})


def load_chip(name: str) -> Chip:
    """A chip of `platforms/chips`, for which no board is needed. Raises ConfigurationError for an unknown name."""
    return _load_chip(name, PLATFORMS / "chips")


def _load_chip(name: str, board_path: Path) -> Chip:
    if name.endswith(".toml") or "/" in name:
        path = board_path.parent / name
    elif name in _stems(PLATFORMS / "chips"):
        path = PLATFORMS / "chips" / f"{name}.toml"
    else:
        known = suggestion(name, _stems(PLATFORMS / "chips"))
        raise ConfigurationError(f"unknown chip {name!r}", where=str(board_path), hint=known)
    table, toml = _read(path)
    return _validate(Chip, {**table, "name": path.stem}, path, toml)


def _stems(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def _read(path: Path) -> tuple[dict[str, Any], str]:
    table, text = read_toml(path)
    if "name" in table:
        raise ConfigurationError("unknown key 'name'", where=str(path), hint="a board or chip is named by its file")
    return table, text


_Model = TypeVar("_Model", bound=BaseModel)


def _validate(model: type[_Model], table: dict[str, Any], path: Path, text: str) -> _Model:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        # An unknown key first: it is most often the misspelling of the one that is missing.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        keys = [key for key in first["loc"] if key != "chip"]  # the chip has been read before
        line = line_of(text, keys)
        where = f"{path}:{line}" if line else str(path)
        where += f", {describe(keys)}" if keys else ""
        last = str(keys[-1]) if keys else ""
        if first["type"] == "extra_forbidden":
            known = _keys_at(model, keys[:-1]) - {"name"}
            raise ConfigurationError(f"unknown key {last!r}", where=where, hint=suggestion(last, known)) from None
        if first["type"] == "missing":
            raise ConfigurationError(f"key {last!r} is missing", where=where, hint=f"add {last} = ...") from None
        message = first["msg"].removeprefix("Value error, ")
        shown = "" if isinstance(first["input"], (dict, BaseModel)) else f" (it is {first['input']!r})"
        raise ConfigurationError(message[:1].lower() + message[1:] + shown, where=where) from None


def _keys_at(model: type[BaseModel], keys: list[str | int]) -> set[str]:
    """Field names of the table at `keys` below `model`; the name of a table in a table of them is stepped over."""
    for key in keys:
        field = model.model_fields.get(str(key))
        inside = [field.annotation, *get_args(field.annotation)] if field else []
        model = next((kind for kind in inside if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return set(model.model_fields)
