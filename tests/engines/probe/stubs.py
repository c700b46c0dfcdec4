"""Emulators whose own GDB stubs stand in for a board behind a probe."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from mcusim.boards.board import Board
from mcusim.engines.probe.servers import _listens
from mcusim.engines.qemu.installation import find_qemu
from mcusim.system.command import start, stop
from tests.processes import wait_for


def without_its_registers(nucleo: Board) -> Board:
    """The board as QEMU's STM32F405 can play it."""
    return nucleo.model_copy(update={"start_up": [], "chip": nucleo.chip.model_copy(update={"debug": None})})


@contextmanager
def listening(command: list[str], port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    process = start(command, environment=environment, stdin=subprocess.PIPE)
    try:
        wait_for(lambda: _listens(port))
        yield process
    finally:
        stop([process])
        assert process.stdin
        process.stdin.close()


@contextmanager
def qemu(port: int) -> Iterator[subprocess.Popen[bytes]]:
    machine = ["-M", "netduinoplus2", "-display", "none", "-serial", "none", "-monitor", "none", "-nodefaults"]
    with listening([find_qemu(), *machine, "-gdb", f"tcp:127.0.0.1:{port}", "-S"], port) as process:
        yield process
