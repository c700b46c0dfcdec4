"""Frames of codegen/harness/transport_serial.c: 00, COBS(type, sequence, payload, CRC-32 of all before), 00."""

import struct
import zlib
from typing import NamedTuple

HELLO, INFO, RUN, RESULT, NAK, END, DONE, FAULT, RATE, RATED, PING, PONG, LAYERS, LAYERED, REPEAT, REPEATED = range(
    1, 17
)
ANSWERS = {HELLO: INFO, RUN: RESULT, END: DONE, RATE: RATED, PING: PONG, LAYERS: LAYERED, REPEAT: REPEATED}
OLDEST, REPEATS = 2, 3  # versions: the first that is understood, the first that knows REPEAT
_HEAD, _CRC = struct.Struct("<BI"), struct.Struct("<I")
_LONGEST_BLOCK = 254


class Frame(NamedTuple):
    kind: int
    sequence: int
    payload: bytes


class Info(NamedTuple):
    """INFO: `boot` names a life of the board, `digest` is the CRC-32 of its flash, `chip` what the chip tells.

    `samples`: answered in this life. `counter`: of cycles, now. `board`: its name as far as it is told.
    """

    version: int
    boot: int
    digest: int
    chip: int
    input_bytes: int
    output_bytes: int
    samples: int
    counter: int
    board: bytes


class Result(NamedTuple):
    """RESULT: cycles of the model; samples answered in this life, this one included; the counter of cycles, now."""

    cycles: int
    samples: int
    counter: int
    output: bytes


class Done(NamedTuple):
    """DONE: `window`: what the counter of cycles goes on by around a model that does nothing."""

    samples: int
    stack_bytes: int
    counter: int
    window: int


def frame_bytes(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """As it goes over the wire."""
    body = _HEAD.pack(kind, sequence) + payload
    return b"\0" + stuffed(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def read_frame(piece: bytes) -> Frame | None:
    """What stood between two zeros; None when it is damaged."""
    body = unstuffed(piece)
    if body is None or len(body) < _HEAD.size + _CRC.size:
        return None
    body, crc = body[: -_CRC.size], body[-_CRC.size :]
    if _CRC.pack(zlib.crc32(body)) != crc:
        return None
    kind, sequence = _HEAD.unpack_from(body)
    return Frame(kind, sequence, body[_HEAD.size :])


def stuffed(data: bytes) -> bytes:
    """COBS: blocks of a length and up to 254 bytes, none of them 0; behind a shorter block a 0 is meant."""
    found = bytearray()
    for part in data.split(b"\0"):
        while len(part) >= _LONGEST_BLOCK:  # a zero may follow, which a full block does not tell
            found += bytes([_LONGEST_BLOCK + 1]) + part[:_LONGEST_BLOCK]
            part = part[_LONGEST_BLOCK:]
        found += bytes([len(part) + 1]) + part
    return bytes(found)


def unstuffed(data: bytes) -> bytes | None:
    """Inverse of `stuffed`; None for what it never makes."""
    found, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        block = data[at + 1 : at + code]
        if code == 0 or len(block) != code - 1:
            return None
        found += block
        at += code
        if code <= _LONGEST_BLOCK and at < len(data):
            found.append(0)
    return bytes(found)


def read_info(payload: bytes) -> Info | None:
    """None of one that is too short. Later versions only add behind what is known."""
    words = struct.Struct("<8I")
    if len(payload) < words.size:
        return None
    told: tuple[int, int, int, int, int, int, int, int] = words.unpack_from(payload)
    return Info(*told, payload[words.size :])


def read_result(payload: bytes) -> Result:
    cycles, samples, counter = struct.unpack_from("<3I", payload)
    return Result(cycles, samples, counter, payload[12:])


def read_done(payload: bytes) -> Done:
    return Done(*struct.unpack_from("<4I", payload))
