"""Questions to a board and its answers, whatever the cable does: asked again when nothing came, never counted twice.

A board answers one question at a time. Its answer to a RUN is kept until the next one: the same sequence number again
means that the answer was lost. A board that was reset is told by another boot id; what it had not answered is asked
again. docs/serial.md tells the protocol.
"""

import secrets
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from mcusim.boards.board import BASE_BAUD
from mcusim.engines.hardware.run_on import BoardTrouble
from mcusim.engines.serial import frames
from mcusim.engines.serial.clock import Clock
from mcusim.engines.serial.frames import Done, Info, Result
from mcusim.engines.serial.port import LostError, Port
from mcusim.system.errors import EngineError

_CLEAN = 20  # frames without a fault, at a rate that is kept
_LONGEST_PING_BYTES = 256
_ANSWER_S = 0.15  # drivers, USB, and a board that is just reading its flash
_FIRST_RUN_S, _LONGEST_S = 1.0, 8.0  # to wait for an answer before it is asked for again
_HELLO_S = 0.4
_FALLEN_BACK_S = 6.0  # a board that hears nothing good is at BASE_BAUD again after a second or so
_NEXT = 1 << 32

Demand = Callable[[Info], None]  # raises EngineError when the board is not the one that is meant
Explain = Callable[[bytes], EngineError]  # of a fault


@dataclass
class Link:
    """`rates`: those that the board knows. `stall_s`: how long an answer may take, with all attempts."""

    port: Port
    rates: Sequence[int]
    stall_s: float
    demand: Demand
    explain: Explain
    baud: int = BASE_BAUD
    info: Info | None = None
    clock: Clock = field(default_factory=Clock)
    sent: int = 0
    _sequence: int = field(default_factory=lambda: secrets.randbelow(_NEXT))
    _run_s: float | None = None  # that an answer to a RUN takes
    _answered: int = 0  # samples, in this life of the board

    def meet(self, limit_s: float, *, speed_up: bool) -> Info | None:
        """As `greet`, then at the highest rate; from the beginning when the port is gone meanwhile, and comes back."""
        end = time.monotonic() + limit_s
        while True:
            try:
                info = self.greet(max(0.0, end - time.monotonic()))
                if info and speed_up:
                    self.speed_up()
                return info
            except LostError:
                self.baud = BASE_BAUD
                self.port.find_again(self.baud, end)

    def greet(self, limit_s: float) -> Info | None:
        """Who is there, at whatever rate; None when nobody answers within `limit_s`."""
        end = time.monotonic() + limit_s
        while (info := self._hello()) is None:
            if time.monotonic() >= end:
                return None
        return info

    def speed_up(self) -> None:
        """To the highest rate at which nothing is lost."""
        for baud in sorted((rate for rate in self.rates if rate > BASE_BAUD), reverse=True):
            told = self._once(frames.RATE, struct.pack("<I", baud), tries=3)
            if told is not None:
                self.port.rate(baud)
                if self._clean():
                    self.baud = baud
                    return
                self._once(frames.RATE, struct.pack("<I", BASE_BAUD), tries=3)
            self._fall_back()

    def repeat(self, times: int) -> None:
        """The next sample runs so often, of a board that knows it; others after it run once."""
        self._ask(frames.REPEAT, struct.pack("<I", times))

    def run(self, sample: bytes, lasts_s: float = 0.0) -> Result:
        """`lasts_s`: at least, where it runs often. Raises BoardTrouble without an answer, EngineError of a fault."""
        began = time.monotonic()
        answer, tries = self._ask(frames.RUN, sample, lasts_s)
        if tries == 1 and not lasts_s:
            self._run_s = max(self._run_s or 0.0, time.monotonic() - began)
        result = frames.read_result(answer)
        self._answered += 1
        self.clock.tick(result.counter)
        if result.samples != self._answered:
            what = f"the board counts {result.samples} samples where {self._answered} were answered"
            raise BoardTrouble(what, where=self.port.path, hint="does another program speak to it?")
        return result

    def end(self) -> Done:
        done = frames.read_done(self._ask(frames.END)[0])
        self.clock.tick(done.counter)
        return done

    def layers(self) -> bytes:
        """What the marks of its firmware have counted since it was reset; of firmware that has some."""
        return self._ask(frames.LAYERS)[0]

    def leave(self) -> None:
        """At the rate of the beginning, where the next one looks first. If that fails, the board does it by itself."""
        if self.baud != BASE_BAUD:
            self._once(frames.RATE, struct.pack("<I", BASE_BAUD))

    # ---- One question ------------------------------------------------------------------------------------------------

    def _ask(self, kind: int, payload: bytes = b"", lasts_s: float = 0.0) -> tuple[bytes, int]:
        """The answer, and how often it was asked for. `lasts_s`: what it takes in any case."""
        sequence, end = self._next(), time.monotonic() + lasts_s + self.stall_s
        wait_s = lasts_s + self._patience_s(kind, payload)
        for tries in count(1):
            try:
                answer = self._try(kind, sequence, payload, min(wait_s, max(0.0, end - time.monotonic())))
                if answer is not None:
                    return answer, tries
                if time.monotonic() >= end:
                    break
                if tries > 1:
                    self._meet_again()
            except LostError:
                self._found_again(end)
            wait_s = min(2 * (wait_s - lasts_s), _LONGEST_S) + lasts_s
        what = f"the board gives no answer within {self.stall_s:g} s"
        hint = "is it powered, and its firmware not in a loop? [target] stall_s gives it more time"
        raise BoardTrouble(what, where=self.port.path, hint=hint)

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) % _NEXT or 1
        return self._sequence

    def _patience_s(self, kind: int, payload: bytes) -> float:
        on_wire_s = 11 * (len(payload) + 64) / self.baud
        if kind == frames.RUN:
            return on_wire_s + (_FIRST_RUN_S if self._run_s is None else 1.5 * self._run_s + _ANSWER_S)
        return on_wire_s + _ANSWER_S

    def _once(self, kind: int, payload: bytes, tries: int = 1) -> bytes | None:
        """Without looking for a board that is gone."""
        sequence = self._next()
        for _ in range(tries):
            answer = self._try(kind, sequence, payload, self._patience_s(kind, payload))
            if answer is not None:
                return answer
        return None

    def _try(self, kind: int, sequence: int, payload: bytes, wait_s: float) -> bytes | None:
        """None when what came is no answer, or nothing came. Raises LostError, or the fault of the firmware."""
        self.port.write(frames.frame_bytes(kind, sequence, payload))
        self.sent += 1
        end = time.monotonic() + wait_s
        while (piece := self.port.piece(end)) is not None:
            frame = frames.read_frame(piece)
            if frame is None:
                continue
            if (frame.kind, frame.sequence) == (frames.ANSWERS[kind], sequence):
                return frame.payload
            if frame.kind == frames.FAULT:
                raise self.explain(frame.payload)
            if frame.kind == frames.NAK and kind == frames.RUN:  # else it may be of noise that went before
                return None
        return None

    # ---- Who is there ------------------------------------------------------------------------------------------------

    def _hello(self) -> Info | None:
        """At the rate of before, and at that of a board that was reset."""
        for baud in dict.fromkeys((self.baud, BASE_BAUD)):
            self.port.rate(baud)
            answer = self._try(frames.HELLO, self._next(), b"", _HELLO_S)
            info = frames.read_info(answer) if answer else None
            if info is not None:
                self._met(info, baud)
                return info
        self.port.rate(self.baud)
        return None

    def _met(self, info: Info, baud: int) -> None:
        self.demand(info)
        known, self.info, self.baud = self.info, info, baud
        if known is None or known.boot != info.boot:
            self._answered = info.samples
            self.clock = Clock()
        self.clock.tick(info.counter)

    def _meet_again(self) -> None:
        before, baud = self.info, self.baud
        info = self._hello()
        if info and before and (info.boot != before.boot or self.baud != baud):
            self.speed_up()

    def _found_again(self, end: float) -> None:
        """After the port was gone."""
        self.port.find_again(self.baud, end)
        try:
            self._meet_again()
        except LostError:
            return  # again: the next attempt sees it

    def _clean(self) -> bool:
        """The first may come before the board has changed its rate."""
        wanted = min(self.info.input_bytes if self.info else 0, _LONGEST_PING_BYTES)
        tries = [5, *[1] * _CLEAN]
        return all(self._once(frames.PING, secrets.token_bytes(wanted), most) is not None for most in tries)

    def _fall_back(self) -> None:
        self.baud = BASE_BAUD
        end = time.monotonic() + _FALLEN_BACK_S
        while self._hello() is None and time.monotonic() < end:
            pass
