"""Engines in tests: one job from opening to closing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines.engine import Engine, Execution, Job, no_samples, records
from mcusim.line.build import Firmware
from mcusim.workloads.foreign import ForeignElf


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


def run_foreign(engine: Engine, elf: Path, board: Board, start: str, folder: Path, **options: Any) -> Execution:
    image = ForeignElf(elf, start).image(engine.FACTS, board, folder)
    with engine.open(1) as ready:
        return ready.run(Job(image, no_samples(), folder, board, profile=True, **options))
