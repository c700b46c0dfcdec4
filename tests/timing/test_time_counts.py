"""From counts to the figures of a report, and to the recording beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.system.errors import DataError
from mcusim.system.toolchain import find_arm_tool
from mcusim.timing import stacks
from mcusim.timing.load_recording import load
from mcusim.timing.parameters import CORTEX_M4F
from mcusim.timing.profile import Profile, price_recording
from mcusim.timing.recording import RECORDING
from mcusim.timing.time_counts import time_counts, to_timing
from tests.timing.programs import CALL, START, made_work

BOARD = load_board("nucleo_l452re_p")


def profile(cycles: list[float], clock_hz: int = 48_000_000) -> Profile:
    array = np.array(cycles)
    return Profile(
        clock_hz, array, array, {}, {}, {"cnn": 10.0}, {"cnn": float(array.mean())}, {}, {}, {}, made_work(array)
    )


def test_figures() -> None:
    timing = to_timing(profile([48_000.0, 96_000.0]), BOARD, 60_000.0)
    assert (timing.cycles.min, timing.cycles.max, timing.cycles.mean) == (48_000, 96_000, 72_000.0)
    assert (timing.cycles.samples, timing.cycles.how) == (2, "modelled")
    assert timing.cycles.kind == "integer" and timing.cycles.error_pct and timing.cycles.no_error_pct is None
    assert timing.latency_ms == pytest.approx(1.5)
    assert timing.energy_uwh == pytest.approx(1.5e-3 * 4.80e-3 * 3.3 / 3600 * 1e6)
    assert timing.cycles_per_instruction == pytest.approx(1.2)
    assert timing.function_cycles == {"cnn": 72_000.0}


def test_figures_are_those_of_the_clock_that_was_priced() -> None:
    timing = to_timing(profile([48_000.4, 48_000.6], 24_000_000), BOARD, 48_000.0)
    assert (timing.cycles.min, timing.cycles.max) == (48_000, 48_001)
    assert timing.latency_ms == pytest.approx(48_000.5 / 24_000)


def test_a_chip_that_nobody_measured_has_no_error() -> None:
    cycles = to_timing(profile([48_000.0]), load_board("sparkfun_edge"), 1.0).cycles
    assert cycles.error_pct is None and str(cycles.no_error_pct).startswith(
        "nobody measured the memory of chip 'apollo3'"
    )


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    """CALL as a firmware, in which all of it is `cnn`."""
    code = ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(CALL.machine_code))
    (tmp_path / "a.s").write_text(f".thumb\n.globl cnn\n.type cnn, %function\ncnn: .byte {code}\n.size cnn, .-cnn\n")
    options = ["-nostdlib", "-mcpu=cortex-m4", "-mthumb", f"-Wl,-Ttext={START:#x}", "-Wl,-e,cnn"]
    subprocess.run([find_arm_tool("gcc"), *options, "a.s", "-o", "a.elf"], cwd=tmp_path, check=True)
    return tmp_path / "a.elf"


@pytest.mark.arm
def test_counts_become_figures_and_a_recording(elf: Path, tmp_path: Path) -> None:
    counts = CALL.counts("enter loop loop loop return leave", "enter loop return leave")
    timing = time_counts(counts, elf, BOARD, tmp_path, CORTEX_M4F)
    assert (timing.cycles.mean, timing.cycles.min, timing.cycles.max, timing.cycles.samples) == (19.0, 15, 23, 2)
    assert timing.function_cycles == {"cnn": 19.0}
    assert timing.cycles_per_instruction == pytest.approx(19 / (2 + 2 * 3 + 1 + 1))
    recording = load(tmp_path / RECORDING)
    assert recording.board == BOARD.name
    again = price_recording(recording, BOARD.chip, BOARD.clock_hz, CORTEX_M4F)
    assert again.cycles.tolist() == [23, 15]
    assert sum(one.cycles for one in stacks.load(tmp_path / stacks.STACKS)) == pytest.approx(19.0)


def test_a_file_that_is_no_elf(tmp_path: Path) -> None:
    (tmp_path / "a.elf").write_bytes(b"text")
    with pytest.raises(DataError, match="not a readable ELF"):
        time_counts(CALL.counts("enter leave"), tmp_path / "a.elf", BOARD, tmp_path, CORTEX_M4F)
    assert not (tmp_path / RECORDING).exists()
