"""A GDB server for tests, in this process: a PlayedBoard behind a socket, with habits of real ones."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from dataclasses import dataclass, field

from mcusim.engines.probe.gdb import crc_of_gdb
from mcusim.engines.probe.target import Refused
from tests.engines.probe.board import PlayedBoard


def packet(body: bytes) -> bytes:
    return b"$%b#%02x" % (body, sum(body) & 0xFF)


@dataclass
class Served:
    """`twice`: each stop is told twice, and one to who connects. `damaged`: so many packets get there broken first.

    `answers` replaces what is said to a question; None as an answer: nothing at all, "": the connection ends there.
    """

    board: PlayedBoard = field(default_factory=PlayedBoard)
    features: bytes = b"PacketSize=80;qXfer:memory-map:read+"
    monitor: bytes = b"Open On-Chip Debugger 0.12.0\n"
    asked: bytes = b"version"
    twice: bool = False
    acknowledged: bool = True
    binary: bool = True
    damaged: int = 0
    answers: dict[bytes, bytes | None] = field(default_factory=dict)
    heard: list[bytes] = field(default_factory=list)

    def serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.twice:
            client.sendall(packet(b"S05"))
        data = b""
        with suppress(OSError):
            while piece := client.recv(4096):
                data += piece
                while found := re.search(rb"\$((?:[^#])*)#..|\x03", data, re.DOTALL):
                    data = data[found.end() :]
                    self._hear(client, found[1] or b"\x03")

    def _hear(self, client: socket.socket, body: bytes) -> None:
        self.heard.append(body)
        if self.acknowledged and body != b"\x03":
            client.sendall(b"+")
        key = next((key for key in self.answers if body.startswith(key)), None)
        answer = self.answers[key] if key is not None else self._answer(body)
        if answer is None:
            return
        if answer == b"" and key is not None:
            client.shutdown(socket.SHUT_RDWR)
            return
        whole = packet(answer)
        while self.damaged:
            self.damaged -= 1
            client.sendall(whole[:-1] + b"z")
        client.sendall(b"%Stop:nothing#00" + whole)
        if body.startswith(b"qRcmd,") and answer != b"OK":
            client.sendall(packet(b"OK"))
        if self.twice and answer.startswith(b"T"):
            client.sendall(packet(b"S05"))

    def _answer(self, body: bytes) -> bytes | None:
        board = self.board
        name, _, rest = body.partition(b":")
        if name == b"qSupported":
            return self.features
        if name == b"QStartNoAckMode":
            self.acknowledged = False
            return b"OK"
        if body.startswith(b"qRcmd,"):
            return b"O" + self.monitor.hex().encode() if self.asked.hex().encode() in body else b"OK"
        if found := re.fullmatch(rb"m(\w+),(\w+)", body):
            try:
                return board.read(int(found[1], 16), int(found[2], 16)).hex().encode()
            except Refused:
                return b"E01"
        if body[:1] in b"XM" and (found := re.fullmatch(rb"[XM](\w+),(\w+)", name)):
            if body[:1] == b"X" and not self.binary:
                return b""
            data = re.sub(rb"}(.)", lambda m: bytes((m[1][0] ^ 0x20,)), rest, flags=re.DOTALL)
            data = bytes.fromhex(data.decode()) if body[:1] == b"M" else data
            assert len(data) == int(found[2], 16) and len(body) <= (0x80 if self.features else 400)
            board.write(int(found[1], 16), data)
            return b"OK"
        if found := re.fullmatch(rb"qCRC:(\w+),(\w+)", body):
            return b"C%x" % crc_of_gdb(board.peek(int(found[1], 16), int(found[2], 16)))
        if body.startswith(b"qXfer:memory-map:read::"):
            at, size = (int(word, 16) for word in body.rpartition(b":")[2].split(b","))
            piece = MAP[at : at + size]
            return (b"m" if at + size < len(MAP) else b"l") + piece
        if name in (b"vFlashErase", b"vFlashDone"):
            board.told.append(body.decode())
            return b"OK"
        if name == b"vFlashWrite":
            address, _, data = rest.partition(b":")
            data = re.sub(rb"}(.)", lambda m: bytes((m[1][0] ^ 0x20,)), data, flags=re.DOTALL)
            board.poke(int(address, 16), data)
            return b"OK"
        if body in (b"s", b"c"):
            if body == b"c":
                board.go()
            return b"T05hwbreak:;"
        if body[:1] in (b"Z", b"z", b"P", b"D"):
            return b"OK"
        if body == b"p" + b"f":
            return b"40000008"
        return b"T02" if body == b"\x03" else b""


MAP = (
    b'<memory-map><memory type="ram" start="0x20000000" length="0x20000"/>'
    b'<memory type="flash" start="0x8000000" length="0x80000"><property name="blocksize">0x800</property></memory>'
    b"</memory-map>"
)
