"""The real Renode: outputs and counts as QEMU's, what can go wrong around it, and its cycle counter.

One Renode runs all of it, where nothing goes wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mcusim.boards.board import Board
from mcusim.boards.load import load_board
from mcusim.cores.cortex_m4f import TIMING
from mcusim.engines.counts import Counts
from mcusim.engines.engine import Engine, Execution
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.renode import engine as renode
from mcusim.line.build import Firmware, read_firmware
from mcusim.system.errors import BuildError, EngineError
from mcusim.timing.time_counts import time_counts
from mcusim.timing.timing import Timing
from mcusim.workloads.generated import make_console
from tests.engines.qemu.test_engine import MIXED_STATEMENT, MIXED_WORK
from tests.every_board import board_with
from tests.jobs import run as run_engine
from tests.jobs import two_at_once
from tests.tiny_library import build_library, expected, library, samples

pytestmark = [pytest.mark.renode, pytest.mark.usefixtures("warm", "temporary")]
INT8 = np.dtype("int8")


def run(firmware: Firmware, board: Board, inputs: npt.NDArray[np.int8], folder: Path, **options: Any) -> Execution:
    return run_engine(renode, firmware, board, inputs, folder, **options)


def profiled(
    engine: Engine, board: Board, inputs: npt.NDArray[np.int8], build_folder: Path, folder: Path, jobs: int = 1
) -> tuple[Counts, Timing]:
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, engine.FACTS.name)
    counts = run_engine(engine, firmware, board, inputs, folder, jobs=jobs, profile=True).counts
    assert counts is not None and TIMING is not None
    return counts, time_counts(counts, firmware.elf, board, folder, TIMING)


def test_outputs_and_counts(driver: str, board: Board, build_folder: Path, tmp_path: Path) -> None:
    inputs = samples(101)
    seen: list[tuple[int, int]] = []
    firmware = build_library(library(), board, build_folder, "renode")
    execution = run(firmware, board, inputs, tmp_path, jobs=2, progress=lambda *at: seen.append(at))
    assert np.array_equal(execution.answers.view(INT8), expected(inputs)) and execution.answers.dtype == np.uint8
    assert execution.complete and np.array_equal(execution.indices, np.arange(101))
    assert execution.instructions is not None and len(set(execution.instructions.tolist())) == 1
    assert execution.total_instructions > int(execution.instructions.sum())
    assert execution.stack_bytes is not None and 0 < execution.stack_bytes < 200
    assert (execution.engine, execution.engine_version) == ("renode", renode.version())
    assert seen[-1] == (101, 101) and list(tmp_path.iterdir()) == []


@pytest.mark.arm
def test_the_same_as_qemu(board: Board, build_folder: Path, tmp_path: Path) -> None:
    """Whatever might be counted wrong; and one job or two."""
    board = board_with(board.name, "qemu")
    inputs = samples(40)
    emulators = [
        run_engine(
            engine,
            build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, engine.FACTS.name),
            board,
            inputs,
            tmp_path,
            jobs=jobs,
        )
        for engine, jobs in ((qemu, 1), (renode, 1), (renode, 2))
    ]
    for execution in emulators[1:]:
        assert np.array_equal(execution.answers, emulators[0].answers)
        assert execution.instructions is not None and emulators[0].instructions is not None
        assert execution.instructions.tolist() == emulators[0].instructions.tolist()


@pytest.mark.arm
def test_a_profile_is_that_of_qemu(board: Board, build_folder: Path, tmp_path: Path) -> None:
    board = board_with(board.name, "qemu")
    inputs = samples(12)[::2]  # even ones have no thousand instructions without a branch, cut elsewhere
    theirs, qemu_timing = profiled(qemu, board, inputs, build_folder, tmp_path)
    ours, timing = profiled(renode, board, inputs, build_folder, tmp_path, jobs=2)
    assert ours.instructions().tolist() == theirs.instructions().tolist()
    assert timing.cycles == qemu_timing.cycles
    executed = {block.start for block in ours.blocks if block.instructions}
    assert executed <= dict(ours.code).keys()  # without its code what runs from RAM would cost nothing


def test_the_cycle_counter_agrees_with_the_model(board: Board, build_folder: Path, tmp_path: Path) -> None:
    """DWT_CYCCNT as firmware reads it around a call, once the overlay knows the modelled cycles per instruction."""
    firmware = build_library(library(MIXED_STATEMENT, MIXED_WORK), board, build_folder, "renode")
    inputs = samples(5)
    _, timing = profiled(renode, board, inputs, build_folder, tmp_path)
    options = {"cycles_per_instruction": timing.cycles_per_instruction, "cycle_counter": True}
    execution = run(firmware, board, inputs, tmp_path, **options)
    assert execution.cycle_counter is not None
    assert float(execution.cycle_counter.mean()) == pytest.approx(timing.cycles.mean, rel=0.01)


# ---- What goes wrong ------------------------------------------------------------------------------------------------


def test_an_access_to_nothing(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    """Between the peripherals, where memory protection allows everything."""
    statement = "if (input[0] == 3) { *(volatile int *)0x4FFF0000 = 1; }"
    firmware = build_library(library(statement), nucleo, build_folder, "renode")
    with pytest.raises(EngineError) as caught:
        run(firmware, nucleo, samples(8), tmp_path)
    assert caught.value.what == "the firmware faulted in sample 3: wrote to 0x4fff0000, where the chip has nothing"
    assert caught.value.where is not None and caught.value.where.startswith("cnn (model.c:")


def test_a_fault_that_nothing_can_handle(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    """With FAULTMASK set, as in a fault handler."""
    firmware = build_library(library('__asm__ volatile("cpsid f\\n udf #0");'), nucleo, build_folder, "renode")
    with pytest.raises(EngineError) as caught:
        run(firmware, nucleo, samples(1), tmp_path)
    assert caught.value.what == "the firmware faulted in sample 0: undefined instruction"
    assert caught.value.where is not None and caught.value.where.startswith("cnn (model.c:")


def test_firmware_of_the_other_board(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    edge = load_board("sparkfun_edge")
    firmware = build_library(library(), edge, build_folder, "renode")
    with pytest.raises(EngineError, match="was linked for flash at 0x0000C000 and RAM at 0x10000000"):
        run(firmware, nucleo, samples(1), tmp_path)


def test_firmware_that_is_damaged(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    """Cut short: no ELF reader takes it. With other bytes inside: no vectors.

    The core of Renode 1.16.1 does not start then; later ones start at address 0, as silicon does, and fault.
    """
    whole = build_library(library(), nucleo, build_folder, "renode").elf.read_bytes()
    short = tmp_path / "short.elf"
    short.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BuildError, match="not a readable ELF"):
        read_firmware(short, nucleo.name)
    bad = tmp_path / "bad.elf"
    vectors = whole.index((0x20001000).to_bytes(4, "little"))
    bad.write_bytes(whole[:vectors] + bytes(8) + whole[vectors + 8 :])
    with pytest.raises(EngineError, match=r"in sample 0: (the core did not start|read 0x\w+, where)"):
        run(read_firmware(bad, nucleo.name), nucleo, samples(1), tmp_path)


def test_a_platform_that_was_edited_wrong(nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    assert nucleo.renode is not None
    platform = tmp_path / 'my "board".repl'
    platform.write_text(f'using "{nucleo.renode.platform}"\n\nled: Miscellaneous.Lamp @ gpiob 13\n')
    board = nucleo.model_copy(update={"renode": nucleo.renode.model_copy(update={"platform": str(platform)})})
    firmware = build_library(library(), board, build_folder, "renode")
    with pytest.raises(EngineError) as caught:
        run(firmware, board, samples(1), tmp_path)
    assert "Miscellaneous.Lamp" in caught.value.what and str(platform) in (caught.value.where or "")


@pytest.mark.parametrize("name", ["a 'b' \"c\";{d} größe ✓", "new\nline"])
def test_folders_may_have_any_name(name: str, driver: str, nucleo: Board, tmp_path: Path) -> None:
    firmware = build_library(library(), nucleo, tmp_path / name, "renode")
    assert np.array_equal(run(firmware, nucleo, samples(3), tmp_path / name).answers.view(INT8), expected(samples(3)))


def test_two_runs_at_once(driver: str, nucleo: Board, build_folder: Path, tmp_path: Path) -> None:
    firmware = build_library(library("output[0] = 1;"), nucleo, build_folder, "renode")
    two_at_once(lambda inputs: run(firmware, nucleo, inputs, tmp_path / "runs"))


def test_console_firmware_builds(board: Board, tmp_path: Path) -> None:
    """Robot suites run it; here only that its model is the same object as that of every engine."""
    board = board_with(board.name, "console")
    console = make_console(library(), board, samples(3), "tiny */ model", tmp_path)
    others = [build_library(library(), board, tmp_path, engine) for engine in ("qemu", "renode")]
    objects = {firmware.elf.with_name("model.o").read_bytes() for firmware in (console, *others)}
    assert len(objects) == 1
