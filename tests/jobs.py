"""Engines in tests: one job from opening to closing, one that is interrupted, and two at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines.engine import Engine, Execution, Job, no_samples, records
from mcusim.line.build import Firmware
from mcusim.system.errors import McusimError
from mcusim.workloads.foreign import ForeignElf
from tests.processes import HANG_S
from tests.tiny_library import expected, samples

HANGS_IN_5 = 'if (input[0] == 5) { for (;;) { __asm__ volatile(""); } }'  # of the tiny library: a sample that begins so


def run(
    engine: Engine,
    firmware: Firmware,
    board: Board | None,
    inputs: npt.NDArray[np.generic],
    folder: Path,
    *,
    jobs: int = 1,
    **options: Any,
) -> Execution:
    """`options` are more of the Job's."""
    with engine.open(jobs) as ready:
        return ready.run(Job(firmware.image, records(inputs), folder, board, **options))


def ended_by(execution: Execution, inputs: npt.NDArray[np.generic]) -> McusimError:
    """What ended boards halfway; samples that were answered before are there, and right."""
    assert execution.trouble is not None and not execution.complete and len(execution.indices) > 0
    assert np.array_equal(execution.answers.view(np.int8), expected(inputs)[execution.indices])
    return execution.trouble


def run_foreign(engine: Engine, elf: Path, board: Board, start: str, folder: Path, **options: Any) -> Execution:
    image = ForeignElf(elf, start).image(engine.FACTS, board, folder)
    with engine.open(1) as ready:
        return ready.run(Job(image, no_samples(), folder, board, profile=True, **options))


def interrupted(engine: Engine, firmware: Firmware, board: Board, folder: Path) -> Execution:
    """Firmware of HANGS_IN_5, with Ctrl-C when nothing moves any more. What was finished by then is kept."""

    def press_when_nothing_moves(done: int, total: int) -> None:
        if done == 5 + 8:  # the first job hangs in sample 5, the second finishes its eight
            os.kill(os.getpid(), signal.SIGINT)

    inputs = samples(16)
    inputs[8:, 0] = 1
    execution = run(engine, firmware, board, inputs, folder, jobs=2, stall_s=HANG_S, progress=press_when_nothing_moves)
    assert not execution.complete and execution.indices.tolist() == [*range(5), *range(8, 16)]
    assert np.array_equal(execution.answers.view(np.int8), expected(inputs)[execution.indices])
    return execution


def two_at_once(run_samples: Callable[[npt.NDArray[np.int8]], Execution]) -> None:
    """Two runs of the tiny library, in threads: both give the right answers."""
    results: dict[int, bool] = {}

    def one(count: int) -> None:
        execution = run_samples(samples(count))
        results[count] = np.array_equal(execution.answers.view(np.int8), expected(samples(count)))

    threads = [threading.Thread(target=one, args=(count,)) for count in (50, 60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {50: True, 60: True}
