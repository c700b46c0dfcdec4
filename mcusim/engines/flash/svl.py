"""SparkFun's variable loader (Apollo3): a boot loader without a button, in front of firmware at 0x10000.

A packet is a length in two bytes, the higher one first, of what follows: a command, data, CRC-16 of both. After a
reset, which opening the port is, it takes its rate from a `U`, tells its version, and asks for frames of 2048 bytes.
"""

import time
from collections.abc import Callable

from mcusim.boards.board import Board
from mcusim.engines.flash.wire import Wire
from mcusim.engines.hardware.run_on import BoardTrouble
from mcusim.system.errors import EngineError

BAUD = 921600
ORIGIN = 0x10000
VERSION, BOOT_LOAD, NEXT, FRAME, RETRY, DONE = range(1, 7)
FRAME_BYTES = 2048
_LONGEST_PACKET = FRAME_BYTES + 3
_POLYNOMIAL = 0x8005
_START_S, _KNOCK_S, _ANSWER_S = 5.0, 0.15, 5.0
_MOST_RETRIES = 10


def crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ _POLYNOMIAL if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def packet(command: int, data: bytes = b"") -> bytes:
    body = bytes([command]) + data
    body += crc16(body).to_bytes(2, "big")
    return len(body).to_bytes(2, "big") + body


def receive(wire: Wire, limit_s: float) -> tuple[int, bytes]:
    """Command and data. Raises BoardTrouble for a damaged packet, or none."""
    length = int.from_bytes(wire.read(2, limit_s), "big")
    body = wire.read(length, limit_s) if 3 <= length <= _LONGEST_PACKET else b""
    if not body or crc16(body[:-2]) != int.from_bytes(body[-2:], "big"):
        raise BoardTrouble("what the boot loader says is damaged", where=wire.path, hint="press reset, and try again")
    return body[0], body[1:-2]


def flash(image: bytes, board: Board, path: str, stop: Callable[[], bool]) -> None:
    """Raises BoardTrouble without an answer, EngineError for firmware that lies elsewhere."""
    if board.memory.flash.origin != ORIGIN:
        what = (
            f"board {board.name!r} has its firmware at 0x{board.memory.flash.origin:08X}, this loader at 0x{ORIGIN:08X}"
        )
        raise EngineError(what, hint="make a board of it whose flash begins there: docs/serial.md")
    with Wire(path, BAUD, stop) as wire:
        _enter(wire)
        wire.write(packet(BOOT_LOAD))
        _send(image, wire)


def _enter(wire: Wire) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        wire.write(b"U")
        try:
            if receive(wire, _KNOCK_S)[0] == VERSION:
                return
        except BoardTrouble:
            wire.drain()
    what = f"the boot loader gives no answer within {_START_S:g} s"
    raise BoardTrouble(
        what, where=wire.path, hint="has the board SparkFun's variable loader? Press its reset, and try again"
    )


def _send(image: bytes, wire: Wire) -> None:
    parts = [image[at : at + FRAME_BYTES] for at in range(0, len(image), FRAME_BYTES)]
    sent = retries = 0
    while True:
        command, _ = receive(wire, _ANSWER_S)
        retries = retries + 1 if command == RETRY else 0
        if command not in (NEXT, RETRY) or retries > _MOST_RETRIES or (command == RETRY and not sent):
            what = f"the boot loader refuses the firmware: answer {command}, {retries} times"
            raise BoardTrouble(what, where=wire.path, hint="press reset, and try again")
        sent += command == NEXT
        if sent > len(parts):
            wire.write(packet(DONE))
            return
        wire.write(packet(FRAME, parts[sent - 1]))
