"""A command line of mcusim in a child of this process, with so much time and memory -> how it ended, and what it said.

The child is a copy of this process, in which all of mcusim is imported already: hundreds are tried in a minute.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CPU_S, WALL_S = 40, 240.0  # of a command, and of a machine that has others to do
MEMORY_BYTES, ADDRESS_BYTES = 1 << 30, 6 << 30  # what it may take beside this process; what it gets
FILE_BYTES, MOST_SAID = 1 << 28, 1 << 20


@dataclass(frozen=True)
class Ended:
    """`code`: negative for a signal, None for what was stopped after its time. `peak_bytes`: beside this process."""

    code: int | None
    said: bytes
    peak_bytes: int


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Ended:
    before, said = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, folder.parent / "said"
    pid = os.fork()
    if pid == 0:
        _child(arguments, folder, environment, said)
    code, usage = _awaited(pid)
    with said.open("rb") as file:
        told = file.read(MOST_SAID)
    return Ended(code, told, max(0, usage.ru_maxrss - before) * 1024)


def _awaited(pid: int) -> tuple[int | None, resource.struct_rusage]:
    end = time.monotonic() + WALL_S
    while time.monotonic() < end:
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # what it left
            return os.waitstatus_to_exitcode(status), usage
        time.sleep(0.005)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return None, os.wait4(pid, 0)[2]


def _child(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], said: Path) -> None:
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(environment)
        tempfile.tempdir = None
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + CPU_S, int(used) + CPU_S + 2))
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        from mcusim.commands.cli import main

        main(list(arguments))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
