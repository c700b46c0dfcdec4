"""Engine `renode`: the real board's image in Renode, on a platform of the exact chip, samples through the mailbox."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcusim.boards import Board
from mcusim.build import Firmware
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution, Progress
from mcusim.engines.linked import check_linked_for
from mcusim.engines.renode_installation import Installation, find_installation
from mcusim.engines.renode_process import (
    INSTRUCTIONS_PER_S,
    Options,
    Outcome,
    RenodeProcess,
    plain_folder,
    read_outcome,
)
from mcusim.engines.shares import Share
from mcusim.errors import EngineError, MissingToolError

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
    hertz = None if cycles_per_instruction is None else round(cycles_per_instruction * INSTRUCTIONS_PER_S)
    options = Options(stall_s, hertz=hertz, cycles=read_cycle_counter)
    shares, installation, complete, wall_s = run_processes(firmware, board, inputs, folder, jobs, progress, options)
    outcomes = [read_complete(share) for share in shares] if complete else []
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
        wall_s=wall_s,
        emulated_mips=total / wall_s / 1e6 if total else None,
        stack_bytes=max((outcome.stack_bytes for outcome in outcomes), default=None),
        engine=NAME,
        engine_version=installation.version,
        complete=complete,
        notes=installation.notes,
        cycle_counter=counted[:, 1].copy() if read_cycle_counter else None,
    )
    sharing.clear(shares)
    return execution


def run_processes(
    firmware: Firmware,
    board: Board,
    inputs: npt.NDArray[np.generic],
    folder: Path,
    jobs: int,
    progress: Progress | None,
    options: Options,
) -> tuple[list[Share], Installation, bool, float]:
    """Starts Renode for each share and waits. -> the shares, what ran them, False after Ctrl-C, seconds."""
    if board.renode is None:
        raise EngineError(
            f"board {board.name!r} names no Renode platform",
            hint="add [renode] with platform = .. to its file, or use another engine",
        )
    check_linked_for(firmware, board, "Renode", mailbox=True)
    installation = find_installation()
    shares = sharing.lay_out(inputs, firmware.output_bytes, folder, jobs)
    with plain_folder() as links:
        platform = Path(board.renode.platform)
        process = RenodeProcess(installation, firmware, board.memory_for(NAME), platform, links, options)
        process.prepare()
        began = time.monotonic()
        complete = sharing.run_shares(
            shares,
            process.start,
            process.explain,
            process.explain_stall,
            stall_s=options.stall_s + START_S,
            progress=progress,
        )
        wall_s = time.monotonic() - began
        for share in shares if complete else ():
            outcome = read_outcome(share)
            if outcome is None or outcome.result != "done":  # Renode ends with 0 when a script fails
                raise process.explain(share, 0)
        return shares, installation, complete, wall_s


def read_complete(share: Share) -> Outcome:
    """The results of a share that ended well. Raises EngineError when they are missing, or not those of all samples."""
    outcome = read_outcome(share)
    assert outcome is not None  # run_processes has seen it
    if not outcome.samples == share.finished == share.samples:
        raise sharing.incomplete(share, f"{outcome.samples} answered, {share.finished} written")
    return outcome


def _read_counts(share: Share) -> npt.NDArray[np.uint64]:
    """(finished samples, 2): instructions of the model, cycle counter around it."""
    try:
        data = (share.folder / "counts.bin").read_bytes()
    except OSError:
        data = b""
    return np.frombuffer(data[: len(data) // 16 * 16], dtype=np.uint64).reshape(-1, 2)
