"""Batches in processes of their own: what ends one, or hangs in it, is a failure like any other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from tools.fuzz.kind import Failure, Kind, NotHere, Outcome, told

MOST_BATCHES = 40  # of one process: Keras and others keep what they made
KindOf = Callable[[str], Kind]


class Worker:
    """A process that runs one batch after the other, and is started again when it is old, or has ended."""

    def __init__(self, kind_of: KindOf) -> None:
        self._kind_of = kind_of  # a function of a module, which the process imports
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._batches = 0

    def run(self, kind: Kind, seeds: Sequence[int]) -> Outcome:
        """Raises NotHere."""
        if self._batches >= MOST_BATCHES:
            self.stop()
        try:
            if self._connection is None:
                self._start()
            assert self._connection is not None
            self._connection.send((kind.name, list(seeds)))
            if not self._connection.poll(kind.longest_s):
                return self._failed(seeds, f"no end after {kind.longest_s:.0f} s")
            answer = self._connection.recv()
        except (EOFError, OSError):
            return self._failed(seeds, f"the process ended with {self._code()}")
        self._batches += 1
        if isinstance(answer, str):
            raise NotHere(answer)
        assert isinstance(answer, Outcome)
        return answer

    def _failed(self, seeds: Sequence[int], what: str) -> Outcome:
        self.stop()
        outcome = Outcome()
        outcome.failures.append(Failure(seeds[0], f"{what}, with {len(seeds)} seeds from this one on"))
        return outcome

    def _code(self) -> int | None:
        if self._process is None:
            return None
        self._process.join(1)
        return self._process.exitcode

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._kind_of, theirs))
        self._process.start()
        theirs.close()
        self._connection.recv()  # once all is imported, which is no part of a batch
        self._batches = 0

    def stop(self) -> None:
        if self._process is None or self._connection is None:
            return
        self._connection.close()
        if self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._process = self._connection = None


def _serve(kind_of: KindOf, connection: Connection) -> None:
    """In a session of its own: what it started ends with it."""
    os.setsid()
    os.nice(5)
    with open(os.devnull, "w") as nowhere:  # libraries tell a lot
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    connection.send(None)
    with suppress(EOFError, OSError):
        while True:
            name, seeds = connection.recv()
            with tempfile.TemporaryDirectory(prefix="mcusim-fuzz-") as folder:
                connection.send(_answer(kind_of(name), seeds, Path(folder)))


def _answer(kind: Kind, seeds: Sequence[int], folder: Path) -> Outcome | str:
    try:
        return kind.run(seeds, folder)
    except NotHere as why:
        return str(why)
    except Exception as error:
        return Outcome(failures=[Failure(seeds[0], f"{told(error)} (of the fuzzer itself)")])
