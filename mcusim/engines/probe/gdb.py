"""A Target by the GDB remote protocol: OpenOCD, J-Link, pyOCD, st-util, probe-rs, and the stubs of QEMU and Renode.

What servers do otherwise than each other:

- QEMU stops the machine at any byte that it hears while it runs: nothing is sent then.
- Renode tells a stop to whoever connects, unasked, and each stop twice. Hence a report of a stop is nobody's answer,
  and behind each step the server is asked something, so that no second report of it is left for the next `c`.
- A core that goes on at a breakpoint stops there at once, in all of them: it makes a step first. In OpenOCD, and on
  silicon, so does one that makes a step there: the breakpoint is taken out meanwhile, as GDB does it, but for servers
  of which we saw that they step off it.
"""

import re
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress

from mcusim.engines.hardware.run_on import BoardTrouble
from mcusim.engines.probe.packets import Packets, escaped
from mcusim.engines.probe.servers import Known, kinds
from mcusim.engines.probe.target import ANSWER_S, Refused, Stop
from mcusim.system.errors import EngineError

_FLASH_S = 60.0  # the longest that one command takes to erase or program
_ENDING_S = 0.5
_AGAIN_S = 0.004  # so often a server is told to look whether the core has stopped
_STOPPED = re.compile(rb"[ST][0-9a-fA-F]{2}")
_GONE = re.compile(rb"[WX][0-9a-fA-F]{2}")
_DEFAULT_BYTES = 400  # of a packet, where the server does not tell
_HEAD_BYTES = 40  # of a packet, around its data
_SP, _PC, _XPSR = 13, 15, 25
_THUMB = 1 << 24
_VTOR, _MPU_CTRL = 0xE000ED08, 0xE000ED94
_BLOCK = re.compile(
    r'<memory\s+type="flash"\s+start="(\w+)"\s+length="(\w+)"[^>]*>\s*<property\s+name="blocksize">(\w+)'
)


class Gdb:
    """See `Target`."""

    def __init__(self, host: str, port: int, known: Known | None, stop: Stop) -> None:
        """Raises EngineError for a server that nobody knows, or of a version that is too old."""
        self._packets = Packets(host, port, stop)
        self._running, self._breaks, self._told_stop = False, set[int](), False
        try:
            told = self._ask(b"qSupported:hwbreak+;swbreak+").decode(errors="replace").split(";")
            sizes = [word.partition("=")[2] for word in told if word.startswith("PacketSize=")]
            self._bytes = int(sizes[0], 16) if sizes else _DEFAULT_BYTES
            if "QStartNoAckMode+" in told and self._ask(b"QStartNoAckMode") == b"OK":
                self._packets.acknowledges = False
            if "qXfer:features:read+" in told:  # QEMU tells registers only to who has asked which there are
                self._ask(b"qXfer:features:read:target.xml:0,%x" % (self._bytes - _HEAD_BYTES))
            self._has_map, self._binary = "qXfer:memory-map:read+" in told, True
            self._kind, self.version = known or self._told()
            self.kind, self.title = self._kind.name, self._kind.title
            self.reads_running, self.emulator = self._kind.reads_running, self._kind.emulator
            self._starting = list(self._kind.starting)
        except BaseException:
            self._packets.close()
            raise

    def _told(self) -> Known:
        """Asked in the words of each."""
        asked = [one for one in kinds().values() if one.asked]
        for question in filter(None, dict.fromkeys(one.asked for one in asked)):
            said = self._monitor(question)
            for one in asked:
                known = one.known_by(said) if one.asked == question else None
                if known:
                    return known
        what = "the GDB server is none that mcusim knows"
        hint = f"known are {', '.join(one.title for one in asked)}"
        raise EngineError(what, where=self._packets.place, hint=hint)

    # ---- Questions and answers

    def _ask(self, body: bytes, limit_s: float = ANSWER_S) -> bytes:
        self._packets.send(body)
        return self._answer(limit_s)

    def _answer(self, limit_s: float) -> bytes:
        """Of the last question. Reports of stops that were told before are none."""
        until = time.monotonic() + limit_s
        while True:
            answer = self._packets.receive(max(0.0, until - time.monotonic()))
            if answer is None:
                what = f"the GDB server does not answer within {limit_s:g} s"
                hint = "is the probe plugged in, and the board powered? Start the server again"
                raise BoardTrouble(what, where=self._packets.place, hint=hint)
            if not _STOPPED.match(answer):
                return answer
            self._told_stop = True

    def _monitor(self, command: str) -> str:
        """What a server's own command prints."""
        self._packets.send(b"qRcmd," + command.encode().hex().encode())
        said = b""
        while True:
            answer = self._answer(_FLASH_S)
            if answer in (b"OK", b"") or re.fullmatch(rb"E[0-9a-fA-F]{2}", answer):
                return said.decode(errors="replace")
            with suppress(ValueError):
                said += bytes.fromhex(answer.removeprefix(b"O").decode(errors="replace"))
            if not answer.startswith(b"O"):
                return said.decode(errors="replace")

    # ---- Memory

    def read(self, address: int, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            at, size = address + len(found), min(count - len(found), max(4, (self._bytes - _HEAD_BYTES) // 2 & ~3))
            answer = self._ask(b"m%x,%x" % (at, size))
            try:
                piece = bytes.fromhex(answer.decode())
            except ValueError:
                piece = b""
            if not piece or len(piece) > size:
                raise Refused(f"the probe cannot read {size} bytes at 0x{at:08x}", where=self._packets.place)
            found += piece
        return bytes(found)

    def write(self, address: int, data: bytes) -> None:
        for at, piece in self._pieces(address, data):
            answer = self._written(at, piece)
            if answer != b"OK":
                raise Refused(f"the probe cannot write {len(piece)} bytes at 0x{at:08x}", where=self._packets.place)

    def _written(self, address: int, data: bytes) -> bytes:
        place = b"%x,%x:" % (address, len(data))
        if self._binary:
            answer = self._ask(b"X" + place + escaped(data))
            if answer:
                return answer
            self._binary = False  # a server that does not know a packet answers nothing
        return self._ask(b"M" + place + data.hex().encode())

    def _pieces(self, address: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        size = max(4, (self._bytes - _HEAD_BYTES) // 2 & ~3)
        for at in range(0, len(data), size):
            yield address + at, data[at : at + size]

    def same(self, address: int, data: bytes) -> bool:
        answer = self._ask(b"qCRC:%x,%x" % (address, len(data)), _FLASH_S)
        if answer.startswith(b"C"):
            with suppress(ValueError):
                return int(answer[1:], 16) == crc_of_gdb(data)
        return self.read(address, len(data)) == data

    def load(self, pieces: list[tuple[int, bytes]]) -> None:
        if self._kind.flash == "memory":
            for address, data in pieces:
                self.write(address, data)
            return
        blocks = self._flash_blocks()
        for first, end in _erased([(address, address + len(data)) for address, data in pieces], blocks):
            self._flash(b"vFlashErase:%x,%x" % (first, end - first), f"erase 0x{first:08x}..0x{end - 1:08x}")
        for address, data in pieces:
            for at, piece in self._pieces(address, data):
                self._flash(b"vFlashWrite:%x:" % at + escaped(piece), f"program 0x{at:08x}")
        self._flash(b"vFlashDone", "end programming")

    def _flash(self, body: bytes, told: str) -> None:
        answer = self._ask(body, _FLASH_S)
        if answer != b"OK":
            said = answer.decode(errors="replace") or "nothing"
            what = f"{self._kind.title} cannot {told} in flash (it answers {said!r})"
            raise Refused(what, where=self._packets.place, hint="is the flash protected (RDP, WRP, PROT)?")

    def _flash_blocks(self) -> list[tuple[int, int, int]]:
        """(first address, end, bytes of a block), as the server tells them."""
        text, more = "", self._has_map
        while more:
            size = self._bytes - _HEAD_BYTES
            answer = self._ask(b"qXfer:memory-map:read::%x,%x" % (len(text), size)).decode(errors="replace")
            text, more = text + answer[1:], answer.startswith("m") and len(text) < 2**16
        found = [tuple(int(word, 0) for word in row.groups()) for row in _BLOCK.finditer(text)]
        return [(start, start + length, block) for start, length, block in found if block > 0]

    # ---- The core

    def reset(self, vectors: int) -> None:
        self.halt()
        self._breaks.clear()
        for command in self._kind.reset:
            self._monitor(command)
        if self._kind.set_registers:
            self.write(_MPU_CTRL, bytes(4))
            self.write(_VTOR, vectors.to_bytes(4, "little"))
            stack, entry = (int.from_bytes(self.read(vectors + at, 4), "little") for at in (0, 4))
            for register, value in ((_SP, stack), (_PC, entry & ~1), (_XPSR, _THUMB)):
                self._ask(b"P%x=%s" % (register, value.to_bytes(4, "little").hex().encode()))

    def break_at(self, address: int) -> bool:
        if self._ask(b"Z1,%x,2" % address) != b"OK":
            return False
        self._breaks.add(address)
        return True

    def go(self) -> None:
        while self._starting:
            self._monitor(self._starting.pop(0))
        if self._breaks:
            self._step()
        self._told_stop = False
        self._packets.send(b"c")
        self._running = True

    def _step(self) -> None:
        taken_out = () if self._kind.steps_off else self._breaks
        for address in taken_out:
            self._ask(b"z1,%x,2" % address)
        self._packets.send(b"s")
        if not self._reported(ANSWER_S):
            raise BoardTrouble("the core does not make a step", where=self._packets.place)
        for address in taken_out:
            if self._ask(b"Z1,%x,2" % address) != b"OK":
                raise BoardTrouble("a breakpoint cannot be set again", where=self._packets.place)

    def halt(self) -> None:
        if self._running:
            self._packets.interrupt()
            if not self._reported(ANSWER_S):
                raise BoardTrouble("the core does not stop when it is told to", where=self._packets.place)
            self._running = False
            self._ask(b"vMustReplyEmpty")

    def stopped(self, limit_s: float) -> bool:
        until, wait_s = time.monotonic() + limit_s, _AGAIN_S if self._kind.look else limit_s
        while not self._reported(min(wait_s, max(0.0, until - time.monotonic()))):
            if time.monotonic() >= until:
                return False
            if self._kind.look:
                self._monitor(self._kind.look)
                if self._told_stop:  # before the answer
                    break
        self._running = False
        return True

    def _reported(self, limit_s: float) -> bool:
        """A stop, within the limit. What the server prints meanwhile is nobody's concern."""
        until = time.monotonic() + limit_s
        while True:
            report = self._packets.receive(max(0.0, until - time.monotonic()))
            if report is None:
                return False
            if _GONE.match(report):
                raise BoardTrouble("the GDB server says that its target has ended", where=self._packets.place)
            if _STOPPED.match(report):
                return True

    def program_counter(self) -> int:
        answer = self._ask(b"p%x" % _PC)
        with suppress(ValueError):
            if len(told := bytes.fromhex(answer.decode())) == 4:
                return int.from_bytes(told, "little")
        raise Refused("the probe cannot read the program counter", where=self._packets.place)

    def close(self) -> None:
        self._packets.end()
        with suppress(BoardTrouble):
            if self._running:
                self._packets.interrupt()
                self._packets.receive(_ENDING_S)
            for address in self._breaks:
                self._packets.send(b"z1,%x,2" % address)
                self._packets.receive(_ENDING_S)
            self._packets.send(b"D")
            self._packets.receive(_ENDING_S)
        self._packets.close()


def _erased(used: list[tuple[int, int]], blocks: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """Ranges (first, end) of flash that hold what is used, in whole blocks, and none twice."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(used):
        size = next((block for start, stop, block in blocks if start <= first < stop), 1)
        first, end = first // size * size, -(-end // size) * size
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((first, end))
    return found


def crc_of_gdb(data: bytes) -> int:
    """Of qCRC: polynomial 0x04C11DB7, the highest bit first, from ones, and not inverted at the end.

    Bits of bytes and of the result turned around it is that of zlib.
    """
    turned = data.translate(_TURNED)
    return int(f"{zlib.crc32(turned) ^ 0xFFFFFFFF:032b}"[::-1], 2)


_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
