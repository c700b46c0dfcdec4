"""Engine serial against a stand-in: the firmware's own C at the end of a cable that does what cables do."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mcusim.boards.board import Board, Rate, RegisterStep
from mcusim.boards.load import load_board
from mcusim.engines.engine import Execution
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.run_on import THREADS
from mcusim.engines.serial import connection
from mcusim.engines.serial import engine as serial
from mcusim.engines.serial.clock import Clock
from mcusim.engines.serial.frames import Info
from mcusim.engines.serial.port import Port
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, EngineError
from tests.engines.serial.conftest import Rig, Rigged, machine
from tests.engines.serial.standin import WINDOW
from tests.jobs import HANGS_IN_5, ended_by, run
from tests.tiny_library import build_library, expected, library, samples

pytestmark = pytest.mark.arm
INT8 = np.dtype("int8")


def over(rigged: Rigged, count: int, folder: Path, inputs: Array | None = None, **options: object) -> Execution:
    rigged.map.exists() or rigged.write_map()
    options = {"stall_s": 20.0, **options}
    inputs = samples(count) if inputs is None else inputs
    return run(serial, rigged.firmware, rigged.board, inputs, folder, hardware=rigged.map, **options)


def right(execution: Execution, count: int) -> bool:
    return execution.complete and np.array_equal(execution.answers.view(INT8), expected(samples(count)))


@pytest.mark.parametrize("name", ["nucleo_l452re_p", "sparkfun_edge"])
def test_outputs_cycles_stack(name: str, rig: Rig, tmp_path: Path) -> None:
    """On both boards' registers, at the highest rate."""
    told = {"STANDIN_HZ": "1e6"} if name == "nucleo_l452re_p" else {}
    rigged = rig(load_board(name), environment=told)
    execution = over(rigged, 40, tmp_path)
    assert right(execution, 40) and execution.stack_bytes == 404
    assert execution.silicon and execution.silicon.window_cycles == (WINDOW if "STANDIN_HZ" in told else None)
    if name == "nucleo_l452re_p":
        assert execution.cycle_counter is not None and len(execution.cycle_counter) == 40
        assert execution.silicon.clock_hz == (("desk", pytest.approx(1e6, rel=0.05)),)
    else:  # a counter that stands
        assert execution.cycle_counter is None and execution.silicon.clock_hz == ()


@pytest.mark.parametrize(
    "faults", [{"drop": 3e-3}, {"drop": 2e-3, "flip": 3e-3, "stall": 5e-3, "unplug": 3e-4}], ids=str
)
def test_a_bad_cable_loses_nothing(faults: dict[str, float], nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    """Nor is anything counted twice: the board tells with each answer how many it gave."""
    rigged = rig(nucleo, **faults)
    assert right(over(rigged, 120, tmp_path), 120)
    assert any(rigged.cable.seen[what] for what in faults)  # which ones, time decides


def test_the_highest_clean_rate(nucleo: Board, rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What loses bytes at 460800 and more is spoken to at 230400; the map may forbid that, too."""
    rigged, rates = rig(nucleo), []
    rigged.cable.clean_above = 460800
    kept = serial.connect
    monkeypatch.setattr(serial, "connect", lambda *args: _telling(kept(*args), rates))
    assert right(over(rigged, 5, tmp_path), 5)
    rigged.write_map("baud = 115200")
    assert right(over(rigged, 5, tmp_path), 5)
    assert rates == [230400, 115200]


class _telling:
    """Around a connection."""

    def __init__(self, around: object, rates: list[int]) -> None:
        self.around, self.rates = around, rates

    def __enter__(self) -> object:
        connection = self.around.__enter__()  # type: ignore[attr-defined]
        self.rates.append(connection.link.baud)
        return connection

    def __exit__(self, *args: object) -> object:
        return self.around.__exit__(*args)  # type: ignore[attr-defined]


def test_a_reset_in_the_midst(nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    """The board counts anew, and is at its first rate."""
    rigged = rig(nucleo)

    def reset(done: int, _: int) -> None:
        if done > 30 and not rigged.cable.seen["reset"]:
            rigged.cable.seen["reset"] += 1
            rigged.standin.reset()

    assert right(over(rigged, 500, tmp_path, progress=reset), 500)
    assert rigged.cable.seen["reset"] == 1


def test_a_fault_is_told(nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    sources = library("if (input[0] == 5) standin_fault();", "void standin_fault(void);")
    rigged = rig(nucleo, library(), native=sources)
    assert "in sample 5" in str(ended_by(over(rigged, 8, tmp_path), samples(8)))


def test_a_hang_leaves_the_board_out(nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    rigged = rig(nucleo, library(), native=library(HANGS_IN_5))
    execution = over(rigged, 8, tmp_path, stall_s=0.4)
    assert "no answer within 0.4 s" in str(ended_by(execution, samples(8))) and len(execution.indices) == 5


def test_ctrl_c_keeps_what_is_finished(nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    rigged = rig(nucleo, library(), native=library(HANGS_IN_5))

    pressed: list[int] = []

    def press(done: int, _: int) -> None:
        if done == 5 and not pressed:
            pressed.append(done)
            os.kill(os.getpid(), signal.SIGINT)

    execution = over(rigged, 8, tmp_path, progress=press)
    assert not execution.complete and execution.indices.tolist() == [*range(5)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(THREADS)]


def test_another_firmware_is_never_measured(nucleo: Board, rig: Rig, tmp_path: Path, build_folder: Path) -> None:
    """It has the same inputs and outputs, and would answer."""
    rigged = rig(nucleo)
    other = build_library(library("arena[0] = 1;"), nucleo, build_folder, "serial")
    rigged.firmware = other
    with pytest.raises(EngineError, match=r"has to be flashed \(the board has another firmware") as caught:
        over(rigged, 8, tmp_path)
    assert (tmp_path / "firmware.bin").is_file() and "firmware.bin" in (caught.value.hint or "")


def test_another_chip(nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    rigged = rig(nucleo, chip=0x10016470)
    with pytest.raises(EngineError, match="no STM32L452RE: it tells 0x10016470"):
        over(rigged, 8, tmp_path)


def test_another_board(nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    rigged = rig(nucleo.model_copy(update={"name": "a_board\x1b[31m"}))
    rigged.board = nucleo
    rigged.write_map()
    with pytest.raises(EngineError, match=r"a board 'a_board.*' answers there, and not 'nucleo_l452re_p'") as caught:
        over(rigged, 8, tmp_path)
    assert "\x1b" not in str(caught.value)


def test_a_port_that_is_not_there(nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    rigged = rig(nucleo)
    rigged.map.write_text('[[board]]\nid = "desk"\ntype = "nucleo_l452re_p"\nport = "/dev/no-such-tty"\n')
    with pytest.raises(EngineError, match="no such serial port") as caught:
        over(rigged, 8, tmp_path)
    assert "there: " in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("path", "told"), [("/dev/null", "Inappropriate ioctl for device"), ("/dev", "Is a directory")]
)
def test_a_port_that_is_none(path: str, told: str) -> None:
    """In the words of the system alone."""
    with pytest.raises(EngineError, match=f"^cannot open the serial port: {told}\n") as caught:
        Port(path, lambda: False).open(115200)
    assert caught.value.where == path and "scan" in (caught.value.hint or "")


@pytest.mark.parametrize("named", ['port = "/dev/no-such-tty"', 'serial = "no such"'])
def test_another_board_goes_on_without_one_that_is_not_there(
    named: str, nucleo: Board, rig: Rig, tmp_path: Path
) -> None:
    rigged = rig(nucleo)
    rigged.write_map(f'[[board]]\nid = "away"\ntype = "nucleo_l452re_p"\n{named}')
    execution = over(rigged, 8, tmp_path, jobs=2)
    assert right(execution, 8) and any("'away' was left out" in note for note in execution.notes)


def test_a_port_that_another_program_has(nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    import serial as pyserial

    rigged = rig(nucleo)
    with pyserial.Serial(str(rigged.cable.link), exclusive=True), pytest.raises(EngineError, match="another program"):
        over(rigged, 8, tmp_path)


def test_a_port_that_belongs_to_others(
    nucleo: Board, rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import serial as pyserial

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pyserial, "Serial", refuse)
    with pytest.raises(EngineError, match="Permission denied") as caught:
        over(rig(nucleo), 8, tmp_path)
    assert "udev" in (caught.value.hint or "")


def test_firmware_of_before_repeats(nucleo: Board) -> None:
    """Is understood, and never asked for what it does not know; one that is older still is flashed over."""
    info = Info(2, 1, 7, 0, 16, 4, 0, 0, nucleo.told_name)
    meant = connection._Meant(nucleo, Attached(id="n1", type=nucleo.name), "/dev/x", 7)
    meant.demand(info)
    with pytest.raises(connection.StaleError, match="version 1 of the protocol, not 2 or newer"):
        meant.demand(info._replace(version=1))
    for version, knows in ((2, False), (3, True)):
        link = SimpleNamespace(info=info._replace(version=version), clock=Clock(), end=lambda: None)
        assert connection.SerialConnection(link, None, lambda: False, False).may_repeat() is knows  # type: ignore[arg-type]


def test_nobody_there(nucleo: Board, rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rigged = rig(nucleo)
    rigged.standin.end()
    monkeypatch.setattr(connection, "_THERE_S", 0.2)
    with pytest.raises(EngineError, match=r"has to be flashed \(nobody answers on .*tty\)") as caught:
        over(rigged, 8, tmp_path)
    assert (caught.value.hint or "").startswith("is it powered")


def test_a_board_without_a_console(nucleo: Board, build_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no console that receives"):
        build_library(library(), nucleo.model_copy(update={"console": None}), build_folder, "serial")


def test_the_arm_image_on_a_usart(nucleo: Board, rig: Rig, build_folder: Path, tmp_path: Path) -> None:
    """QEMU's STM32F405 has the core and the memory of the board, and another USART."""
    wait = {"address": 0x40011000, "mask": 0x20, "equals": 0x20}
    ready = RegisterStep(what="room", **{**wait, "mask": 0x80, "equals": 0x80})
    on = RegisterStep(what="USART1 on", address=0x4001100C, write=0x200C)
    console = nucleo.console.model_copy(  # type: ignore[union-attr]
        update={
            "start_up": [on],
            "receiver": [on],
            "data": 0x40011004,
            "data_in": 0x40011004,
            "ready": ready,
            "idle": ready,
            "receive": RegisterStep(what="byte", **wait),
            "rates": [Rate(baud=115200, steps=[on])],
        }
    )
    chip = nucleo.chip.model_copy(update={"debug": None})
    board = nucleo.model_copy(update={"start_up": [], "console": console, "chip": chip})
    firmware = build_library(library(), board, build_folder, "serial")
    rigged = rig(board, firmware=firmware, command=machine(firmware.elf), drop=1e-3)
    execution = over(rigged, 30, tmp_path)
    assert right(execution, 30) and execution.cycle_counter is None
    assert execution.stack_bytes and 100 < execution.stack_bytes < 1024


def test_two_jobs_on_one_board(nucleo: Board, rig: Rig, tmp_path: Path) -> None:
    """The second finds the board as the first left it, at its high rate, with samples counted."""
    rigged = rig(nucleo)
    began = time.monotonic()
    assert right(over(rigged, 20, tmp_path), 20) and right(over(rigged, 30, tmp_path), 30)
    assert time.monotonic() - began < 30
