"""Firmware -> memory of the renode engine's workers, while they take one job after the other.

    python -m tools.renode_cases build/export/cnn-int8-nucleo_l452re_p/firmware.elf nucleo_l452re_p --rounds 1000

Every tenth job is a profile. All have to give the answers of the first.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mcusim.boards.load import load_board
from mcusim.engines.engine import Job
from mcusim.engines.renode import engine
from mcusim.engines.renode.workers import shared
from mcusim.line.build import read_firmware
from mcusim.system.errors import EngineError
from mcusim.system.memory import resident_bytes
from tools.qemu_bench import parser_of, random_inputs, run

STALL_S = 60.0
PROFILE_EVERY = 10
SHOWN_EVERY = 25


def main(arguments: Sequence[str] | None = None) -> int:
    return run(go_on, parser_of("renode").parse_args(arguments))


def go_on(elf: Path, board_name: str, samples: int, jobs: int, rounds: int) -> None:
    """Prints what the workers take, the first times and then now and then, and how many there were."""
    board, image = load_board(board_name), read_firmware(elf, board_name).image
    inputs, seen, wanted = random_inputs(samples, image), set[int](), b""
    with tempfile.TemporaryDirectory(prefix="mcusim-cases-") as folder, shared() as workers, engine.open(jobs) as ready:
        for number in range(1, rounds + 1):
            job = Job(image, inputs, Path(folder), board, STALL_S, profile=number % PROFILE_EVERY == 0)
            answers = ready.run(job).answers.tobytes()
            wanted = wanted or answers
            if answers != wanted:
                raise EngineError(f"the answers of job {number} are others than those of the first")
            started = [worker.process.pid for worker in workers._idle]
            seen.update(started)
            if number <= 3 or number % SHOWN_EVERY == 0 or number == rounds:
                taken = ", ".join(f"{resident_bytes(pid) >> 20}" for pid in started)
                print(f"job {number}: workers take {taken} MB; there were {len(seen)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
