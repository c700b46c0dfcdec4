"""A played chip behind the sockets that real servers have for probes of elsewhere.

OpenOCD speaks to ST's stlink-server (`hla_stlink_backend tcp PORT`): its packets hold the commands of an ST-LINK V2-1.
pyOCD speaks to its own probe server (`--uid remote:HOST:PORT`): requests are lines of JSON.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from tests.engines.probe.chip.core import ROM_TABLE, Chip, Fault
from tests.engines.probe.listening import listening

SERIAL = "066EFF3030303030303030AA"
_OK, _AP_FAULT = 0x80, 0x11
_IDR, _AHB_AP = 0x2BA01477, 0x24770011


@dataclass
class StLink:
    """One of its clients."""

    chip: Chip
    said: bytes = b""
    state: int = _OK
    mode: int = 1

    def serve(self, client: socket.socket) -> None:
        while command := client.recv(1):
            more = {0: 1, 1: 0, 2: 7, 3: 7, 4: 7, 5: 31, 6: 3}[command[0]]
            packet = command + _whole(client, more)
            client.sendall(self._answer(packet, client))

    def _answer(self, packet: bytes, client: socket.socket) -> bytes:
        kind, fine = packet[0], struct.pack("<I", 1)
        if kind == 6:
            return struct.pack("<4I", 2, 2, 1, 0)
        if kind == 1:
            return struct.pack("<I", 1)
        if kind == 2:
            return fine + struct.pack("<I32s2HB", 0, SERIAL.encode(), 0x0483, 0x374B, 0)
        if kind != 5:
            return fine + (struct.pack("<I", 7) if kind == 3 else b"")
        command, (direction, size) = packet[8:24], struct.unpack_from("<B3xI", packet, 24)
        if direction == 0:
            self._told(command, _whole(client, size))
            return fine
        return fine + self._asked(command, size).ljust(size, b"\0")[:size]

    def _told(self, command: bytes, data: bytes) -> None:
        address, _ = struct.unpack_from("<IH", command, 2)
        self._tried(lambda: self.chip.write(address, data))

    def _tried(self, what: Callable[[], Any]) -> Any:
        """The state is asked for afterwards."""
        try:
            self.state, found = _OK, what()
        except Fault:
            self.state, found = _AP_FAULT, b""
        return found

    def _asked(self, command: bytes, size: int) -> bytes:
        if command[0] != 0xF2:
            known = {0xF1: struct.pack(">H2H", 2 << 12 | 37 << 6 | 26, 0x8304, 0x4B37), 0xF5: bytes((self.mode, 0))}
            return known.get(command[0]) or struct.pack("<2I", 1500, 2062)  # 3.3 V
        kind = command[1]
        if kind in (0x07, 0x0C, 0x47):
            address, count = struct.unpack_from("<IH", command, 2)
            return bytes(self._tried(lambda: self.chip.read(address, count)))
        if kind in (0x3B, 0x3E):
            return bytes((self.state,))
        self.mode = {0x30: 2, 0x21: 1}.get(kind, self.mode)
        return self._of_core(kind, command)

    def _of_core(self, kind: int, command: bytes) -> bytes:
        chip, found = self.chip, b""
        if kind == 0x31:
            found = struct.pack("<2I", _IDR, 0)
        elif kind == 0x33:
            found = struct.pack("<I", chip.core_register(command[2]))
        elif kind == 0x34:
            chip.core_register(command[2], struct.unpack_from("<I", command, 3)[0])
        elif kind == 0x35:
            self._tried(lambda: chip.write(struct.unpack_from("<I", command, 2)[0], command[6:10]))
        elif kind == 0x36:
            found = self._tried(lambda: chip.read(struct.unpack_from("<I", command, 2)[0], 4))
        elif kind == 0x3A:
            found = struct.pack("<17I", *(chip.core_register(number) for number in range(17)))
        elif kind == 0x32 or (kind == 0x3C and command[2] == 2):
            chip.reset()
        elif kind == 0x3C:
            chip.hold_reset(command[2] == 0)
        return bytes((_OK, 0, 0, 0)) + found


def _whole(client: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        piece = client.recv(count - len(found))
        if not piece:
            raise ConnectionError
        found += piece
    return found


_PROPERTIES = {
    "vendor_name": "mcusim",
    "product_name": "a played chip",
    "supported_wire_protocols": ["DEFAULT", "SWD"],
    "wire_protocol": "SWD",
    "capabilities": ["MANAGED_AP_SELECTION", "MANAGED_DPBANKSEL", "BANKED_DP_REGISTERS"],
}
_FAULT = 12  # status of a transfer


@dataclass
class PyocdProbe:
    """One of its clients."""

    chip: Chip
    ap: dict[int, int] = field(default_factory=lambda: {0x00: 0x23000042})

    def serve(self, client: socket.socket) -> None:
        with client.makefile("rb") as lines:
            for line in lines:
                asked = json.loads(line)
                answer: dict[str, Any] = {"id": asked["id"], "status": 0}
                try:
                    answer["result"] = self._of(asked["request"], *asked.get("arguments", []))
                except Fault as fault:
                    answer |= {"status": _FAULT, "error": str(fault)}
                client.sendall(json.dumps(answer).encode() + b"\n")

    def _of(self, request: str, *given: Any) -> Any:
        chip = self.chip
        if request == "readprop":
            return _PROPERTIES[given[0]]
        if request == "read_dp":
            return {0: _IDR, 4: 0xF0000000}.get(given[0] & 0xF, 0)
        if request == "read_ap":
            return {0xFC: _AHB_AP, 0xF8: ROM_TABLE | 3}.get(given[0] & 0xFF, self.ap.get(given[0] & 0xFF, 0)) * (
                given[0] >> 24 == 0
            )
        if request == "write_ap":
            self.ap[given[0] & 0xFF] = given[1]
        elif request == "get_memory_interface_for_ap":
            return 0 if given[1] == 0 else None
        elif request == "reset":
            chip.reset()
        elif request == "assert_reset":
            chip.hold_reset(given[0])
        elif request == "is_reset_asserted":
            return chip.in_reset
        return self._memory(request, *given[1:]) if "mem" in request or "block" in request else None

    def _memory(self, request: str, *given: Any) -> Any:
        chip = self.chip
        if request == "read_mem":
            return int.from_bytes(chip.read(given[0], given[1] // 8), "little")
        if request == "write_mem":
            return chip.write(given[0], given[1].to_bytes(given[2] // 8, "little"))
        if request == "read_block8":
            return list(chip.read(given[0], given[1]))
        if request == "read_block32":
            return list(struct.unpack(f"<{given[1]}I", chip.read(given[0], 4 * given[1])))
        if request == "write_block8":
            return chip.write(given[0], bytes(given[1]))
        return chip.write(given[0], struct.pack(f"<{len(given[1])}I", *given[1]))


def probe(kind: type[StLink] | type[PyocdProbe], chip: Chip) -> AbstractContextManager[int]:
    """The port where it serves."""
    return listening(lambda client: kind(chip).serve(client))
