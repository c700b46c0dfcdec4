"""mcusim hardware: what is said without any board, what is written into the map, what is wrong with each."""

from __future__ import annotations

import os
import pty
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mcusim.commands.cli import execute
from mcusim.engines.hardware.attached import read_map
from mcusim.engines.hardware.locks import held

MAP = "mcusim/hardware.toml"


class Machine:
    """Serial ports that pyserial would find, and a home of its own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.map = folder / MAP
        self.there: list[Any] = []
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: self.there)

    def plug_in(self, device: str, vid: int, pid: int, serial: str | None, place: str) -> None:
        self.there.append(Found(device=device, vid=vid, pid=pid, serial_number=serial, location=f"{place}:1.0"))

    def write(self, text: str) -> None:
        self.map.parent.mkdir(exist_ok=True)
        self.map.write_text(text)


class Found(SimpleNamespace):
    def __lt__(self, other: Any) -> bool:
        return bool(self.device < other.device)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


@pytest.fixture
def a_port() -> Iterator[str]:
    ends = pty.openpty()
    yield os.ttyname(ends[1])
    for end in ends:
        os.close(end)


def test_without_any_board(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    began = time.process_time()
    assert execute(["hardware", "check"]) == 4
    told = capfd.readouterr().err
    assert "no board is connected" in told and "plug in a NUCLEO-L452RE-P" in told
    assert execute(["hardware", "scan"]) == 0 and execute(["hardware", "list"]) == 0
    told = capfd.readouterr().out
    assert "no serial port on USB: plug in" in told and "no boards in" in told
    assert time.process_time() - began < 2


def test_add_finds_the_only_one(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    machine.plug_in("/dev/ttyACM0", 0x0483, 0x374B, "066EFF48", "1-1.1")
    machine.plug_in("/dev/ttyUSB0", 0x1A86, 0x7523, None, "1-1.2")
    machine.plug_in("/dev/ttyACM9", 0x1915, 0xC00A, "D7F2", "1-1.9")  # a meter
    assert execute(["hardware", "check"]) == 4 and "hardware scan" in capfd.readouterr().err
    machine.write("# mine\n")
    assert execute(["hardware", "add", "n1", "nucleo_l452re_p"]) == 0
    assert execute(["hardware", "add", "e1", "sparkfun_edge", "--server", "pyocd", "--usb", "1-1.2"]) == 0
    nucleo, edge = read_map(machine.map)
    assert machine.map.read_text().startswith("# mine\n")
    assert (nucleo.id, nucleo.serial, edge.usb, edge.server) == ("n1", "066EFF48", "1-1.2", "pyocd")
    capfd.readouterr()
    assert execute(["hardware", "scan"]) == 0 and execute(["hardware", "list"]) == 0
    told = capfd.readouterr().out
    assert "/dev/ttyACM0  ST-Link V2-1" in told and "n1" in told.splitlines()[1] + told.splitlines()[2]
    assert execute(["hardware", "add", "n2", "nucleo_l452re_p"]) == 4, "no other is there"


def test_a_serial_number_of_raw_bytes_is_written_in_hex(machine: Machine) -> None:
    machine.plug_in("/dev/ttyACM0", 0x0483, 0x374B, "Tq\x87\x06", "1-1.1")
    assert execute(["hardware", "add", "n1", "nucleo_l452re_p"]) == 0
    assert read_map(machine.map)[0].serial == "54718706"


@pytest.mark.parametrize(
    ("asked", "code", "told"),
    [
        (["n1", "nucleo_l452re_p", "--serial", "1"], 2, "have the same id"),
        (["n2", "nucleo_l452re_p", "--serial", "0aa"], 2, "have the same serial"),
        (["n2", "nucleo", "--serial", "1"], 2, "unknown board 'nucleo'"),
        (["n2", "nucleo_l452re_p", "--server", "gdb"], 2, "unknown server"),
        (["n2", "nucleo_l452re_p"], 2, "2 devices could be that board"),
        (["n\n2", "nucleo_l452re_p", "--serial", "1"], 2, "cannot be printed"),
    ],
)
def test_what_cannot_be_added(
    machine: Machine, asked: list[str], code: int, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.write('[[board]]\nid = "n1"\ntype = "nucleo_l452re_p"\nserial = "AA"\n')
    for number in (1, 2):
        machine.plug_in(f"/dev/ttyACM{number}", 0x0483, 0x374B, f"B{number}", f"1-1.{number}")
    before = machine.map.read_text()
    assert execute(["hardware", "add", *asked]) == code
    said = capfd.readouterr().err
    assert told in said and machine.map.read_text() == before
    assert f"  in: {machine.map}" in said or "have the same" not in told


def test_what_is_wrong_with_each(
    machine: Machine, a_port: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    listening = socket.create_server(("localhost", 0))
    host_port = f"localhost:{listening.getsockname()[1]}"
    port = tmp_path / "tty"
    port.symlink_to(a_port)
    type_ = 'type = "nucleo_l452re_p"\n'
    machine.write(
        f'[[board]]\nid = "good"\n{type_}port = "{port}"\nserver = "{host_port}"\nmount = "{tmp_path}"\n'
        f'[[board]]\nid = "away"\n{type_}serial = "77"\n'
        f'[[board]]\nid = "deaf"\n{type_}server = "localhost:1"\n'
        f'[[board]]\nid = "bare"\n{type_}port = "{tmp_path}/none"\nmount = "{tmp_path}/none"\n'
        f'[[board]]\nid = "none"\n{type_}port = "{tmp_path}"\n'
        f'[[board]]\nid = "null"\n{type_}port = "/dev/null"\n'
    )
    [good, *_] = read_map(machine.map)
    with listening:
        assert execute(["hardware", "check"]) == 4
        told = capfd.readouterr().out
        with held(good):
            execute(["hardware", "check"])
            assert f"'good' is in use: process {os.getpid()}" in capfd.readouterr().out
    rows = [line for line in told.splitlines() if line.startswith("problem")]
    assert all(words in told for words in ("'away' is not connected", "nobody listens at localhost:1", "there is no '"))
    assert f"'{tmp_path}' is no serial port" in told and "'/dev/null' is no serial port" in told
    assert len(rows) == 6 and not any("good" in row for row in rows)


def test_what_a_meter_lacks(
    machine: Machine, a_port: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """All that would end a run when it opens one."""
    monkeypatch.setattr("mcusim.engines.hardware.meters.find_spec", lambda name: name if name == "serial" else None)
    row = '[[board]]\nid = "{0}"\ntype = "nucleo_l452re_p"\nserver = "localhost:{1}"\nmeter = {{ kind = {2} }}\n'
    meters = ['"ppk2"', '"lpm01a"', '"lpm01a", port = "/dev/none"', f'"lpm01a", port = "{a_port}"']
    machine.write("".join(row.format(f"b{at}", at + 1, meter) for at, meter in enumerate(meters)))
    assert execute(["hardware", "check"]) == 4
    told = capfd.readouterr().out
    assert "b0  the Python package of meter 'ppk2' is not installed: ppk2_api" in told and "mcusim[meters]" in told
    assert "b1  0 meters 'lpm01a' are connected" in told and "b2  there is no '/dev/none'" in told
    assert f"ok       b3  meter lpm01a at {a_port}" in told


def test_no_permission_names_the_rule(
    machine: Machine, a_port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    port = tmp_path / "tty"
    port.symlink_to(a_port)
    machine.write(f'[[board]]\nid = "n1"\ntype = "nucleo_l452re_p"\nport = "{port}"\n')
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != str(port))
    assert execute(["hardware", "check"]) == 4
    told = capfd.readouterr().out
    assert "no permission" in told and "udev rule" in told and "dialout" in told
