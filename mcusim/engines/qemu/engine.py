"""Engine `qemu` (the default): stock qemu-system-arm, 6.2 to 11.x, with a plugin that counts each inference exactly."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution
from mcusim.engines.linked import check_linked_for
from mcusim.engines.qemu.plugin import Capabilities, build_plugin, probe
from mcusim.engines.qemu.process import QemuProcess
from mcusim.engines.shares import Share
from mcusim.line.build import Firmware
from mcusim.system.command import find
from mcusim.system.command import run as run_command
from mcusim.system.errors import EngineError, MissingToolError
from mcusim.system.progress import Progress

NAME = "qemu"
MEASURES = frozenset({"outputs", "instructions", "cycles", "rom", "ram", "stack"})

QEMU_HINT = "sudo apt-get install qemu-system-arm"
_OLDEST = (6, 2)
_COUNT_BYTES = 8


def missing() -> MissingToolError | None:
    try:
        version()
        probe(find_qemu(), build_plugin("count"))
    except MissingToolError as error:
        return error
    return None


def find_qemu() -> str:
    """Path of qemu-system-arm; MCUSIM_QEMU names another one."""
    return find(os.environ.get("MCUSIM_QEMU", "qemu-system-arm"), hint=QEMU_HINT)


def version() -> str:
    return _version(find_qemu())


@cache
def _version(qemu: str) -> str:
    text = run_command([qemu, "--version"], timeout_s=30).stdout
    found = re.search(r"version (\d+)\.(\d+)(\.\d+)*", text)
    if found is None:
        raise MissingToolError(f"{qemu!r} is not a QEMU: its --version says {text[:60]!r}", hint=QEMU_HINT)
    number = found[0].removeprefix("version ")
    if (int(found[1]), int(found[2])) < _OLDEST:
        raise MissingToolError(
            f"QEMU {number} is too old", where=qemu, hint="6.2 or newer is needed: that of Debian 12 or Ubuntu 22.04"
        )
    return number


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
) -> Execution:
    """See `Engine.run`. `firmware` must be linked for `board.memory_for("qemu")`."""
    if board.qemu is None:
        raise EngineError(
            f"board {board.name!r} names no QEMU machine",
            hint="add [qemu] with machine = .. to its file, or use another engine",
        )
    check_linked_for(firmware, board, "QEMU", mailbox=False)
    sharing.check_sizes(firmware, inputs, output_dtype, output_elements)
    qemu, plugin = find_qemu(), build_plugin("count")
    engine_version = version()
    can = probe(qemu, plugin)
    process = QemuProcess(qemu, plugin, can, firmware, board.qemu.machine, board.memory_for(NAME))
    shares = sharing.lay_out(inputs, firmware.output_bytes, folder, jobs)
    began = time.monotonic()
    complete = sharing.run_shares(
        shares, process.start, process.explain, process.explain_stall, stall_s=stall_s, progress=progress
    )
    wall_s = time.monotonic() - began
    execution = _collect(shares, board, output_dtype, output_elements, wall_s, engine_version, can, complete)
    sharing.clear(shares)
    return execution


def _collect(
    shares: list[Share],
    board: Board,
    dtype: np.dtype[np.generic],
    elements: int,
    wall_s: float,
    engine_version: str,
    can: Capabilities,
    complete: bool,
) -> Execution:
    results = [sharing.read_result(share) for share in shares] if complete else []
    summaries = [read_summary(share, complete=complete) for share in shares]
    counts = [_read_counts(share) for share in shares]
    finished = [min(share.finished, len(count)) for share, count in zip(shares, counts, strict=True)]
    if complete and finished != [share.samples for share in shares]:
        raise sharing.incomplete(shares[0], "instructions were not counted for every sample (counts.bin)")
    total = sum(summary.instructions for summary in summaries)
    return Execution(
        outputs=sharing.merge_outputs(shares, finished, dtype, elements),
        indices=sharing.finished_indices(shares, finished),
        instructions=np.concatenate([count[:n] for count, n in zip(counts, finished, strict=True)]),
        total_instructions=total,
        wall_s=wall_s,
        emulated_mips=total / wall_s / 1e6 if total else None,
        stack_bytes=max((result.stack_bytes for result in results), default=None),
        engine=NAME,
        engine_version=engine_version,
        complete=complete,
        notes=_notes(board, can, all(summary.confined for summary in summaries)),
    )


@dataclass(frozen=True)
class _Summary:
    instructions: int
    confined: bool


def read_summary(share: Share, *, complete: bool) -> _Summary:
    """plugin.txt, which is written last and only when the counts are whole."""
    try:
        nonce, instructions, _, confined = (share.folder / "plugin.txt").read_text(encoding="ascii").split()
        if nonce == share.nonce:
            return _Summary(int(instructions), confined == "1")
    except (OSError, ValueError):
        pass
    if complete:
        raise sharing.incomplete(share, "the plugin's last record (plugin.txt) is missing")
    return _Summary(0, True)


def _read_counts(share: Share) -> npt.NDArray[np.uint64]:
    try:
        data = (share.folder / "counts.bin").read_bytes()
    except OSError:
        data = b""
    return np.frombuffer(data[: len(data) // _COUNT_BYTES * _COUNT_BYTES], dtype=np.uint64)


def _notes(board: Board, can: Capabilities, confined: bool) -> tuple[str, ...]:
    notes = [board.qemu.note] if board.qemu and board.qemu.note else []
    if not confined:
        notes.append("the firmware could open this user's files: the kernel has no Landlock (Linux 5.13)")
    if not can.sandbox:
        notes.append("the firmware could start programs: this QEMU has no seccomp sandbox")
    return tuple(notes)
