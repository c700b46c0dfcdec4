"""A room -> a verdict for each of a sample of its mutants; goes on where it stopped.

Tests are imported once, then each mutant is a fork in which one function has other code: no file changes, and no test
has run before that could have filled a cache, behind which a mutant would hide. Time is that of the processor: on a
busy machine seconds of a clock say nothing, and every mutant would be too slow there, which counts as found.
Tests that start Python anew, or read files of the package, see no mutant.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from mcusim.system.errors import ConfigurationError
from tools.mutants.changes import Change, drawn
from tools.mutants.rooms import Room

TIMES, PATIENCE_SECONDS = 3, 30  # what tests may take of the processor, of what they took: a mutant may loop for ever
MOST_SECONDS = 300  # of tests that are neither quick nor the module's own: what they do not see counts as not seen
SURVIVED, KILLED, SLOW, NO_TEST = "survived", "killed", "too slow", "no test"
BROKEN = 70  # exit code of a child that did not come to its tests
QUIET = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")


@dataclass(frozen=True)
class Mutant:
    """`verdict`: that of its tests; one that is too slow counts as killed."""

    function: str
    difference: str
    verdict: str

    @property
    def is_killed(self) -> bool:
        return self.verdict in (KILLED, SLOW)


def mutants(room: Room, folder: Path, sample: int, seed: int, jobs: int, again: bool = False) -> list[Mutant]:
    """Change `sample` places of the room, chosen by `seed`. `again`: try those anew that no test has found."""
    changes = drawn(Path.cwd(), room.files, sample, seed)
    if not changes:
        raise ConfigurationError(f"no mutants of {', '.join(room.files)}", hint="start script/mutants in the checkout")
    kept = _Kept(folder, again)
    left = {one.key: (one, _steps(room, one)) for one in changes if one.key not in kept.verdicts}
    if left:
        unknown = _unknown([steps for _, steps in left.values()], kept)
        _in_children([(test, partial(_tests, [test])) for test in unknown], jobs, kept.took)
        tried = [(key, partial(_tried, one, steps, kept.seconds)) for key, (one, steps) in left.items()]
        _in_children(tried, jobs, kept.ended)
    return [Mutant(one.function, one.difference, kept.verdicts[one.key]) for one in changes]


class _Kept:
    """Verdicts, and what files of tests take of the processor without a change, in a file."""

    def __init__(self, folder: Path, again: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "verdicts.json"
        read = json.loads(self._file.read_text(encoding="utf-8")) if self._file.is_file() else {}
        known: dict[str, str] = read.get("verdicts", {})
        self.verdicts = {key: one for key, one in known.items() if not again or one in (KILLED, SLOW)}
        self.seconds: dict[str, float] = read.get("seconds", {})

    def took(self, test: str, code: int, seconds: float) -> None:
        if code not in (0, 5):
            raise ConfigurationError(f"{test} fails without a change", hint="run it by itself")
        self.seconds[test] = seconds
        self._write()

    def ended(self, key: str, code: int, seconds: float) -> None:
        assert code != BROKEN, key
        slow = (-signal.SIGXCPU, -signal.SIGKILL)
        self.verdicts[key] = SLOW if code in slow else {0: SURVIVED, 5: NO_TEST}.get(code, KILLED)
        self._write()

    def _write(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({"seconds": self.seconds, "verdicts": self.verdicts}, indent=1), encoding="utf-8")
        new.replace(self._file)


def _steps(room: Room, change: Change) -> tuple[list[str], list[str], list[str]]:
    """What is asked one after the other: quick tests that see a lot, those of the module by their names, all others."""
    files = [str(one) for test in room.tests for one in _test_files(Path(test))]
    words = {word for part in Path(change.file).with_suffix("").parts for word in (part, *part.split("_"))}
    own = [file for file in files if Path(file).stem.split("_")[1] in words and file not in room.quick]
    return list(room.quick), own, [file for file in files if file not in (*room.quick, *own)]


def _test_files(path: Path) -> list[Path]:
    return sorted(path.rglob("test_*.py")) if path.is_dir() else [path]


def _unknown(asked: Iterable[Sequence[list[str]]], kept: _Kept) -> list[str]:
    """Files of tests whose seconds nobody has measured. All are imported here, for all children."""
    every = list(dict.fromkeys(test for steps in asked for step in steps for test in step))
    with _Silence():
        pytest.main(["--collect-only", *QUIET, *every])
    return [test for test in every if test not in kept.seconds]


def _tried(change: Change, steps: Sequence[list[str]], seconds: dict[str, float]) -> int:
    """In a child -> the exit code of the first tests that fail, or else of the last."""
    change.apply()
    *first, others = steps
    code = 5
    for step in (*first, _quickest(others, seconds)):
        if step and code in (0, 5):
            limit = (
                resource.getrusage(resource.RUSAGE_SELF).ru_utime
                + PATIENCE_SECONDS
                + TIMES * sum(map(seconds.__getitem__, step))
            )
            resource.setrlimit(resource.RLIMIT_CPU, (round(limit), resource.RLIM_INFINITY))
            code = _tests(step) or 0
    return code


def _quickest(tests: Sequence[str], seconds: dict[str, float]) -> list[str]:
    chosen, spent = [], 0.0
    for test in sorted(tests, key=seconds.__getitem__):
        spent += seconds[test]
        if spent > MOST_SECONDS:
            break
        chosen.append(test)
    return chosen


def _tests(files: Sequence[str]) -> int:
    return int(pytest.main([*QUIET, *files]))


def _in_children(
    work: Sequence[tuple[str, Callable[[], int]]], jobs: int, ended: Callable[[str, int, float], None]
) -> None:
    """Each piece in a fork, `jobs` at a time. `ended`: told its name, exit code, and seconds of the processor."""
    running: dict[int, str] = {}
    waiting = list(work)
    while waiting or running:
        while waiting and len(running) < jobs:
            name, piece = waiting.pop(0)
            sys.stdout.flush()
            child = os.fork()
            if child == 0:
                _end(piece)
            running[child] = name
        child, status, used = os.wait4(-1, 0)
        ended(running.pop(child), os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime)


def _end(piece: Callable[[], int]) -> NoReturn:
    """Of a child."""
    code = BROKEN
    try:
        with _Silence():
            code = piece()
    finally:
        os._exit(code)


class _Silence:
    """What tests write is of no interest."""

    def __enter__(self) -> None:
        self._kept = [os.dup(1), os.dup(2)]
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        os.close(nowhere)

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, stream)
            os.close(kept)
