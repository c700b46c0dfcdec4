"""Ambiq's secure boot loader (Apollo3), wired update: image -> file of the update -> messages over the serial port.

A message is the CRC-32 of its rest, a word of its length in bytes (all of it) << 16 | type, and a payload; each is
answered. The boot loader listens at 921600 baud, and only when its pin is pulled as the board comes out of a reset: on
the SparkFun Edge that is the button 14, held while the port is opened, which resets the board.
"""

import struct
import time
import zlib
from collections.abc import Callable, Iterator

from mcusim.boards.board import Board
from mcusim.engines.flash.wire import Wire
from mcusim.engines.hardware.run_on import BoardTrouble
from mcusim.system.errors import EngineError

BAUD = 921600
HELLO, STATUS, OTA_DESCRIPTOR, UPDATE, ABORT, RECOVER, RESET, ACK, DATA = range(9)
LARGEST_MESSAGE = 8192
_PAGE = 8192
DESCRIPTOR = 0xFE000  # the page where the boot loader keeps what it was told to install
TEMPORARY = 0x20000  # where the update lies until it is installed, unless the image reaches so far
_WAIT_S, _ANSWER_S = 30.0, 10.0
_KEY, _NON_SECURE, _WITH_CRC = 0x12344321, 6, 1


def ota_image(binary: bytes, address: int) -> bytes:
    """A non-secure image for `address`: a header of 128 bytes, its CRC over all behind it, and whole words."""
    fill = -len(binary) % 4
    binary += bytes([fill]) * fill
    header = bytearray(128)
    struct.pack_into("<I", header, 0, 0xCB << 24 | len(header) + len(binary))
    struct.pack_into("<I", header, 8, 0x10008080)  # to be checked when it is installed
    struct.pack_into("<4I", header, 112, address, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<I", header, 4, zlib.crc32(bytes(header[8:]) + binary))
    return bytes(header) + binary


def wired_update(ota: bytes, temporary: int) -> bytes:
    """An image as it is sent: a header of 96 bytes says where to put it meanwhile."""
    header = bytearray(96)
    struct.pack_into("<I", header, 0, 0x08000800)
    header[80], header[81] = _NON_SECURE, _WITH_CRC
    struct.pack_into("<3I", header, 84, _KEY, temporary, len(ota))
    return bytes(header) + ota


def temporary_address(address: int, ota: bytes) -> int:
    """Behind the image itself, on a page. Raises EngineError when flash has no room for both."""
    end = address + len(ota)
    temporary = max(TEMPORARY, -(-end // _PAGE) * _PAGE)
    if temporary + len(ota) > DESCRIPTOR:
        largest = (DESCRIPTOR - address) // 2
        what = f"the firmware has {len(ota):,} bytes, and the boot loader keeps each twice: {largest:,} are possible"
        raise EngineError(what, hint="flash it with a probe (J-Link, CMSIS-DAP): docs/serial.md")
    return temporary


def message(kind: int, payload: bytes = b"") -> bytes:
    rest = struct.pack("<I", (8 + len(payload)) << 16 | kind) + payload
    return struct.pack("<I", zlib.crc32(rest)) + rest


def updating(update: bytes) -> Iterator[bytes]:
    """The messages of an update, each to be sent when the one before was acknowledged."""
    yield message(OTA_DESCRIPTOR, struct.pack("<I", DESCRIPTOR))
    yield message(UPDATE, struct.pack("<3I", len(update), zlib.crc32(update), 0))
    step = LARGEST_MESSAGE - 12
    for at in range(0, len(update), step):
        yield message(DATA, struct.pack("<I", at) + update[at : at + step])
    yield message(RESET, struct.pack("<I", 1))


def flash(image: bytes, board: Board, path: str, stop: Callable[[], bool]) -> None:
    """Raises BoardTrouble when the boot loader does not answer, or refuses."""
    address = board.memory.flash.origin
    ota = ota_image(image, address)
    update = wired_update(ota, temporary_address(address, ota))
    with Wire(path, BAUD, stop) as wire:
        _enter(wire)
        for sent in updating(update):
            wire.write(sent)
            kind, answer = receive(wire, _ANSWER_S)
            state = struct.unpack_from("<2I", answer)[1] if kind == ACK and len(answer) >= 8 else None
            if state != 0:
                what = f"the boot loader refuses the update: answer {kind}, state {state}"
                raise BoardTrouble(what, where=path, hint="press reset, and try again")


def _enter(wire: Wire) -> None:
    end = time.monotonic() + _WAIT_S
    while time.monotonic() < end:
        wire.write(message(HELLO))
        try:
            kind, _ = receive(wire, 0.5)
        except BoardTrouble:
            wire.drain()
            continue
        if kind == STATUS:
            return
    hint = "hold button 14 while mcusim opens the port, which resets the board, or press reset with it held"
    raise BoardTrouble(f"the boot loader gives no answer within {_WAIT_S:g} s", where=wire.path, hint=hint)


def receive(wire: Wire, limit_s: float) -> tuple[int, bytes]:
    """Type and payload of a message. Raises BoardTrouble for a damaged one, or none."""
    head = wire.read(8, limit_s)
    crc, word = struct.unpack("<2I", head)
    length = word >> 16
    if not 8 <= length <= LARGEST_MESSAGE:
        raise BoardTrouble("what the boot loader says is damaged", where=wire.path, hint="try again")
    payload = wire.read(length - 8, limit_s)
    if zlib.crc32(head[4:] + payload) != crc:
        raise BoardTrouble("what the boot loader says is damaged", where=wire.path, hint="try again")
    return word & 0xFFFF, payload
