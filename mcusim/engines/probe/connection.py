"""A board behind a probe -> answers: the image is in its flash, its core waits for a sample in the mailbox.

The doorbell is heard by a hardware breakpoint behind it. Where there is none, and memory can be read while the core
runs, the mailbox is polled; never while the model runs, for the probe would take the bus from it.
"""

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from mcusim.boards.board import Board, MemoryMap
from mcusim.cores import core_of
from mcusim.engines.engine import Job, LayerSums
from mcusim.engines.hardware import layers as by_layer
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.run_on import Answered, BoardTrouble, Stopped
from mcusim.engines.linked import MAILBOX
from mcusim.engines.probe import mailbox as boxes
from mcusim.engines.probe.client import client_for
from mcusim.engines.probe.flash import demand_chip, demand_image
from mcusim.engines.probe.mailbox import BYTES, CHECK, REPEAT, STATE, Mailbox, read_mailbox, word
from mcusim.engines.probe.target import LOOK_S, Stop, Target
from mcusim.engines.shares import STALL_HINT
from mcusim.system.errors import EngineError
from mcusim.system.image import Image

DOORBELL = "mcusim_doorbell_rung"
_DWT_CYCCNT = 0xE0001004
_CLOCK_S = 2.0  # at 1 ms of jitter 0.1 %
_CLOCK_NEAR = 0.01
_LATER = 1.1  # times as long as the model took before is nobody's turn to look
_LEAST_S, _POLL_S = 0.002, 0.002


@contextmanager
def connected(attached: Attached, job: Job, stop: Stop) -> "Iterator[Connected]":
    """Flashes what is not there, resets, and waits for the first doorbell. Raises as `Connection` says."""
    board, image = job.board, job.image
    assert board is not None
    with client_for(attached, board, job.folder, stop) as target:
        demand_chip(target, board)
        target.reset(board.memory.flash.origin)
        demand_image(target, image.elf, board, may_flash=attached.flash != "none")
        target.reset(board.memory.flash.origin)
        found = Connected(target, attached, job, board, image, board.memory, stop)
        found.begin()
        yield found


@dataclass
class Connected:
    """See `Connection`. `pace_s`: how long the model takes, as far as it is known; only of who polls."""

    target: Target
    attached: Attached
    job: Job
    board: Board
    image: Image
    memory: MemoryMap
    stop: Stop
    breaks: bool = False
    pace_s: float = 0.0
    clock_hz: float | None = None
    window_cycles: int | None = None
    box: Mailbox = field(init=False)

    def begin(self) -> None:
        """Until the firmware wants its first sample."""
        self.target.write(self._box_address, bytes(BYTES))  # what an earlier run left there is not this one's word
        self.breaks = self.target.break_at(self.image.symbols[DOORBELL].address)
        if not self.breaks and not self.target.reads_running:
            what = f"{self.target.title} sets no hardware breakpoint, and cannot read memory while the core runs"
            raise EngineError(what, where=self._where, hint="use another server, or end what has set breakpoints")
        self.target.go()
        self.box = self._heard(0)
        want = (self.image.input_bytes, self.image.output_bytes)
        if not self.box.is_one or (self.box.input_bytes, self.box.output_bytes) != want:
            what = "the firmware on the board has not the mailbox of this image"
            raise EngineError(what, where=self._where, hint="build it anew: mcusim build")
        self.target.write(self._box_address + CHECK, word(1))
        self.window_cycles = self.box.window_cycles or None
        if not self.target.emulator:
            self.clock_hz = self._clock()

    def answer(self, sample: bytes, index: int) -> Answered:
        done = self.box.samples
        self.target.write(self.box.input, sample)
        self.target.write(self._box_address + STATE, word(boxes.THERE))
        self._go()
        self.box = self._heard(index)
        if self.box.state != boxes.WANTED or self.box.samples != done + 1:
            what = (
                f"sample {index} came to nothing: the mailbox has state {self.box.state}, {self.box.samples} answered"
            )
            raise BoardTrouble(what, where=self._where, hint="was the board reset meanwhile?")
        output = self.target.read(self.box.output, self.box.output_bytes)
        if (self.box.input_crc, self.box.output_crc) != (zlib.crc32(sample), zlib.crc32(output)):
            what = f"sample {index} or its answer was damaged between {self.target.title} and the board"
            raise BoardTrouble(what, where=self._where, hint="a shorter cable, or a slower clock of the probe")
        return Answered(output, self.box.cycles or None)

    def may_repeat(self) -> bool:
        """See `Repeating`: any mailbox of version 2."""
        return True

    def repeat(self, sample: bytes, times: int, lasts_s: float) -> None:
        """See `Repeating`. Without checks, which would be time without the model."""
        self.target.write(self._box_address + REPEAT, word(times) + word(0))
        pace_s, self.pace_s = self.pace_s, self.pace_s * times
        self.target.write(self.box.input, sample)
        self.target.write(self._box_address + STATE, word(boxes.THERE))
        self._go()
        self.box = self._heard(self.box.samples, lasts_s)
        self.pace_s = pace_s
        self.target.write(self._box_address + REPEAT, word(1) + word(1))

    def layers(self) -> LayerSums | None:
        """See `ByLayer`. A board begins with its reset."""
        counted = self.image.symbols.get(by_layer.SYMBOL)
        return by_layer.read_layers(self.target.read(counted.address, counted.size)) if counted else None

    def end(self) -> int | None:
        self.target.write(self._box_address + STATE, word(boxes.NO_MORE))
        self._go()
        self.box = self._heard(self.box.samples)
        if self.box.state != boxes.DONE:
            raise BoardTrouble(f"the firmware does not end: state {self.box.state}", where=self._where, hint=STALL_HINT)
        return self.box.stack_bytes

    @property
    def _box_address(self) -> int:
        return self.image.symbols[MAILBOX].address

    @property
    def _where(self) -> str:
        return f"board {self.attached.id!r}, {self.target.title} {self.target.version}".strip()

    def _go(self) -> None:
        if self.breaks:
            self.target.go()

    def _heard(self, index: int, lasts_s: float = 0.0) -> Mailbox:
        """The mailbox at the next doorbell that means something, after `lasts_s`. Raises EngineError for a fault."""
        began = time.monotonic()
        if not self.breaks:
            self._sleep(max(self.pace_s * _LATER, _LEAST_S))
        until, early = time.monotonic() + lasts_s + self.job.stall_s, False
        while True:
            box = self._looked(until)
            if box is None:
                raise self._hangs(index)
            if box.state == boxes.FAULT:
                raise self._fault(box, index)
            if box.state in (boxes.WANTED, boxes.DONE):
                if early:  # else how long was slept is told, and longer each time
                    self.pace_s = max(self.pace_s, time.monotonic() - began)
                return box
            early = True
            if self.breaks:
                self.target.go()  # it rang for a text, or somebody stopped it

    def _looked(self, until: float) -> Mailbox | None:
        """As it is now, when the core stopped; None when that takes too long."""
        while time.monotonic() < until:
            if self.stop():
                raise Stopped
            if not self.breaks:
                time.sleep(_POLL_S)
            elif not self.target.stopped(LOOK_S):
                continue
            return read_mailbox(self.target.read(self._box_address, BYTES))
        return None

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.stop():
                raise Stopped
            time.sleep(min(left, LOOK_S))

    def _hangs(self, index: int) -> EngineError:
        what, where = f"no answer to sample {index} within {self.job.stall_s:g} s", self._where
        with suppress(BoardTrouble):
            self.target.halt()
            where = f"{core_of(self.board.chip).locate(self.image, self.target.program_counter())}, {where}"
        return BoardTrouble(what, where=where, hint=STALL_HINT)

    def _fault(self, box: Mailbox, index: int) -> EngineError:
        record = b""
        with suppress(BoardTrouble):
            stack = self.target.read(box.stack, min(box.stack_left, self.memory.stack_bytes))
            record = self.target.read(box.fault, box.fault_bytes) + stack
        first = index - box.samples
        found = core_of(self.board.chip).explain_fault(record, self.image, self.memory, first, self.job.folder)
        unknown = "what it left could not be read: does engine renode tell more? --engine renode"
        return found or EngineError(f"the firmware faulted in sample {index}", where=self._where, hint=unknown)

    def _clock(self) -> float | None:
        """Cycles of the core in a second of this machine, while it waits for a sample.

        A busy machine is late at either end. Where that is not what the board's file says, it is measured for longer.
        """
        clock_hz: float | None = None
        for seconds in (_CLOCK_S, 5 * _CLOCK_S):
            clock_hz = self._clock_for(seconds)
            if clock_hz is None or abs(clock_hz / self.board.clock_hz - 1) < _CLOCK_NEAR:
                break
        return clock_hz

    def _clock_for(self, seconds: float) -> float | None:
        first = self._counter()
        if first is None:
            return None
        self._go()
        began = time.monotonic()
        self._sleep(seconds)
        took_s = time.monotonic() - began
        if self.breaks:
            self.target.halt()
        last = self._counter()
        return None if last is None or last == first else ((last - first) & 0xFFFFFFFF) / took_s

    def _counter(self) -> int | None:
        with suppress(BoardTrouble):
            return int.from_bytes(self.target.read(_DWT_CYCCNT, 4), "little")
        return None
