"""Engine `renode`: the real board's image in Renode, on a platform of the exact chip, samples through the mailbox."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution
from mcusim.engines.linked import check_linked_for
from mcusim.engines.renode.installation import Installation, find_installation
from mcusim.engines.renode.process import Options, Outcome, RenodeProcess, plain_folder
from mcusim.engines.shares import Share
from mcusim.line.build import Firmware
from mcusim.system.errors import EngineError, MissingToolError
from mcusim.system.progress import Progress

NAME = "renode"
MEASURES = frozenset({"outputs", "instructions", "cycles", "rom", "ram", "stack"})

START_S = 90.0  # Renode starts, unpacks itself and compiles the plug-in: this long is no stall, on the slowest machine


def missing() -> MissingToolError | None:
    try:
        find_installation()
    except MissingToolError as error:
        return error
    return None


def version() -> str:
    return find_installation().version


def run(
    firmware: Firmware,
    board: Board,
    inputs: npt.NDArray[np.generic],
    output_dtype: np.dtype[np.generic],
    output_elements: int,
    *,
    folder: Path,
    jobs: int,
    stall_s: float = 60.0,
    progress: Progress | None = None,
    cycles_per_instruction: float | None = None,
    read_cycle_counter: bool = False,
) -> Execution:
    """See `Engine.run`. `firmware` must be linked for the board itself.

    `read_cycle_counter`: the firmware reads DWT_CYCCNT around each sample, which takes longer than a small model.
    """
    sharing.check_sizes(firmware, inputs, output_dtype, output_elements)
    options = Options(stall_s, cycles_per_instruction=cycles_per_instruction, cycles=read_cycle_counter)
    ended = run_processes(firmware, board, inputs, folder, jobs, progress, options)
    shares, complete = ended.shares, ended.outcomes is not None
    outcomes = ended.outcomes or []
    counts = [_read_counts(share) for share in shares]
    finished = [min(share.finished, len(count)) for share, count in zip(shares, counts, strict=True)]
    if complete and finished != [share.samples for share in shares]:
        raise sharing.incomplete(shares[0], "instructions were not counted for every sample (counts.bin)")
    counted = np.concatenate([count[:n] for count, n in zip(counts, finished, strict=True)])
    total = sum(outcome.instructions for outcome in outcomes)
    execution = Execution(
        outputs=sharing.merge_outputs(shares, finished, output_dtype, output_elements),
        indices=sharing.finished_indices(shares, finished),
        instructions=counted[:, 0].copy(),
        total_instructions=total,
        wall_s=ended.wall_s,
        emulated_mips=total / ended.wall_s / 1e6 if total else None,
        stack_bytes=max((outcome.stack_bytes for outcome in outcomes), default=None),
        engine=NAME,
        engine_version=ended.installation.version,
        complete=complete,
        notes=ended.installation.notes,
        cycle_counter=counted[:, 1].copy() if read_cycle_counter else None,
    )
    sharing.clear(shares)
    return execution


@dataclass(frozen=True)
class Ended:
    """What is left of a run. `outcomes`: of each share, None after Ctrl-C."""

    shares: list[Share]
    outcomes: list[Outcome] | None
    installation: Installation
    wall_s: float


def run_processes(
    firmware: Firmware,
    board: Board,
    inputs: npt.NDArray[np.generic],
    folder: Path,
    jobs: int,
    progress: Progress | None,
    options: Options,
) -> Ended:
    """Starts Renode for each share and waits. Raises EngineError unless each answered all of its samples."""
    platform = platform_for(firmware, board)
    installation = find_installation()
    shares = sharing.lay_out(inputs, firmware.output_bytes, folder, jobs)
    with plain_folder() as links:
        process = RenodeProcess(installation, firmware, board.memory_for(NAME), platform, links, options)
        process.prepare()
        began = time.monotonic()
        outcomes = process.run(shares, stall_s=options.stall_s + START_S, progress=progress)
        wall_s = time.monotonic() - began
    for share, outcome in zip(shares, outcomes, strict=True) if outcomes is not None else ():
        if not outcome.samples == share.finished == share.samples:
            raise sharing.incomplete(share, f"{outcome.samples} answered, {share.finished} written")
    return Ended(shares, outcomes, installation, wall_s)


def platform_for(firmware: Firmware, board: Board) -> Path:
    """The board's platform description. Raises EngineError without one, and for firmware that is not for it."""
    if board.renode is None:
        raise EngineError(
            f"board {board.name!r} names no Renode platform",
            hint="add [renode] with platform = .. to its file, or use another engine",
        )
    check_linked_for(firmware, board, "Renode", mailbox=True)
    return Path(board.renode.platform)


def _read_counts(share: Share) -> npt.NDArray[np.uint64]:
    """(finished samples, 2): instructions of the model, cycle counter around it."""
    try:
        data = (share.folder / "counts.bin").read_bytes()
    except OSError:
        data = b""
    return np.frombuffer(data[: len(data) // 16 * 16], dtype=np.uint64).reshape(-1, 2)
