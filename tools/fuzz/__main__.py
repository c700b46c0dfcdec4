"""Minutes -> models and files that were tried in them. Exit code 7 when something went wrong, with its seed."""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mcusim.system.cache import cache_folder
from mcusim.system.errors import ConfigurationError
from mcusim.system.interruption import INTERRUPTED
from tools.command import end
from tools.fuzz import state
from tools.fuzz.kind import Failure, Kind, NotHere
from tools.fuzz.kinds import KINDS, kind_of
from tools.fuzz.state import State
from tools.fuzz.workers import Worker

BROKEN = 7


@dataclass
class Run:
    """What threads share: each has a worker, and takes the kind that was given the least time so far."""

    kinds: list[Kind]
    folder: Path
    end: float
    states: dict[str, State]
    again: list[tuple[Kind, range]] = field(default_factory=list)  # what went wrong in an earlier run
    busy_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    absent: dict[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self) -> None:
        worker = Worker(kind_of)
        try:
            while (taken := self._next()) is not None:
                self._try(worker, *taken)
        finally:
            worker.stop()

    def _next(self) -> tuple[Kind, range] | None:
        with self.lock:
            there = [kind for kind in self.kinds if kind.name not in self.absent]
            is_late = time.monotonic() >= self.end and self.busy_s  # something is tried, however little time there is
            if is_late or not there:
                return None
            if self.again:
                return self.again.pop()
            kind = min(there, key=lambda one: self.busy_s[one.name])
            self.busy_s[kind.name] += 1  # so that the next one takes another
            known = self.states[kind.name]
            seeds = range(known.next_seed, known.next_seed + kind.together)
            known.next_seed += kind.together
            return kind, seeds

    def _try(self, worker: Worker, kind: Kind, seeds: range) -> None:
        began = time.monotonic()
        try:
            outcome = worker.run(kind, seeds)
        except NotHere as why:
            with self.lock:
                self.absent[kind.name] = str(why)
                self.states[kind.name].next_seed = min(self.states[kind.name].next_seed, seeds[0])
            print(f"{kind.name}: not tried, {why}", flush=True)
            return
        seconds = time.monotonic() - began
        with self.lock:
            self.busy_s[kind.name] += seconds
            known = self.states[kind.name]
            known.add(outcome, seconds, seeds)
            state.write(self.folder, kind.name, known)
        print(f"{kind.name:<16} {seeds[0]:>8} ..  {known.counts['all']:>7} tried  {seconds:6.1f} s", flush=True)
        for failure in outcome.failures:
            print(_told(kind.name, failure), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    kinds = [kind for kind in KINDS if options.only in kind.name]
    exact = [kind for kind in KINDS if options.only == kind.name]
    if not kinds:
        names = ", ".join(repr(kind.name) for kind in KINDS)
        raise ConfigurationError(f"nothing has {options.only!r} in its name", hint=f"take one of {names}")
    if options.seed is not None:
        return _repeated((exact or kinds)[0], options.seed)
    return _tried_for(exact or kinds, options.minutes, options.jobs, options.state)


def _repeated(kind: Kind, seed: int) -> int:
    """A seed alone, and then with those that it is tried with: exit code BROKEN, if either goes wrong."""
    worker, start = Worker(kind_of), seed - seed % kind.together
    try:
        for seeds in ([seed], range(start, start + kind.together)):
            outcome = worker.run(kind, seeds)
            print(", ".join(f"{name}: {count}" for name, count in sorted(outcome.counts.items())))
            if outcome.failures:
                print(*(_told(kind.name, failure) for failure in outcome.failures), sep="\n")
                return BROKEN
    except NotHere as why:
        raise ConfigurationError(f"{kind.name} is not tried: {why}", hint="install it") from None
    finally:
        worker.stop()
    print("nothing went wrong")
    return 0


def _tried_for(kinds: Sequence[Kind], minutes: float, jobs: int, folder: Path) -> int:
    states = {kind.name: state.read(folder, kind.name) for kind in kinds}
    print(f"seeds that were done are kept in {folder}")
    again = [(kind, seeds) for kind in kinds for seeds in states[kind.name].failed(kind.together)]
    run = Run(list(kinds), folder, time.monotonic() + 60 * minutes, states, again)
    interrupted = False
    with ThreadPoolExecutor(jobs) as pool:
        threads = [pool.submit(run.work) for _ in range(jobs)]
        try:
            for thread in threads:
                thread.result()
        except KeyboardInterrupt:
            print("interrupted: what is being tried is tried to its end", flush=True)
            run.end, interrupted = 0.0, True
    _table(states)
    broken = any(known.failures for known in states.values())
    return INTERRUPTED if interrupted else BROKEN if broken else 0


def _table(states: dict[str, State]) -> None:
    print(f"\n{'':<20} {'tried':>8} {'refused':>8} {'bad':>6} {'hours':>7}")
    total: Counter[str] = Counter()
    for name, known in states.items():
        counts = known.counts
        total.update({key: count for key, count in counts.items() if ": " in key})
        bad, hours = len(known.failures), known.seconds / 3600
        print(f"{name:<20} {counts['all']:>8} {counts['refused']:>8} {bad:>6} {hours:>7.2f}")
    for group in sorted({key.partition(": ")[0] for key in total}):
        print(f"\n{group}")
        for key, count in sorted(total.items()):
            if key.startswith(f"{group}: "):
                print(f"  {key.partition(': ')[2]:<34} {count:>8}")
    failures = [(name, failure) for name, known in states.items() for failure in known.failures]
    print("", *(_told(name, failure) for name, failure in failures), sep="\n" if failures else "")
    print(f"{len(failures)} went wrong" if failures else "nothing went wrong")


def _told(kind: str, failure: Failure) -> str:
    return f"BAD script/fuzz --only '{kind}' --seed {failure.seed}\n    {failure.what}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/fuzz",
        description="Random models and hostile files. Exit code 7 when one goes wrong, now or in an earlier run.",
        epilog=f"NAME is a part of one of: {', '.join(kind.name for kind in KINDS)}",
    )
    parser.add_argument("--minutes", type=float, default=5.0, metavar="N", help="time for all together [5]")
    parser.add_argument("--only", default="", metavar="NAME", help="kinds whose name has it")
    parser.add_argument("--seed", type=int, metavar="N", help="this one again, of the kind that --only names")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes [one for each core]"
    )
    parser.add_argument("--state", type=Path, default=cache_folder() / "fuzz", metavar="FOLDER", help="of seeds done")
    return parser


if __name__ == "__main__":
    end(main)
