"""What may happen to a board, at each moment of a run: what was finished is kept, and nobody is left behind.

A few of them each time; MCUSIM_MOMENTS=all tries each fault at each moment.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.boards.board import Board
from mcusim.engines.engine import Execution
from mcusim.engines.flash.image import flash_bytes
from mcusim.engines.hardware import run_on
from mcusim.engines.hardware.attached import read_map
from mcusim.engines.hardware.locks import BusyError, held
from mcusim.engines.probe.packets import Packets
from mcusim.engines.serial import connection, frames
from mcusim.engines.serial.link import Link
from mcusim.engines.serial.port import Port
from mcusim.system.errors import EngineError
from tests.engines.probe.test_stubs import INPUTS, in_qemu, port, qemu, run_at  # noqa: F401
from tests.engines.serial.conftest import Rig, Rigged, rig  # noqa: F401
from tests.engines.serial.test_engine import over
from tests.tiny_library import build_library, expected, library, samples

pytestmark = pytest.mark.arm
EVERY = os.environ.get("MCUSIM_MOMENTS") == "all"
COUNT = 12
SURVIVED = ("reset", "another run")


@dataclass
class Moment:
    """`happens` once, as soon as `what` has been seen so often."""

    what: object
    times: int
    happens: Callable[[], None]
    seen: int = 0
    was: threading.Event = field(default_factory=threading.Event)

    def see(self, what: object) -> None:
        if what == self.what and not self.was.is_set():
            self.seen += 1
            if self.seen == self.times:
                self.was.set()
                self.happens()


def demand_kept(run: Callable[[], Execution], moment: Moment, fault: str, file: Path, inputs: Any) -> None:
    """What every fault has in common: right answers, an error that helps, no lock and no thread."""
    survives, execution, error = fault in SURVIVED, None, None
    try:
        execution = run()
        error = execution.trouble
    except EngineError as raised:
        error = raised
    assert moment.was.is_set(), "it has to happen"
    if execution:
        assert np.array_equal(execution.answers.view(np.int8), expected(inputs)[execution.indices])
        assert not execution.complete or len(execution.indices) == len(inputs)
    whole = bool(execution and execution.complete)
    assert whole or not survives
    assert (error is None) is (whole or fault == "Ctrl-C")
    assert error is None or (error.hint and error.where)
    for board in read_map(file):
        with held(board):
            pass
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(run_on.THREADS)]


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def demand_busy(file: Path) -> Callable[[], None]:
    def come() -> None:
        [board] = read_map(file)
        with pytest.raises(BusyError, match=f"process {os.getpid()}"), held(board):
            pass

    return come


def chosen(moments: dict[str, Any], faults: tuple[str, ...], few: set[tuple[str, str]]) -> list[Any]:
    pairs = [(moment, fault) for moment in moments for fault in faults]
    return [pytest.param(*pair, id=" ".join(pair)) for pair in pairs if EVERY or pair in few]


# ---- Over the serial port: what is asked, whether it is about to be sent or its answer to be read, and the how manieth

OVER_SERIAL = {
    "at the greeting": (frames.HELLO, "sent", 1),
    "in its answer": (frames.HELLO, "read", 1),
    "while it is flashed": ("flash", "", 1),
    "at the first sample": (frames.RUN, "sent", 1),
    "in the middle": (frames.RUN, "sent", 7),
    "in an answer": (frames.RUN, "read", 7),
    "at the last sample": (frames.RUN, "sent", COUNT + 1),
    "at the end": (frames.END, "sent", 2),
}
TO_SERIAL = ("unplugged", "reset", "dies", "Ctrl-C", "another run")
SOME_SERIAL = {
    ("in an answer", "unplugged"),
    ("at the last sample", "unplugged"),
    ("while it is flashed", "Ctrl-C"),
    ("at the greeting", "unplugged"),
    ("in the middle", "dies"),
    ("at the first sample", "reset"),
    ("in its answer", "another run"),
}


@pytest.mark.parametrize(("when", "fault"), chosen(OVER_SERIAL, TO_SERIAL, SOME_SERIAL))
def test_over_the_serial_port(
    when: str,
    fault: str,
    nucleo: Board,
    rig: Rig,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rigged = rig(nucleo)
    rigged.write_map("baud = 115200")
    what, side, times = OVER_SERIAL[when]
    moment = Moment((what, side), times, happening(rigged, fault))
    watch(moment, monkeypatch)
    if what == "flash":
        monkeypatch.setattr(connection, "_lacking", lambda *_: connection.StaleError("the test says so"))
        monkeypatch.setattr(connection, "flash", lambda *_: moment.see(("flash", "")))
    monkeypatch.setattr(connection, "_THERE_S", 0.5)
    monkeypatch.setattr(connection, "_STARTED_S", 0.5)
    stall_s = 20.0 if fault in SURVIVED else 0.5
    demand_kept(lambda: over(rigged, COUNT, tmp_path, stall_s=stall_s), moment, fault, rigged.map, samples(COUNT))


def happening(rigged: Rigged, fault: str) -> Callable[[], None]:
    return {
        "unplugged": rigged.cable.pull,
        "reset": rigged.standin.reset,
        "dies": rigged.standin.end,
        "Ctrl-C": press,
        "another run": demand_busy(rigged.map),
    }[fault]


def watch(moment: Moment, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    really_try, really_read = Link._try, Port.piece

    def attempt(link: Link, kind: int, *told: Any) -> Any:
        moment.see((kind, "sent"))
        asked[:] = [kind]
        return really_try(link, kind, *told)

    def piece(port: Port, end: float) -> Any:  # noqa: F811
        if asked:
            moment.see((asked.pop(), "read"))
        return really_read(port, end)

    monkeypatch.setattr(Link, "_try", attempt)
    monkeypatch.setattr(Port, "piece", piece)


# ---- By a debug probe: which packet, and the how manieth

BY_PROBE = {
    "at the greeting": (b"qSupported", 1),
    "while it is flashed": (b"X or M", 6),
    "at the first sample": (b"c", 2),
    "in the middle": (b"c", 8),
    "in an answer": (b"m", 40),
    "at the end": (b"c", len(INPUTS) + 3),
}
TO_PROBE = ("server killed", "Ctrl-C", "another run")
SOME_PROBE = {
    ("in an answer", "server killed"),
    ("while it is flashed", "server killed"),
    ("at the first sample", "Ctrl-C"),
    ("at the greeting", "another run"),
}


@pytest.fixture
def no_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_on, "_REMEDIES", ())


@pytest.mark.usefixtures("no_remedies")
@pytest.mark.parametrize(("when", "fault"), chosen(BY_PROBE, TO_PROBE, SOME_PROBE))
def test_by_a_probe(
    when: str,
    fault: str,
    in_qemu: Board,  # noqa: F811
    port: int,  # noqa: F811
    build_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    firmware, (packet, times) = build_library(library(), in_qemu, build_folder, "probe"), BY_PROBE[when]
    assert flash_bytes(firmware.image)
    file, really_send = tmp_path / "hardware.toml", Packets.send
    with qemu(port) as server:

        def kill() -> None:
            server.kill()
            server.wait()

        moment = Moment(
            packet, times, {"server killed": kill, "Ctrl-C": press, "another run": demand_busy(file)}[fault]
        )

        def send(packets: Packets, body: bytes) -> None:
            moment.see(kind_of(body))
            really_send(packets, body)

        monkeypatch.setattr(Packets, "send", send)
        demand_kept(lambda: run_at(port, firmware, in_qemu, tmp_path), moment, fault, file, INPUTS)


def kind_of(body: bytes) -> bytes:
    for kind in (b"qSupported", b"m"):
        if body.startswith(kind):
            return kind
    return b"X or M" if body[:1] in b"XM" else body[:1]


def test_the_few_are_some_of_all() -> None:
    every = {(moment, fault) for moment in OVER_SERIAL for fault in TO_SERIAL}
    assert every >= SOME_SERIAL and {(moment, fault) for moment in BY_PROBE for fault in TO_PROBE} >= SOME_PROBE
