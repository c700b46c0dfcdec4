"""Firmware + a few samples -> Counts: the renode engine with the profiling plug-in. The twin of qemu_profile.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines import shares as sharing
from mcusim.engines.counts import Counts, read_counts
from mcusim.engines.memory_options import memory_options
from mcusim.engines.renode import engine as renode
from mcusim.engines.renode.process import Options
from mcusim.line.build import Firmware
from mcusim.system.errors import EngineError
from mcusim.system.progress import Progress


def profile(
    firmware: Firmware,
    board: Board,
    inputs: npt.NDArray[np.generic],
    *,
    folder: Path,
    jobs: int,
    stall_s: float = 600.0,
    progress: Progress | None = None,
) -> Counts:
    """Counts of each of `inputs` inside cnn(), with what caches and slow memory do. As `qemu_profile.profile`."""
    symbols = firmware.symbols
    options = [("from", str(symbols["cnn"].address)), ("to", str(symbols["mcusim_infer_return"].address))]
    profiled = Options(stall_s, profile=(*options, *memory_options(board, renode.NAME)))
    ended = renode.run_processes(firmware, board, inputs, folder, jobs, progress, profiled)
    if ended.outcomes is None:
        raise KeyboardInterrupt
    counts = read_counts([share.folder for share in ended.shares])
    if counts.samples != len(inputs):
        raise EngineError(f"the profile holds {counts.samples} samples of {len(inputs)}", where=str(folder))
    sharing.clear(ended.shares)
    return counts
