"""A board of the hardware map and a job -> a connection: the port opened, the right firmware there, the rate found."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mcusim.boards.board import BASE_BAUD, Board
from mcusim.cores import core_of
from mcusim.engines.engine import Job, LayerSums
from mcusim.engines.flash import flash
from mcusim.engines.flash.image import flash_bytes
from mcusim.engines.hardware import layers as by_layer
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.run_on import Answered, BoardTrouble, Connection, Stop
from mcusim.engines.hardware.usb import AwayError, port_of
from mcusim.engines.serial import frames
from mcusim.engines.serial.clock import ENOUGH_S
from mcusim.engines.serial.frames import Done, Info
from mcusim.engines.serial.link import Link
from mcusim.engines.serial.port import LostError, Port
from mcusim.system.errors import EngineError
from mcusim.system.names import printable

_TICK_S = 0.1
_THERE_S, _STARTED_S = 3.0, 10.0  # to wait for who may not be there; for who was just flashed


class SilentError(BoardTrouble):
    """Nobody answers on the port."""


class StaleError(EngineError):
    """The board runs, but another firmware."""


@contextmanager
def connect(attached: Attached, job: Job, stop: Stop) -> Iterator[Connection]:
    """See `run_on.Connect`. Flashes only what is not there yet: the board tells the CRC-32 of its flash."""
    assert job.board is not None
    image = flash_bytes(job.image)
    try:
        meant = _Meant(job.board, attached, port_of(attached), zlib.crc32(image))
        lacking = _lacking(meant, job, stop)
        if lacking:
            first = "is it powered, and is that its port? Else " if isinstance(lacking, SilentError) else ""
            flash(attached, image, job.board, meant.path, job.folder, stop, lacking.what, first)
        with opened(meant, job, stop, _STARTED_S) as connection:
            connection.begin()
            yield connection
    except AwayError as error:
        raise BoardTrouble(error.what, where=error.where, hint=error.hint) from None
    except LostError:  # between two questions; within one it is found again
        raise BoardTrouble("the serial port went away", where=meant.path, hint="is the cable plugged in?") from None


@dataclass(frozen=True)
class _Meant:
    """What has to be at the other end of the port `path`."""

    board: Board
    attached: Attached
    path: str
    digest: int

    def demand(self, info: Info) -> None:
        """Raises EngineError when it is something else."""
        told, where = printable(info.board.decode(errors="replace")), f"board {self.attached.id!r}, {self.path}"
        if info.version < frames.OLDEST:
            what = f"the firmware speaks version {info.version} of the protocol, not {frames.OLDEST} or newer"
            raise StaleError(what, where=where, hint=_FLASH)
        if info.board != self.board.told_name:
            what = f"a board {told!r} answers there, and not {self.board.name!r}"
            raise EngineError(what, where=where, hint="correct its port or type in the hardware map")
        identity = self.board.chip.identity
        if identity is not None and info.chip and not identity.is_of(info.chip):
            what = f"the chip there is no {self.board.chip.title}: it tells 0x{info.chip:08X}"
            raise EngineError(what, where=where, hint="correct its port or type in the hardware map")
        if info.digest != self.digest:
            what = "the board has another firmware than the one that was built now"
            raise StaleError(what, where=where, hint=_FLASH)


_FLASH = "let mcusim flash it: flash = .. and mount = .. of the board in the hardware map (docs/serial.md)"


def _lacking(meant: _Meant, job: Job, stop: Stop) -> EngineError | None:
    """Why the board does not run the image of the job yet; None where it does."""
    try:
        with opened(meant, job, stop, _THERE_S, speed_up=False):
            return None
    except (StaleError, SilentError) as error:
        return error


@contextmanager
def opened(meant: _Meant, job: Job, stop: Stop, limit_s: float, *, speed_up: bool = True) -> Iterator[SerialConnection]:
    """Raises BoardTrouble when nobody answers within `limit_s`."""
    port = Port(meant.path, stop)
    faults = _Faults(job, meant.board)
    rates = [rate.baud for rate in meant.board.console.rates] if meant.board.console else []
    rates = [baud for baud in rates if baud <= meant.attached.baud]
    link = Link(port, rates, job.stall_s, meant.demand, faults.explain)
    port.open(BASE_BAUD)
    try:
        if link.meet(limit_s, speed_up=speed_up) is None:
            what = f"nobody answers on {meant.path}"
            raise SilentError(what, where=f"board {meant.attached.id!r}", hint=f"is it powered? Else {_FLASH}")
        yield SerialConnection(link, faults, stop, by_layer.SYMBOL in job.image.symbols)
    finally:
        port.close()


@dataclass
class _Faults:
    job: Job
    board: Board
    index: int = 0  # of the sample that runs

    def explain(self, record: bytes) -> EngineError:
        """`record`: fault_record_t, and what was on the stack. It counts samples from the last reset on."""
        folder: Path = self.job.folder
        samples_done = int.from_bytes(record[8:12], "little")
        first = self.index - samples_done
        found = core_of(self.board.chip).explain_fault(record, self.job.image, self.board.memory, first, folder)
        what = f"the firmware faulted in sample {self.index}, and did not tell how"
        return found or EngineError(what, where=str(self.job.image.elf), hint="engine qemu tells more of a fault")


@dataclass
class SerialConnection:
    """See `Connection`."""

    link: Link
    faults: _Faults
    stop: Stop
    has_marks: bool
    window_cycles: int | None = None
    _before: LayerSums | None = (
        None  # of samples that others have asked for, in the life of the board that `_boot` names
    )
    _boot: int | None = None

    def begin(self) -> None:
        self.window_cycles = self.link.end().window or None
        self._before, self._boot = self._layers(), self._life

    @property
    def _life(self) -> int | None:
        return self.link.info.boot if self.link.info else None

    def _layers(self) -> LayerSums | None:
        return by_layer.read_layers(self.link.layers()) if self.has_marks else None

    def layers(self) -> LayerSums | None:
        """See `ByLayer`."""
        counted = self._layers()
        if counted is None or self._before is None or self._boot != self._life:
            return counted
        own = counted.plus(self._before, -1)
        return own if own.samples else None

    def answer(self, sample: bytes, index: int) -> Answered:
        self.faults.index = index
        result = self.link.run(sample)
        return Answered(result.output, result.cycles if self.link.clock.runs else None)

    def may_repeat(self) -> bool:
        """See `Repeating`."""
        self._watch_clock()
        return self.link.info is not None and self.link.info.version >= frames.REPEATS

    def repeat(self, sample: bytes, times: int, lasts_s: float) -> None:
        """See `Repeating`."""
        self.link.repeat(times)
        self.link.run(sample, lasts_s)

    def end(self) -> int | None:
        done = self._watch_clock()
        self.link.leave()
        return done.stack_bytes

    def _watch_clock(self) -> Done:
        """A short job waits, or nobody would know the board's clock."""
        clock = self.link.clock
        done = self.link.end()
        while clock.runs and clock.seconds < ENOUGH_S and not self.stop():
            time.sleep(_TICK_S)
            done = self.link.end()
        return done

    @property
    def clock_hz(self) -> float | None:
        return self.link.clock.hz
