"""Firmware + a few samples -> Counts: the qemu engine with the profiling plugin instead of the counting one.

Never part of the accuracy pass: it is slower, and what it counts is only needed to tell cycles.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mcusim.boards.board import Board
from mcusim.engines import shares as sharing
from mcusim.engines.counts import Counts, read_counts
from mcusim.engines.memory_options import memory_options
from mcusim.engines.qemu import engine as qemu
from mcusim.engines.qemu.plugin import build_plugin, escape, probe
from mcusim.engines.qemu.process import QemuProcess, plain_command
from mcusim.engines.shares import Share
from mcusim.line.build import Firmware
from mcusim.system.command import run as run_command
from mcusim.system.elf import read_elf
from mcusim.system.errors import ConfigurationError, EngineError, MissingToolError, suggestion
from mcusim.system.progress import Progress


@dataclass(frozen=True)
class ProfiledProcess(QemuProcess):
    """A QEMU with the profiling plugin; `options` are more of the plugin's."""

    options: tuple[str, ...] = field(default=())

    def command(self, share: Share) -> list[str]:
        symbols = self.firmware.symbols
        markers = {"from": symbols["cnn"].address, "to": symbols["mcusim_infer_return"].address}
        return [
            *plain_command(self.qemu, self.machine, self.firmware.elf, share.nonce, monitor="stdio"),
            *(("-sandbox", "on,spawn=deny") if self.can.sandbox else ()),
            *_plugin(self.plugin, self.firmware.elf, share.nonce, markers, self.options),
        ]


def profile(
    firmware: Firmware,
    board: Board,
    inputs: npt.NDArray[np.generic],
    *,
    folder: Path,
    jobs: int,
    replay: bool = True,
    stall_s: float = 60.0,
    progress: Progress | None = None,
) -> Counts:
    """Counts of each of `inputs` inside cnn().

    `replay`: with what caches and slow memory do, which the chip's [timing] describes.

    The same for any number of `jobs`. Raises EngineError as the qemu engine does, KeyboardInterrupt after Ctrl-C.
    """
    if board.qemu is None:
        raise EngineError(
            f"board {board.name!r} names no QEMU machine", hint="add [qemu] with machine = .. to its file"
        )
    memory = board.memory_for(qemu.NAME)
    found, plugin = qemu.find_qemu(), build_plugin("profile")
    options = replay_options(board) if replay else ()
    process = ProfiledProcess(found, plugin, probe(found, plugin), firmware, board.qemu.machine, memory, options)
    shares = sharing.lay_out(inputs, firmware.output_bytes, folder, jobs)
    if not sharing.run_shares(
        shares, process.start, process.explain, process.explain_stall, stall_s=stall_s, progress=progress
    ):
        raise KeyboardInterrupt
    for share in shares:
        qemu.read_summary(share, complete=True)
    counts = read_counts([share.folder for share in shares])
    if counts.samples != len(inputs):
        raise EngineError(f"the profile holds {counts.samples} samples of {len(inputs)}", where=str(folder))
    sharing.clear(shares)
    return counts


def profile_elf(
    elf: Path,
    board: Board,
    start: str,
    end: str | None = None,
    *,
    folder: Path,
    calls: int = 0,
    replay: bool = True,
    timeout_s: float = 600,
) -> Counts:
    """Counts of any firmware, from each call of symbol `start` to symbol `end`, or to where the call returns.

    The firmware is left after `calls` of them; 0 lets it run to its end. Input is what it reads itself. Raises
    ConfigurationError for an unknown symbol, EngineError when it fails, does not end in time or never gets to `start`.
    """
    if board.qemu is None:
        raise EngineError(
            f"board {board.name!r} names no QEMU machine", hint="add [qemu] with machine = .. to its file"
        )
    symbols = read_elf(elf).symbols
    for name in (start, end):
        if name is not None and name not in symbols:
            raise ConfigurationError(f"{elf.name!r} has no symbol {name!r}", hint=suggestion(name, list(symbols)))
    markers = {"from": symbols[start].address, "to": symbols[end].address if end else 0, "calls": calls}
    found, plugin = qemu.find_qemu(), build_plugin("profile")
    can = probe(found, plugin)
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *plain_command(found, board.qemu.machine, elf.absolute(), "profile"),
        *(("-sandbox", "on,spawn=deny") if can.sandbox else ()),
        *_plugin(plugin, elf.absolute(), "profile", markers, replay_options(board) if replay else ()),
    ]
    try:
        ended = run_command(command, folder=folder, timeout_s=timeout_s, environment=can.environment)
    except MissingToolError as error:  # QEMU itself was started before, by probe()
        hint = "a firmware that never ends is left after --calls N"
        raise EngineError(f"the firmware did not end within {timeout_s:g} s", where=str(elf), hint=hint) from error
    if ended.returncode < 0:
        raise EngineError(f"QEMU was killed by {signal.Signals(-ended.returncode).name}", where=str(elf))
    if not (folder / "plugin.txt").is_file():
        raise EngineError(
            f"QEMU ended without a profile: {(ended.stderr.strip().splitlines() or ['no message'])[-1]}", where=str(elf)
        )
    counts = read_counts([folder])
    if not counts.samples:
        raise EngineError(f"{start!r} was never called", where=str(elf), hint="name another symbol with --from")
    return counts


def _plugin(
    plugin: Path, elf: Path, nonce: str, markers: Mapping[str, int], options: tuple[str, ...]
) -> tuple[str, str]:
    texts = [f"file={escape(plugin)}", *(f"{name}={address:#x}" for name, address in markers.items()), f"nonce={nonce}"]
    return "-plugin", ",".join([*texts, f"read={escape(elf)}", *options])


def replay_options(board: Board) -> tuple[str, ...]:
    """The chip's caches and slow RAM as the plugin's options."""
    return tuple(f"{name}={value}" for name, value in memory_options(board, qemu.NAME))
