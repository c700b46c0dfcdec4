"""Bytes of a socket -> packets of the GDB remote protocol: framed, checked, acknowledged, unescaped and expanded.

Reference: "Debugging with GDB", appendix E.
"""

import select
import socket
import time

from mcusim.engines.hardware.run_on import BoardTrouble, Stopped
from mcusim.engines.probe.target import ANSWER_S, LOOK_S, Stop

_LONGEST_BYTES = 2**20  # of a packet that anybody believes
_TRIES = 3
_SPECIAL = b"#$}*"


class Packets:
    """A connection to a server. `acknowledges`: until both sides have agreed to leave that out."""

    def __init__(self, host: str, port: int, stop: Stop) -> None:
        """Raises BoardTrouble when nobody listens there."""
        self.place, self._stop, self.acknowledges = f"{host}:{port}", stop, True
        self._heard, self._sent = bytearray(), b""
        try:
            self._socket = socket.create_connection((host, port), ANSWER_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.settimeout(ANSWER_S)
        except OSError as error:
            why = error.strerror or str(error)
            hint = "start the server, or let mcusim do it: server = 'openocd' in the hardware map"
            raise BoardTrouble(f"no GDB server answers: {why}", where=self.place, hint=hint) from error

    def end(self) -> None:
        """From now on nobody's wish to stop is asked: what is left to say is said."""
        self._stop = lambda: False

    def close(self) -> None:
        self._socket.close()

    def send(self, body: bytes) -> None:
        self._sent = b"$%b#%02x" % (body, sum(body) & 0xFF)
        self._send(self._sent)

    def interrupt(self) -> None:
        """Asks the server to stop the core."""
        self._send(b"\x03")

    def receive(self, limit_s: float = ANSWER_S) -> bytes | None:
        """The next packet; None when there is none within the limit. Raises BoardTrouble, or Stopped."""
        until, bad = time.monotonic() + limit_s, 0
        while True:
            packet = self._next()
            if packet is None:
                left = until - time.monotonic()
                if left <= 0:
                    return None
                self._hear(min(left, LOOK_S))
            elif _whole(packet):
                if self.acknowledges:
                    self._send(b"+")
                return _plain(packet[1:-3])
            else:
                bad += 1
                if bad == _TRIES or not self.acknowledges:
                    raise self._trouble("what the GDB server says is damaged")
                self._send(b"-")

    def _next(self) -> bytes | None:
        """Of what was heard, the first packet with its frame. Notifications are nobody's answer, and passed over."""
        while True:
            begin = self._heard.find(b"$")
            before = self._heard if begin < 0 else self._heard[:begin]
            if self.acknowledges and b"-" in before:
                self._send(self._sent)
            del self._heard[: len(before)]
            end = self._heard.find(b"#")
            if not self._heard or end < 0 or len(self._heard) < end + 3:
                if len(self._heard) > _LONGEST_BYTES:
                    raise self._trouble("what the GDB server says has no end")
                return None
            packet = bytes(self._heard[: end + 3])
            del self._heard[: end + 3]
            return packet

    def _hear(self, limit_s: float) -> None:
        if self._stop():
            raise Stopped
        if not select.select([self._socket], [], [], limit_s)[0]:
            return
        try:
            piece = self._socket.recv(2**16)
        except OSError as error:
            raise self._gone(error.strerror) from error
        if not piece:
            raise self._gone("it ended the connection")
        self._heard += piece

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise self._gone(error.strerror) from error

    def _gone(self, why: str | None) -> BoardTrouble:
        return self._trouble(f"the GDB server is gone: {why}")

    def _trouble(self, what: str) -> BoardTrouble:
        return BoardTrouble(what, where=self.place, hint="what did it write to its terminal? Is the probe plugged in?")


def _whole(packet: bytes) -> bool:
    try:
        return int(packet[-2:], 16) == sum(packet[1:-3]) & 0xFF
    except ValueError:
        return False


def _plain(body: bytes) -> bytes:
    """Without escapes and runs of a character."""
    plain, at = bytearray(), 0
    while at < len(body):
        if body[at] == ord("}") and at + 1 < len(body):
            plain.append(body[at + 1] ^ 0x20)
            at += 2
        elif body[at] == ord("*") and plain and at + 1 < len(body):
            plain += plain[-1:] * max(0, body[at + 1] - 29)
            at += 2
        else:
            plain.append(body[at])
            at += 1
    return bytes(plain)


def escaped(data: bytes) -> bytes:
    """Binary data as a packet has it."""
    return b"".join(bytes((ord("}"), byte ^ 0x20)) if byte in _SPECIAL else bytes((byte,)) for byte in data)
