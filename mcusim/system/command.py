"""Other programs: found by name, started in their own session, awaited or stopped. The only module that starts any."""

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mcusim.system.errors import MissingToolError

_PIECE_BYTES, _HEARD_BYTES = 2**16, 2**23  # what is read at once, and kept of all that a program says
_TERMINATION_S = 3.0  # between SIGTERM and SIGKILL
# Ctrl-C in the instant before a wait of the system is heard after it: Python looks before it only.
_LONGEST_WAIT_S = 1.0


@dataclass(frozen=True)
class Completed:
    """A program that has ended. `returncode` is negative when a signal ended it."""

    returncode: int
    stdout: str
    stderr: str


def find(program: str, *, hint: str, variable: str | None = None) -> str:
    """Absolute path of `program` (a name to look for in PATH, or a path). Raises MissingToolError with `hint`.

    `variable` of the environment may have named it: then no installation helps.
    """
    path = shutil.which(program)
    if path is None and variable and variable in os.environ:
        what = f"there is no program {program!r}, which {variable} names"
        raise MissingToolError(what, where=variable, hint=f"correct {variable}, or unset it")
    if path is None:
        raise MissingToolError(f"{program!r} is not installed", where="PATH", hint=hint)
    return os.path.abspath(path)


def run(
    command: Sequence[str | Path],
    *,
    folder: Path | None = None,
    timeout_s: float = 600.0,
    environment: Mapping[str, str] | None = None,
) -> Completed:
    """Runs a program to its end, without a terminal.

    Messages are asked for in English, because some are read. A program that needs longer than `timeout_s`, or that
    cannot be started, is a MissingToolError: it is not the tool it says it is.
    """
    words = tuple(str(word) for word in command)
    try:
        process = start(words, folder=folder, environment=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        hint = f"is it a program for this machine, in a folder that is there? {words[0]} --version"
        raise MissingToolError(f"cannot start {words[0]!r}: {error.strerror}", hint=hint) from error
    assert process.stdout is not None and process.stderr is not None
    try:
        with process.stdout, process.stderr:
            stdout, stderr = _heard([process.stdout, process.stderr], process, timeout_s)
    except subprocess.TimeoutExpired as error:
        hint = f"try it by hand: {words[0]} --version"
        what = f"{words[0]!r} did not end within {timeout_s:.0f} s"
        raise MissingToolError(what, where=" ".join(words), hint=hint) from error
    finally:
        stop([process])
    return Completed(process.returncode, stdout, stderr)


def _heard(streams: Sequence[IO[bytes]], process: subprocess.Popen[bytes], timeout_s: float) -> list[str]:
    """What comes out of `streams` until the process ends; of very much the beginning and the end."""
    end = time.monotonic() + timeout_s
    heard = {stream.fileno(): bytearray() for stream in streams}
    with selectors.DefaultSelector() as ready:
        for stream in streams:
            ready.register(stream, selectors.EVENT_READ)
        while ready.get_map():
            found = ready.select(min(_LONGEST_WAIT_S, max(0.0, end - time.monotonic())))
            if not found and time.monotonic() >= end:
                raise subprocess.TimeoutExpired(process.args, timeout_s)
            for key, _ in found:
                piece = os.read(key.fd, _PIECE_BYTES)
                if not piece:
                    ready.unregister(key.fileobj)
                _keep(heard[key.fd], piece)
    process.wait(max(0.0, end - time.monotonic()))
    return [text.decode(errors="replace") for text in heard.values()]


def _keep(heard: bytearray, piece: bytes) -> None:
    heard += piece
    if len(heard) > 2 * _HEARD_BYTES:
        del heard[_HEARD_BYTES // 2 : -_HEARD_BYTES // 2]


def start(
    command: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | object = subprocess.DEVNULL,
    stderr: int | object = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own: Ctrl-C reaches us alone, and we decide what becomes of it."""
    return subprocess.Popen(
        list(command),
        cwd=folder,
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
        stdin=stdin,
        stdout=stdout,  # type: ignore[arg-type]
        stderr=stderr,  # type: ignore[arg-type]
        start_new_session=True,
    )


def stop(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Ends whatever of these still runs, with everything they started: asks, waits a moment, kills. Never raises."""
    running = [process for process in processes if process.poll() is None]
    try:
        for process in running:
            _signal_group(process, signal.SIGTERM)
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_TERMINATION_S)
    finally:  # also when a second Ctrl-C interrupts the waiting
        for process in running:
            _signal_group(process, signal.SIGKILL)  # also those that a shell, which ended, had started
            process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # ended in between
        os.killpg(process.pid, number)
