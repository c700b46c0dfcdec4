"""Energy meters, played: what each is told, what it says, and what a board took while it ran for long."""

from __future__ import annotations

import os
import pty
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mcusim.engines.hardware import run_on as running
from mcusim.engines.hardware.attached import METERS as NAMES
from mcusim.engines.hardware.attached import Attached, Meter
from mcusim.engines.hardware.meters import METERS, metered, window
from mcusim.engines.hardware.meters.reading import meter_port
from mcusim.engines.hardware.usb import Port, device_of
from mcusim.system.errors import EngineError, MissingToolError
from tests.engines.hardware.test_run_on import FACTS, Toy, Toys, attached, job_of

READ_S = 0.05


def test_the_map_names_all_of_them() -> None:
    assert tuple(METERS) == NAMES


def module(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    made = ModuleType(name)
    vars(made).update(members)
    monkeypatch.setitem(sys.modules, name.partition(".")[0], made)
    monkeypatch.setitem(sys.modules, name, made)


@pytest.mark.parametrize("kind", ["ppk2", "joulescope"])
def test_without_its_package(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ppk2_api", "ppk2_api.ppk2_api", "joulescope"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingToolError, match=kind) as caught, metered(Meter(kind=kind, port="/dev/x")):
        pass
    assert "pip install" in (caught.value.hint or "")


class Kit:
    told: list[Any]

    def __init__(self, port: str) -> None:
        type(self).told = [port]

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.told.append((name, *values))

    def get_data(self) -> bytes:
        return b"raw"

    def get_samples(self, data: bytes) -> tuple[list[float], list[int]]:
        return [4000.0, 5000.0], [0, 0]


def test_ppk2(monkeypatch: pytest.MonkeyPatch) -> None:
    """It supplies the board as long as it is open."""
    module(monkeypatch, "ppk2_api.ppk2_api", PPK2_API=Kit)
    with metered(Meter(kind="ppk2", port="/dev/x", supply_v=3.0)) as reading:
        assert Kit.told[-1] == ("toggle_DUT_power", "ON") and ("set_source_voltage", 3000) in Kit.told
        assert reading.power_w(READ_S) == pytest.approx(0.0045 * 3.0)
    assert Kit.told[-2:] == [("stop_measuring",), ("toggle_DUT_power", "OFF")] and Kit.told[0] == "/dev/x"


class Scope:
    def __enter__(self) -> Scope:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def read(self, contiguous_duration: float) -> Any:
        return np.array([[0.004, 3.3], [np.nan, np.nan], [0.006, 3.3]])


def test_joulescope(monkeypatch: pytest.MonkeyPatch) -> None:
    module(monkeypatch, "joulescope", scan_require_one=lambda config: Scope())
    with metered(Meter(kind="joulescope")) as reading:
        assert reading.power_w(READ_S) == pytest.approx(0.005 * 3.3)

    def none(config: str) -> Scope:
        raise RuntimeError("no devices found")

    module(monkeypatch, "joulescope", scan_require_one=none)
    with pytest.raises(EngineError, match="no devices found"), metered(Meter(kind="joulescope")):
        pass


@contextmanager
def shield(says: bytes, knows: tuple[bytes, ...]) -> Iterator[tuple[str, list[bytes]]]:
    """A pseudo terminal that answers as UM2269 tells, and `says` currents after `start`."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    heard: list[bytes] = []

    def answer() -> None:
        text = b""
        while True:
            try:
                text += os.read(ours, 100)
            except OSError:
                return
            *lines, text = text.split(b"\n")
            for line in lines:
                heard.append(line)
                if line.split()[0] in knows:
                    os.write(ours, b"PowerShield > ack " + line + b"\r\n" + (says if line == b"start" else b""))

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield os.ttyname(theirs), heard
    finally:
        os.close(theirs)
        thread.join(2)
        os.close(ours)


COMMANDS = (b"htc", b"format", b"volt", b"freq", b"trigsrc", b"targrst", b"acqtime", b"start", b"stop")


def test_lpm01a() -> None:
    with shield(b"4796-06\r\n4804-06\r\nsummary\r\n", COMMANDS) as (path, heard):
        with metered(Meter(kind="lpm01a", port=path)) as reading:
            assert reading.power_w(READ_S) == pytest.approx(0.0048 * 3.3)
        until = time.monotonic() + 2
        while heard[-1] != b"hrc" and time.monotonic() < until:
            time.sleep(0.005)
    assert heard[0] == b"htc" and b"volt 3300m" in heard and heard[-1] == b"hrc"


def test_lpm01a_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcusim.engines.hardware.meters.lpm01a._ANSWER_S", 0.05)
    silent, refused = shield(b"", ()), pytest.raises(EngineError, match="'htc'")
    with silent as (path, _), refused, metered(Meter(kind="lpm01a", port=path)):
        pass


def test_its_port() -> None:
    there = (Port("/dev/a", "D7", "1-1", device_of(0x1915, 0xC00A)), Port("/dev/b", "9", "1-2", None))
    assert meter_port(Meter(kind="ppk2"), there) == meter_port(Meter(kind="ppk2", serial="d7"), there) == "/dev/a"
    for meter, told in ((Meter(kind="lpm01a"), "0 meters"), (Meter(kind="ppk2", serial="1"), "is not connected")):
        with pytest.raises(EngineError, match=told):
            meter_port(meter, there)


class Long(Toy):
    """Takes as long as its cycles say."""

    clock_hz: float | None = 50_000.0
    shorter: float = 1.0

    def repeat(self, sample: bytes, times: int) -> None:
        time.sleep(times * 100 / 50_000 * self.shorter)


class LongToys(Toys):
    shorter = 1.0

    @contextmanager
    def connect(self, board: Attached, job: Any, stop: Any) -> Iterator[Toy]:
        toy = Long(self, board.id, stop, clock_hz=50_000.0)
        toy.shorter = self.shorter
        yield toy


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    read: list[float] = []

    def power_w(seconds: float) -> float:
        read.append(seconds)
        return 0.02

    @contextmanager
    def opened(meter: Meter) -> Iterator[Any]:
        yield SimpleNamespace(power_w=power_w)

    monkeypatch.setattr(window, "METERED_S", 0.1)
    monkeypatch.setattr(running, "metered", opened)
    return read


def test_a_board_with_a_meter_runs_for_long(meter: list[float], tmp_path: Path) -> None:
    board = attached("a", meter={"kind": "ppk2"})
    execution = running.run_on([board], job_of(5, tmp_path), LongToys().connect, FACTS, "1")
    assert execution.silicon and execution.silicon.metered and execution.silicon.power_w == 0.02
    assert meter == [pytest.approx(0.07)], "the middle of it"


def test_one_that_ends_too_soon_is_not_believed(meter: list[float], tmp_path: Path) -> None:
    toys = LongToys()
    toys.shorter = 0.1
    execution = running.run_on([attached("a", meter={"kind": "ppk2"})], job_of(5, tmp_path), toys.connect, FACTS, "1")
    assert "was done after" in str(execution.trouble) and len(execution.indices) == 5 and not execution.complete
    assert execution.silicon and not execution.silicon.metered


def test_one_that_cannot_repeat_takes_what_its_file_says(meter: list[float], tmp_path: Path) -> None:
    execution = running.run_on([attached("a", meter={"kind": "ppk2"})], job_of(5, tmp_path), Toys().connect, FACTS, "1")
    assert execution.silicon and not execution.silicon.metered and execution.silicon.power_w > 0 and not meter
    assert "was not asked" in execution.notes[0]
