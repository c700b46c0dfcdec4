"""The mailbox in a firmware's RAM (codegen/harness/mailbox.h), as bytes."""

import struct
from typing import NamedTuple

WANTED, THERE, NO_MORE, DONE, FAULT = range(1, 6)  # values of `state`
_MAGIC, _VERSION = 0x4D495355, 2
_WORDS = struct.Struct("<21I")
BYTES = _WORDS.size
STATE, REPEAT, CHECK = 4 * 3, 4 * 16, 4 * 17  # where they lie


class Mailbox(NamedTuple):
    """All of its words."""

    magic: int
    version: int
    bytes: int
    state: int
    input: int
    input_bytes: int
    output: int
    output_bytes: int
    samples: int
    cycles: int
    cycle_counter: int
    stack_bytes: int
    fault: int
    fault_bytes: int
    stack: int
    stack_left: int
    repeat: int
    check: int
    input_crc: int
    output_crc: int
    window_cycles: int

    @property
    def is_one(self) -> bool:
        """As this version knows it, or a later one."""
        return self.magic == _MAGIC and self.version >= _VERSION and self.bytes >= BYTES


def read_mailbox(data: bytes) -> Mailbox:
    return Mailbox(*_WORDS.unpack_from(data))


def word(value: int) -> bytes:
    return value.to_bytes(4, "little")
