"""A Target by pyOCD's Python API: no server, no socket. Its log is a file.

pyOCD leaves DEMCR at 0 when it ends: a firmware that is reset afterwards counts again.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.run_on import BoardTrouble, Stopped
from mcusim.engines.probe.servers import Kind, words_of_error
from mcusim.engines.probe.target import ANSWER_S, Refused, Stop
from mcusim.system.errors import EngineError
from mcusim.system.names import printable

_LOOK_S = 0.001  # between two questions whether the core has stopped: they stay in the core's own registers
_OPTIONS = {
    "connect_mode": "halt",
    "resume_on_disconnect": False,
    "chip_erase": "sector",
    "hide_programming_progress": True,
}


@contextmanager
def opened(attached: Attached, kind: Kind, chip: str, log: Path, stop: Stop) -> "Iterator[Pyocd]":
    """`chip`: what pyOCD calls it; empty: any Cortex-M. Raises MissingToolError, EngineError, or BoardTrouble."""
    version = kind.installed()
    log.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(log, mode="w", encoding="utf-8")
    logger = logging.getLogger("pyocd")
    logger.addHandler(handler)
    try:
        session = _session(attached, chip or "cortex_m", log)
        try:
            yield Pyocd(session, kind, version, stop)
        finally:
            with suppress(Exception):  # a probe that is gone: who used it has said so
                session.close()
    finally:
        logger.removeHandler(handler)
        handler.close()


def _session(attached: Attached, chip: str, log: Path) -> Any:
    """Open, with the core halted."""
    from pyocd.core.exceptions import Error, TargetSupportError
    from pyocd.core.helpers import ConnectHelper

    hint = f"is the probe plugged in, and may you use it (udev rule)? All that pyOCD said is in {log}"
    try:
        session = ConnectHelper.session_with_chosen_probe(
            blocking=False, return_first=True, unique_id=attached.serial, target_override=chip, **_OPTIONS
        )
        if session is None:
            raise BoardTrouble(f"pyOCD finds no probe {attached.serial or ''}".rstrip(), where="pyocd", hint=hint)
        _open(session)
    except TargetSupportError as error:
        what = f"pyOCD does not know {chip!r}: {printable(str(error))}"
        raise EngineError(what, where="pyocd", hint=f"pyocd pack install {chip}") from error
    except (Error, OSError) as error:
        raise BoardTrouble(f"pyOCD: {words_of_error(error)}", where="pyocd", hint=hint) from error
    return session


def _open(session: Any) -> None:
    """With the probe free again when that comes to nothing: pyOCD itself closes only what it has opened as a whole."""
    try:
        session.open()
    except BaseException:
        with suppress(Exception):
            session.close()
            session.probe.close()
        raise


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of pyOCD become ours; those of an access to memory tell `what` was refused."""
    from pyocd.core.exceptions import Error, TransferFaultError

    try:
        yield
    except TransferFaultError as error:
        raise Refused(f"the probe cannot {what}", where="pyocd") from error
    except (Error, OSError, ValueError) as error:
        hint = "is the probe plugged in, and the board powered?"
        raise BoardTrouble(f"pyOCD cannot {what}: {words_of_error(error)}", where="pyocd", hint=hint) from error


class Pyocd:
    """See `Target`."""

    reads_running, emulator = True, False

    def __init__(self, session: Any, kind: Kind, version: str, stop: Stop) -> None:
        self._session, self._core, self._stop = session, session.target, stop
        self.kind, self.title, self.version = kind.speaks, kind.title, version
        self._breaks = set[int]()

    def read(self, address: int, count: int) -> bytes:
        with _told(f"read {count} bytes at 0x{address:08x}"):
            return bytes(self._core.read_memory_block8(address, count))

    def write(self, address: int, data: bytes) -> None:
        with _told(f"write {len(data)} bytes at 0x{address:08x}"):
            self._core.write_memory_block8(address, list(data))
            self._core.flush()

    def same(self, address: int, data: bytes) -> bool:
        return self.read(address, len(data)) == data

    def load(self, pieces: list[tuple[int, bytes]]) -> None:
        from pyocd.core.exceptions import Error
        from pyocd.flash.loader import FlashLoader

        try:
            loader = FlashLoader(self._session, chip_erase="sector", progress=lambda done: None)
            for address, data in pieces:
                loader.add_data(address, list(data))
            loader.commit()
        except (Error, ValueError) as error:
            hint = "is the flash protected (RDP, WRP, PROT)?"
            raise Refused(f"pyOCD cannot program flash: {words_of_error(error)}", where="pyocd", hint=hint) from error

    def reset(self, vectors: int) -> None:
        with _told("reset the board"):
            for address in self._breaks:
                self._core.remove_breakpoint(address)
            self._breaks.clear()
            self._core.reset_and_halt()

    def break_at(self, address: int) -> bool:
        from pyocd.core.target import Target

        with _told(f"set a breakpoint at 0x{address:08x}"):
            had = bool(self._core.set_breakpoint(address, Target.BreakpointType.HW))
        if had:
            self._breaks.add(address)
        return had

    def go(self) -> None:
        with _told("let the core go on"):
            breaks = tuple(self._breaks)
            for address in breaks:
                self._core.remove_breakpoint(address)
            if breaks:
                self._core.step()
            for address in breaks:
                self.break_at(address)
            self._core.resume()

    def halt(self) -> None:
        with _told("stop the core"):
            self._core.halt()
            if not self.stopped(ANSWER_S):
                raise BoardTrouble("the core does not stop when it is told to", where="pyocd")

    def stopped(self, limit_s: float) -> bool:
        from pyocd.core.target import Target

        until = time.monotonic() + limit_s
        with _told("ask whether the core has stopped"):
            while self._core.get_state() != Target.State.HALTED:
                if self._stop():
                    raise Stopped
                if time.monotonic() > until:
                    return False
                time.sleep(_LOOK_S)
        return True

    def program_counter(self) -> int:
        with _told("read the program counter"):
            return int(self._core.read_core_register("pc"))

    def close(self) -> None:
        with suppress(BoardTrouble), _told("leave the board"):
            for address in self._breaks:
                self._core.remove_breakpoint(address)
            self._core.resume()
