"""Firmware -> what the engine costs: the same ELF in plain QEMU and in the qemu engine, in turns, in one run.

python -m tools.qemu_bench build/nucleo_l452re_p-0123456789abcdef/firmware.elf nucleo_l452re_p --samples 2947
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mcusim.boards.load import load_board
from mcusim.engines import shares as sharing
from mcusim.engines.engine import Job, Records
from mcusim.engines.qemu.installation import version
from mcusim.engines.qemu.process import plain_command, prepare, read_summary, replay_options
from mcusim.engines.shares import Share
from mcusim.line.build import read_firmware
from mcusim.system.command import start
from mcusim.system.errors import McusimError
from mcusim.system.image import Image

PLUGINS = ("count", "profile", "replay")  # to count; to profile the core's edges only; with memory replayed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = parser_of("qemu")
    parser.add_argument("--plugin", choices=PLUGINS, default="count", help="what to compare (%(default)s)")
    return run(compare, parser.parse_args(arguments))


def parser_of(engine: str) -> argparse.ArgumentParser:
    """What the benches of both emulators take."""
    parser = argparse.ArgumentParser(description=f"Speed of engine {engine} beside that of the plain emulator.")
    parser.add_argument("elf", type=Path)
    parser.add_argument("board_name", metavar="board")
    parser.add_argument("--samples", type=int, default=200, help="random ones are made (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="each runs both once (%(default)s)")
    return parser


def run(bench: Callable[..., None], options: argparse.Namespace) -> int:
    """-> exit code."""
    try:
        bench(**vars(options))
    except McusimError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def random_inputs(samples: int, image: Image) -> Records:
    """(samples, bytes of one)"""
    return np.random.default_rng(0).integers(0, 64, (samples, image.input_bytes)).astype(np.uint8)


def compare(elf: Path, board_name: str, samples: int, jobs: int, rounds: int, plugin: str = "count") -> None:
    """Prints both speeds of each round, and their ratio."""
    board, image = load_board(board_name), read_firmware(elf, board_name).image
    inputs = random_inputs(samples, image)
    options = replay_options(board) if plugin == "replay" else ()
    run = prepare(Job(image, inputs, elf.parent, board), "count" if plugin == "count" else "profile", options)

    def start_plain(share: Share) -> subprocess.Popen[bytes]:
        command = plain_command(run.qemu, run.machine, image.elf, share.nonce)
        with (share.folder / "engine.log").open("wb") as log:
            return start(command, folder=share.folder, stdout=log, stderr=log)

    def timed(starter: Callable[[Share], subprocess.Popen[bytes]]) -> _Time:
        with tempfile.TemporaryDirectory(prefix="mcusim-bench-") as folder:
            shares = sharing.lay_out(inputs, image.output_bytes, Path(folder), jobs)
            began, cpu_began = time.monotonic(), _children_cpu_s()
            crew: Any = SimpleNamespace(
                start=starter, explain=run.explain, explain_stall=run.explain_stall, end=run.end
            )
            if not sharing.run_shares(shares, crew, stall_s=600, progress=None):
                raise KeyboardInterrupt
            wall_s, cpu_s = time.monotonic() - began, _children_cpu_s() - cpu_began
            counted = starter is start_engine
            return _Time(wall_s, cpu_s, sum(read_summary(share, complete=counted).instructions for share in shares))

    start_engine = run.start
    print(f"QEMU {version()}, {run.machine}, {samples} samples, {jobs} processes")
    speed_columns = f"{'plain s':>9} {'engine s':>9} {'plain MIPS':>11} {'engine MIPS':>12}"
    print(f"{'round':>5} {speed_columns} {'ratio':>7} {'ratio of processor time':>24}")
    ratios = []
    for number in range(1, rounds + 1):
        order = (start_plain, start_engine) if number % 2 else (start_engine, start_plain)
        times = {starter: timed(starter) for starter in order}
        plain, engine = times[start_plain], times[start_engine]
        mips = [engine.instructions / wall_s / 1e6 for wall_s in (plain.wall_s, engine.wall_s)]
        ratios.append((plain.wall_s / engine.wall_s, plain.cpu_s / engine.cpu_s))
        known = engine.instructions > 0  # the profiler has no total
        speeds = f"{mips[0]:>11.0f} {mips[1]:>12.0f}" if known else " " * 24
        seconds = f"{plain.wall_s:>9.2f} {engine.wall_s:>9.2f}"
        print(f"{number:>5} {seconds} {speeds} {ratios[-1][0]:>7.1%} {ratios[-1][1]:>24.1%}", flush=True)
    medians = [statistics.median(column) for column in zip(*ratios, strict=True)]
    print(f"median ratio {medians[0]:.1%}, of processor time {medians[1]:.1%}")


@dataclass(frozen=True)
class _Time:
    wall_s: float
    cpu_s: float  # does not suffer from other programs that run meanwhile
    instructions: int


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
