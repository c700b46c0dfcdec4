"""A table of measurements (CSV) -> rows, each with the firmware, the board and what was measured on it.

Nothing of a row is believed before all rows are right: measuring takes minutes, reading them takes none.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.boards.chip import ChipRegion
from mcusim.boards.clock import hertz
from mcusim.boards.load import load_board
from mcusim.engines.engine import SerialInput
from mcusim.system.elf import read_elf
from mcusim.system.errors import ConfigurationError, DataError, McusimError, Problems
from mcusim.system.files import read_file
from mcusim.system.names import printable
from mcusim.timing.memory import wait_states
from mcusim.timing.record import HELD_OUT, USES, are_cycles, record_of
from mcusim.workloads.flat import FLAT_SUFFIXES, to_elf
from mcusim.workloads.foreign import ForeignElf

COLUMNS = ("image", "from", "to", "calls", "board", "clock", "measured")
_LARGEST_BYTES = 1 << 24
_MOST_CALLS = 1 << 32
_MOST_SERIAL = 1 << 20


@dataclass(frozen=True)
class Measured:
    """One row. `calls` of the function are averaged; 0: all there are. `measured`: cycles of one of them.

    `use`: was a rule of the model chosen with it? `source`: who measured it. `record`: whom it speaks for; that of its
    chip, else the chip's name. `serial`: what the firmware gets.
    """

    name: str
    firmware: ForeignElf
    board: Board
    clock_hz: int
    calls: int
    measured: float
    use: str
    source: str
    record: str
    serial: SerialInput | None = None


def read_measured(path: Path, load_address: int | None, folder: Path) -> list[Measured]:
    """`load_address`: of images without one. Files are relative to the table; what is made of them goes to `folder`.

    Raises DataError or ConfigurationError for a table that cannot be used, with all that is wrong with it.
    """
    rows = _rows(path)
    problems, found = Problems(), list[Measured]()
    elves: dict[Path, Path] = {}
    for line, row in rows:
        with problems.caught(), _told_of(path, line, elves):
            found.append(_Reader(row, path.parent, load_address, folder, elves).measured())
    problems.tell()
    return found


def _rows(path: Path) -> Sequence[tuple[int, Mapping[str, str]]]:
    try:
        if not path.is_file():
            raise OSError("it is a folder, a pipe or a device" if path.exists() else "there is no such file")
        if path.stat().st_size > _LARGEST_BYTES:
            raise ValueError(f"it has more than {_LARGEST_BYTES >> 20} MiB")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            names = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = names
            rows = [(reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        reason = printable(getattr(error, "strerror", None) or str(error))[:200]
        raise DataError(f"{path.name!r} cannot be read: {reason}", where=str(path), hint=_columns_hint()) from error
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise DataError(f"{path.name!r} has no column {missing[0]!r}", where=str(path), hint=_columns_hint())
    if not rows:
        raise DataError(f"{path.name!r} has no rows", where=str(path), hint="give one for each measurement")
    return rows


def _columns_hint() -> str:
    return f"its first line is {','.join(COLUMNS)}; 'to', 'calls' and 'clock' may be empty below"


@contextmanager
def _told_of(path: Path, line: int, elves: Mapping[Path, Path]) -> Iterator[None]:
    """What is wrong with a row names it, and the image that it has."""
    try:
        yield
    except McusimError as error:
        where = next((str(given) for given, elf in elves.items() if error.where == str(elf)), error.where)
        error.where = f"{path}, line {line}" + (f": {where}" if where else "")
        raise


@dataclass(frozen=True)
class _Reader:
    """One row of a table in `beside`."""

    row: Mapping[str, str]
    beside: Path
    load_address: int | None
    folder: Path
    elves: dict[Path, Path]

    def measured(self) -> Measured:
        row = self.row
        cycles, calls, image = self._cycles(), self._calls(), self._image()
        if not row["from"]:
            raise _wrong("'from' is empty", "name the function that was measured, or its address")
        if not row["board"]:
            raise _wrong("'board' is empty", "mcusim boards lists them")
        board = load_board(row["board"])
        clock_hz = hertz(row["clock"]) if row["clock"] else board.clock_hz
        if clock_hz is None:
            raise _wrong(f"{printable(row['clock'])[:60]!r} is no clock", "write for example 80MHz")
        wait_states(board.chip, clock_hz)
        firmware = ForeignElf(image, row["from"], row["to"] or None)
        firmware.demand_places()
        demand_fit(image, board)
        name = row.get("name") or f"{Path(row['image']).stem} {row['from']}"
        record = row.get("record") or record_of(board.chip)
        source = printable(row.get("source", ""))[:200]
        told = self._use(), source, printable(record)[:80], self._serial(board)
        return Measured(printable(name)[:80], firmware, board, clock_hz, calls, cycles, *told)

    def _serial(self, board: Board) -> SerialInput | None:
        """`serial`, or with @ before it the bytes of the file of that name, sent after `serial_after`."""
        text, after = self.row.get("serial", ""), self.row.get("serial_after", "")
        if not text and after:
            raise _wrong(
                "'serial_after' has what comes before no input", "give the input in 'serial', or leave both empty"
            )
        if not text:
            return None
        if not board.chip.serial:
            what = f"'serial' has input, but nothing is known of the serial ports of chip {board.chip.name!r}"
            raise _wrong(what, "add [[serial]] to its file, as platforms/chips/stm32l4r5zi.toml has it")
        if text.startswith("@"):
            sent = read_file(self.beside / text[1:], _MOST_SERIAL, hint="name a file beside the table: @input.txt")
        else:
            sent = _bytes("serial", text)
        return SerialInput(sent, _bytes("serial_after", after))

    def _use(self) -> str:
        use = self.row.get("use") or HELD_OUT
        if use not in USES:
            raise _wrong(f"'use' is {printable(use)[:60]!r}", f"write {' or '.join(USES)}, or leave it empty")
        return use

    def _cycles(self) -> float:
        text = self.row["measured"]
        try:
            cycles = float(text.replace("_", ""))
        except ValueError:
            cycles = math.nan
        if not are_cycles(cycles):
            shown = f"{printable(text)[:60]!r} is no measured value" if text else "'measured' is empty"
            raise _wrong(shown, "give the cycles of one call: at least 1")
        return cycles

    def _calls(self) -> int:
        text = self.row["calls"]
        if text and not (text.isascii() and text.isdecimal() and int(text) < _MOST_CALLS):
            raise _wrong(f"{printable(text)[:60]!r} is no number of calls", "give a whole number, or leave it empty")
        return int(text or 0)

    def _image(self) -> Path:
        """As an ELF file."""
        if not self.row["image"]:
            raise _wrong("'image' is empty", "name the ELF, .bin or .hex file that ran")
        given = self.beside / self.row["image"]
        if given.suffix.lower() not in FLAT_SUFFIXES:
            return given
        if given not in self.elves:
            goal = self.folder / f"image-{len(self.elves)}" / given.name
            goal.parent.mkdir()
            self.elves[given] = to_elf(given, self.load_address, goal)
        return self.elves[given]


def _bytes(column: str, text: str) -> bytes:
    try:
        return text.encode("ascii").decode("unicode_escape").encode("latin-1")
    except ValueError:
        what = f"{column!r} is {printable(text)[:60]!r}"
        raise _wrong(what, r"write it in ASCII, with \n and \x07 as in C") from None


def _wrong(what: str, hint: str) -> DataError:
    return DataError(what, hint=hint)


def demand_fit(elf: Path, board: Board) -> None:
    """Raises ConfigurationError when it is loaded where the chip of `board` has no memory, and says where."""
    memory = [(region.origin, region.end, f"{name} at {region}") for name, region in _loadable(board)]
    for at, size in read_elf(elf).loaded:
        end = at
        for origin, after, _ in memory:  # ascending: one may go on in the next
            end = after if origin <= end < after else end
        if end < at + size:
            places = ", ".join(place for *_, place in memory)
            what = f"{elf.name!r} is loaded at 0x{at:08X}..0x{at + size - 1:08X}, where {board.name!r} has no memory"
            raise ConfigurationError(what, where=str(elf), hint=f"it has {places}: was it linked for another board?")


def _loadable(board: Board) -> Sequence[tuple[str, ChipRegion]]:
    """By address."""
    found = [(name, region) for name, region in board.chip.memory.items() if region.kind in ("flash", "ram")]
    return sorted(found, key=lambda row: row[1].origin)
