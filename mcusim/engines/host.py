"""Engine `host`: the same C as a program of this machine. A fast reference: outputs, and nothing about any board."""

from __future__ import annotations

import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution
from mcusim.engines.exit_codes import explain_exit_code
from mcusim.engines.shares import Share
from mcusim.line.build import Firmware
from mcusim.system.command import start
from mcusim.system.errors import EngineError, MissingToolError
from mcusim.system.progress import Progress
from mcusim.system.toolchain import find_host_compiler, version_line

NAME = "host"
MEASURES = frozenset({"outputs"})
NEEDS_BOARD = False


def missing() -> MissingToolError | None:
    try:
        find_host_compiler()
    except MissingToolError as error:
        return error
    return None


def version() -> str:
    return version_line(find_host_compiler())


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
    """See `Engine.run`. `firmware` must be built for the host; `board` does not matter."""
    if not firmware.host:
        raise EngineError(f"this firmware is for {firmware.board!r}, not for the host", where=str(firmware.elf))
    sharing.check_sizes(firmware, inputs, output_dtype, output_elements)
    shares = sharing.lay_out(inputs, firmware.output_bytes, folder, jobs)

    starter = partial(_start, firmware.elf)
    began = time.monotonic()
    complete = sharing.run_shares(shares, starter, _explain, _explain_stall, stall_s=stall_s, progress=progress)
    wall_s = time.monotonic() - began
    if complete:
        for share in shares:
            sharing.read_result(share)
    finished = [share.finished for share in shares]
    execution = Execution(
        outputs=sharing.merge_outputs(shares, finished, output_dtype, output_elements),
        indices=sharing.finished_indices(shares, finished),
        instructions=None,
        total_instructions=0,
        wall_s=wall_s,
        emulated_mips=None,
        stack_bytes=None,
        engine=NAME,
        engine_version=firmware.compiler,
        complete=complete,
        notes=(),
    )
    sharing.clear(shares)
    return execution


def _start(program: Path, share: Share) -> subprocess.Popen[bytes]:
    environment = {"MCUSIM_NONCE": share.nonce, "UBSAN_OPTIONS": "print_stacktrace=1"}
    with (share.folder / "engine.log").open("wb") as log:
        return start(
            [str(program)], folder=share.folder, environment=environment, stdin=subprocess.PIPE, stdout=log, stderr=log
        )


def _explain(share: Share, code: int) -> EngineError:
    sample = share.first + share.finished
    known = explain_exit_code(share, code)
    if known:
        return known
    lines = share.log.splitlines()
    found = next((line for line in lines if "runtime error:" in line or "ERROR: AddressSanitizer" in line), None)
    if found is None:
        found = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return EngineError(
        f"the program failed in sample {sample}: {found.strip()}", where=str(share.folder / "engine.log")
    )


def _explain_stall(share: Share, process: subprocess.Popen[bytes], stall_s: float) -> EngineError:
    sample = share.first + share.finished
    return EngineError(f"no answer to sample {sample} within {stall_s:g} s", where=str(share.folder))
