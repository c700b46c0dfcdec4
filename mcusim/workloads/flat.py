"""A .bin or .hex file, the bytes of a firmware without names -> an ELF file of the same bytes, which engines load."""

import struct
from collections.abc import Sequence
from pathlib import Path

from mcusim.system.errors import BuildError, ConfigurationError

FLAT_SUFFIXES = (".bin", ".hex", ".ihex")
_LARGEST_BYTES = 1 << 28
_LAST_ADDRESS = 1 << 32
_HEADER, _SEGMENT = struct.Struct("<16sHHIIIIIHHHHHH"), struct.Struct("<8I")
_ARM, _EXECUTABLE, _EABI5, _HARD_FLOAT = 40, 2, 0x05000000, 0x400
_LOAD, _ALL_RIGHTS, _ALIGNMENT = 1, 7, 4
_DATA, _END, _SEGMENT_16, _START_16, _LINEAR_32, _START_32 = range(6)

Pieces = Sequence[tuple[int, bytes]]  # address, bytes


def to_elf(path: Path, load_address: int | None, goal: Path) -> Path:
    """Writes `goal`. `load_address`: where the first byte lies, which a .hex file says itself.

    Raises BuildError for a file that cannot be read, ConfigurationError for a .bin without an address.
    """
    data = _read(path)
    if path.suffix.lower() == ".bin":
        if load_address is None:
            hint = "say where its first byte lies: --load-address 0x08000000"
            raise ConfigurationError(f"{path.name!r} is a memory image without addresses", where=str(path), hint=hint)
        pieces: Pieces = [(load_address, data)]
    else:
        pieces = _of_hex(data, path)
        if load_address is not None:
            pieces = [(at + load_address - pieces[0][0], piece) for at, piece in pieces]
    for at, piece in pieces:
        if not 0 <= at <= at + len(piece) <= _LAST_ADDRESS:
            what = f"{path.name!r} has {len(piece):,} bytes at 0x{at:08X}: they end beyond the 32-bit address space"
            raise ConfigurationError(what, where=str(path), hint="give another --load-address")
    goal.write_bytes(_elf(pieces))
    return goal


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise OSError("it is a folder, a pipe or a device" if path.exists() else "there is no such file")
        if not 0 < path.stat().st_size <= _LARGEST_BYTES:
            raise OSError(f"it is empty, or has more than {_LARGEST_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BuildError(f"{path.name!r} cannot be read: {reason}", where=str(path), hint="was it built?") from error


def _of_hex(data: bytes, path: Path) -> Pieces:
    """Intel HEX: lines of ':', then bytes, address, type, data and a sum that makes all of them 0."""
    found: list[tuple[int, bytearray]] = []
    base = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        if not (text := line.strip()):
            continue
        kind, offset, content = _record(text, path, number)
        if kind == _DATA:
            at = base + offset
            if found and found[-1][0] + len(found[-1][1]) == at:
                found[-1][1].extend(content)
            else:
                found.append((at, bytearray(content)))
        elif kind == _END:
            break
        elif kind in (_SEGMENT_16, _LINEAR_32):
            base = int.from_bytes(content, "big") << (4 if kind == _SEGMENT_16 else 16)
        elif kind not in (_START_16, _START_32):
            raise _damaged(path, number, f"there are no records of type {kind}")
    if not found:
        raise _damaged(path, 1, "it has no data")
    return sorted((at, bytes(piece)) for at, piece in found)


def _record(text: bytes, path: Path, number: int) -> tuple[int, int, bytes]:
    try:
        data = bytes.fromhex(text.removeprefix(b":").decode("ascii"))
    except ValueError:
        data = b""
    if not text.startswith(b":") or len(data) < 5 or len(data) != data[0] + 5 or sum(data) & 0xFF:
        raise _damaged(path, number, "it is no record of Intel HEX, or its sum is wrong")
    return data[3], data[1] << 8 | data[2], data[4:-1]


def _damaged(path: Path, line: int, why: str) -> BuildError:
    return BuildError(f"{path.name!r} is damaged: {why}", where=f"{path}, line {line}", hint="was it copied whole?")


def _elf(pieces: Pieces) -> bytes:
    """Without symbols or sections. It is entered where the second word of its first piece says."""
    entry = struct.unpack_from("<I", pieces[0][1].ljust(8, b"\0"), 4)[0]
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    sizes = _HEADER.size, _SEGMENT.size, len(pieces), 40, 0, 0
    head = _HEADER.pack(ident, _EXECUTABLE, _ARM, 1, entry, _HEADER.size, 0, _EABI5 | _HARD_FLOAT, *sizes)
    segments, data = b"", b""
    offset = _HEADER.size + _SEGMENT.size * len(pieces)
    for at, piece in pieces:
        row = _LOAD, offset + len(data), at, at, len(piece), len(piece), _ALL_RIGHTS, _ALIGNMENT
        segments += _SEGMENT.pack(*row)
        data += piece
    return head + segments + data
