"""Energy meters, played: what each is told, what it says, and what a board took while it ran for long."""

from __future__ import annotations

import os
import pty
import re
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from mcusim.engines.engine import Execution
from mcusim.engines.hardware import run_on as running
from mcusim.engines.hardware.attached import METERS as NAMES
from mcusim.engines.hardware.attached import Attached, Meter
from mcusim.engines.hardware.meters import METERS, metered, window
from mcusim.engines.hardware.meters.reading import Trace, meter_port
from mcusim.engines.hardware.usb import Port, device_of
from mcusim.system.elf import Symbol
from mcusim.system.errors import ConfigurationError, EngineError, MissingToolError
from mcusim.system.validation import Place, validate
from tests.engines.hardware.test_run_on import FACTS, Toy, Toys, attached, job_of

READ_S = 0.05


def test_the_map_names_all_of_them() -> None:
    assert tuple(METERS) == tuple(NAMES)


@pytest.mark.parametrize(("kind", "channel"), [("lpm01a", 0), ("joulescope", 2), ("ppk2", 8)])
def test_an_input_that_it_has_not(kind: str, channel: int) -> None:
    with pytest.raises(ConfigurationError, match=r"has .*digital input") as caught:
        validate(Meter, {"kind": kind, "channel": channel}, Place("map.toml"))
    assert "leave channel out" in (caught.value.hint or "")


@pytest.mark.parametrize(("kind", "supply_v"), [("ppk2", 33.0), ("ppk2", 0.5), ("lpm01a", 5.0)])
def test_a_voltage_that_it_cannot_give(kind: str, supply_v: float) -> None:
    """Nor is the nearest one given to a board."""
    with pytest.raises(ConfigurationError, match=f"supplies .* V, and not {supply_v:g}"):
        validate(Meter, {"kind": kind, "supply_v": supply_v}, Place("map.toml"))


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
    """As the package: words of four bytes, current below and inputs above, of which it wants whole ones."""

    told: list[Any]
    words: list[int]
    with_inputs = True
    calibrated: bool | None = True

    def __init__(self, port: str) -> None:
        type(self).told = [port]
        self.bytes = b"".join(word.to_bytes(4, "little") for word in self.words)

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.told.append((name, *values))

    def get_modifiers(self) -> bool | None:
        return self.calibrated

    def get_data(self) -> bytes:
        found, self.bytes = self.bytes[:3], self.bytes[3:]
        return found

    def get_samples(self, data: bytes) -> Any:
        assert data and len(data) % 4 == 0
        words = np.frombuffer(data, "<u4")
        currents = [float(word & 0xFFFF) for word in words]
        return (currents, [int(word >> 24) for word in words]) if self.with_inputs else currents


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> type[Kit]:
    played = type("Kit", (Kit,), {"words": [0x08000FA0, 0xF7001388]})  # the package tells 0xFF as -1
    module(monkeypatch, "ppk2_api.ppk2_api", PPK2_API=played)
    monkeypatch.setattr("mcusim.engines.hardware.meters.ppk2._SETTLE_S", 0.0)
    return played


def test_ppk2(kit: type[Kit]) -> None:
    """It supplies the board as long as it is open."""
    with metered(Meter(kind="ppk2", port="/dev/x", supply_v=3.0)) as reading:
        assert kit.told[-1] == ("toggle_DUT_power", "ON") and ("set_source_voltage", 3000) in kit.told
        trace = reading.trace(READ_S)
        assert trace.power_w.tolist() == pytest.approx([0.012, 0.015]) and trace.high is None
        with pytest.raises(EngineError, match="'ppk2' tells nothing"):
            reading.trace(0.0)
    assert kit.told[-2:] == [("stop_measuring",), ("toggle_DUT_power", "OFF")] and kit.told[0] == "/dev/x"


def test_ppk2_with_a_pin(kit: type[Kit]) -> None:
    for channel, high in ((3, [True, False]), (0, [False, True])):
        with metered(Meter(kind="ppk2", port="/dev/x", channel=channel)) as reading:
            trace = reading.trace(READ_S)
            assert trace.high is not None and trace.high.tolist() == high and trace.rate_hz == 1e5
    kit.with_inputs = False
    meter = Meter(kind="ppk2", port="/dev/x", channel=0)
    with metered(meter) as reading, pytest.raises(EngineError, match="this ppk2-api tells no digital inputs"):
        reading.trace(READ_S)


def test_what_a_package_raises_is_no_bug(kit: type[Kit], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it the folder for results that cannot be written."""
    meter = Meter(kind="ppk2", port="/dev/x")

    def gone(*_: object) -> Any:
        raise OSError(5, "Input/output error \x1b[31m")

    with metered(meter) as reading:
        monkeypatch.setattr(kit, "get_data", gone)
        monkeypatch.setattr(kit, "toggle_DUT_power", gone, raising=False)
        with pytest.raises(EngineError, match=r"meter 'ppk2': .*Input/output error [^\x1b]*$") as caught:
            reading.trace(READ_S)
    assert caught.value.where and caught.value.hint
    monkeypatch.setattr(kit, "__init__", gone)
    with pytest.raises(EngineError, match="Input/output error"), metered(meter):
        pass


def test_a_kit_without_calibration(kit: type[Kit]) -> None:
    """Its package goes on with numbers of no kit at all."""
    kit.calibrated = None
    with pytest.raises(EngineError, match="does not tell its calibration"), metered(Meter(kind="ppk2", port="/dev/x")):
        pass


class Scope:
    told: ClassVar[list[Any]] = []

    def __enter__(self) -> Scope:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def parameter_set(self, name: str, value: str) -> None:
        self.told.append((name, value))

    def read(self, contiguous_duration: float, out_format: str, fields: list[str]) -> Any:
        there = {"current": [0.004, np.nan, 0.006], "voltage": [3.3, np.nan, 3.3], "voltage_lsb": [0, 1, 1]}
        signals = {name: {"value": np.array(there[name], np.float32)} for name in fields}
        return {"time": {"sampling_frequency": {"value": 2_000_000}}, "signals": signals}


def test_joulescope(monkeypatch: pytest.MonkeyPatch) -> None:
    module(monkeypatch, "joulescope", scan_require_one=lambda config: Scope())
    with metered(Meter(kind="joulescope")) as reading:
        assert np.nanmean(reading.trace(READ_S).power_w) == pytest.approx(0.005 * 3.3) and not Scope.told
    with metered(Meter(kind="joulescope", channel=1)) as reading:
        trace = reading.trace(READ_S)
    assert trace.high is not None and trace.high.tolist() == [False, True, True]
    assert trace.rate_hz == 2e6 and Scope.told == [("voltage_lsb", "gpi1")]

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
            trace = reading.trace(READ_S)
            assert trace.power_w.mean() == pytest.approx(0.0048 * 3.3) and trace.high is None
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
    repeats = True

    trouble: Exception | None = None

    def may_repeat(self) -> bool:
        return self.repeats

    def repeat(self, sample: bytes, times: int, lasts_s: float) -> None:
        assert lasts_s == times * 100 / 50_000
        if self.trouble:
            raise self.trouble
        time.sleep(lasts_s * self.shorter)


class LongToys(Toys):
    shorter = 1.0
    repeats = True
    in_trouble: Exception | None = None

    @contextmanager
    def connect(self, board: Attached, job: Any, stop: Any) -> Iterator[Toy]:
        toy = Long(self, board.id, stop, clock_hz=50_000.0)
        toy.shorter, toy.repeats, toy.trouble = self.shorter, self.repeats, self.in_trouble
        yield toy


RATE_HZ = 1000.0


def trace_of(*pieces: tuple[float, bool, float]) -> Trace:
    """Of pieces of so many seconds, a level of the pin and watts."""
    rows = [(high, power) for seconds, high, power in pieces for _ in range(round(seconds * RATE_HZ))]
    return Trace(np.array([power for _, power in rows]), RATE_HZ, np.array([high for high, _ in rows], np.bool_))


@dataclass
class Played:
    """A meter that sees what it is told to."""

    seen: Trace = field(default_factory=lambda: trace_of((0.1, False, 0.02)))
    read: list[float] = field(default_factory=list)

    def trace(self, seconds: float) -> Trace:
        self.read.append(seconds)
        return self.seen


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Played:
    played = Played()

    @contextmanager
    def opened(meter: Meter) -> Iterator[Any]:
        yield played

    monkeypatch.setattr(window, "METERED_S", 0.1)
    monkeypatch.setattr(window, "_AHEAD_S", 0.0)
    monkeypatch.setattr(running, "metered", opened)
    return played


def run(folder: Path, toys: Toys, *, pin: bool = False, **of_meter: object) -> Execution:
    job = job_of(5, folder)
    symbols = {window.PIN: Symbol(0, 2, "function", ".harness")} if pin else {}
    job = replace(job, image=replace(job.image, symbols=symbols))
    board = attached("a", meter={"kind": "ppk2", **of_meter} if of_meter.get("kind", 1) else None)
    return running.run_on([board], job, toys.connect, FACTS, "1")


def test_a_board_with_a_meter_runs_for_long(meter: Played, tmp_path: Path) -> None:
    execution = run(tmp_path, LongToys())
    assert execution.silicon and execution.silicon.metered and execution.silicon.power_w == pytest.approx(0.02)
    assert meter.read == [pytest.approx(0.07)] and execution.silicon.energy_j is None, "the middle of it"


def test_one_that_ends_too_soon_is_not_believed(meter: Played, tmp_path: Path) -> None:
    toys = LongToys()
    toys.shorter = 0.1
    execution = run(tmp_path, toys)
    assert "was done after" in str(execution.trouble) and len(execution.indices) == 5 and not execution.complete
    assert execution.silicon and not execution.silicon.metered


def test_one_that_goes_away_meanwhile_is_told(meter: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All samples are there, so nothing is left to do but to say why energy is of the board's file."""
    monkeypatch.setattr(running, "_REMEDIES", ())
    toys = LongToys()
    toys.in_trouble = running.BoardTrouble("it is silent")
    execution = run(tmp_path, toys)
    assert execution.complete and execution.silicon and not execution.silicon.metered
    assert any("saw no whole run" in note for note in execution.notes)


@pytest.mark.parametrize("knows", [False, None])
def test_one_that_cannot_repeat_takes_what_its_file_says(meter: Played, tmp_path: Path, knows: bool | None) -> None:
    """Because of its engine, or of its firmware."""
    toys = LongToys()
    toys.repeats = False
    execution = run(tmp_path, Toys() if knows is None else toys)
    assert execution.silicon and not execution.silicon.metered and execution.silicon.power_w > 0 and not meter.read
    assert "was not asked" in execution.notes[0]


def test_energy_is_what_was_taken_while_the_pin_was_high(meter: Played, tmp_path: Path) -> None:
    """50 runs of 2 ms; what it takes before and after is not the model's."""
    meter.seen = trace_of((0.05, False, 0.5), (0.06, True, 0.01), (0.04, True, 0.02), (0.2, False, 0.7))
    execution = run(tmp_path, LongToys(), pin=True, channel=0)
    assert execution.silicon and execution.silicon.metered and not execution.notes
    assert execution.silicon.energy_j == pytest.approx((0.06 * 0.01 + 0.04 * 0.02) / 50)
    assert execution.silicon.power_w == pytest.approx(0.014) and meter.read[0] > 0.1


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([(0.3, False, 0.02)], "saw no pin: it was low all the time"),
        ([(0.3, True, 0.02)], "was high all the time"),
        ([(0.1, True, 0.02), (0.2, False, 0.02)], "is high when the meter begins"),
        ([(0.1, False, 0.02), (0.2, True, 0.02)], "is still high when the meter ends"),
        ([(0.01, False, 0.02), (0.01, True, 0.02)] * 15 + [(0.01, False, 0.02)], "rose 15 times, and not once"),
        ([(0.1, True, 0.02), (0.1, False, 0.02), (0.1, True, 0.02)], "rose 1 times, and not once"),
        ([(0.1, False, 0.02), (0.02, True, 0.02), (0.1, False, 0.02)], "high for 0.020 s, and 50 runs .* take 0.100 s"),
        ([(0.1, False, 0.02), (0.1, True, 9.0), (0.1, False, 0.02)], "says 9 W"),
    ],
)
def test_a_window_that_is_none(
    meter: Played, tmp_path: Path, pieces: list[tuple[float, bool, float]], told: str
) -> None:
    """What was answered is there; no energy is."""
    meter.seen = trace_of(*pieces)
    execution = run(tmp_path, LongToys(), pin=True, channel=0)
    assert re.search(told, str(execution.trouble)) and execution.trouble and execution.trouble.hint
    assert len(execution.indices) == 5 and execution.silicon and not execution.silicon.metered


@pytest.mark.parametrize(
    ("pin", "of_meter", "told"),
    [
        (True, {}, "the map names no channel"),
        (True, {"kind": None}, "the map names no channel"),
        (False, {"channel": 0}, "stays low.*energy_pin = true"),
    ],
)
def test_a_pin_or_a_wire_alone_is_told(
    meter: Played, tmp_path: Path, pin: bool, of_meter: dict[str, object], told: str
) -> None:
    execution = run(tmp_path, LongToys(), pin=pin, **of_meter)
    assert execution.silicon and execution.silicon.energy_j is None and re.search(told, execution.notes[0])
    assert execution.silicon.metered == ("kind" not in of_meter)
