"""Renodes that stay: started once, they take one job after the other until their last user is gone.

A worker waits in the plug-in (renode_scripts/mcusim_job.cs) for a file `turn` in its folder, whose text names a
Monitor script; it runs that in an emulation that is new. It is used again when its job told an outcome, also a fault
or a stall of the firmware, which the plug-in watches. After Ctrl-C, or when Renode itself fails or hangs, it ends, and
another takes its place. So it does when it has grown too large: Renode does not give back all that an emulation took.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE

from mcusim.engines.renode.installation import Installation, compiled_folder, surroundings
from mcusim.engines.renode.plain_folder import plain_folder
from mcusim.system.assets import RENODE_SCRIPTS
from mcusim.system.command import start, stop
from mcusim.system.memory import resident_bytes

_PARTS = ("mailbox", "job", "memory", "fetch", "listener", "code", "tree", "calls", "profile", "foreign")
PLUGIN = tuple(f"mcusim_{part}.cs" for part in _PARTS)
WORKER_BYTES = 600 << 20  # what one takes, the pages included that another shares with it
LARGEST_BYTES = 800 << 20  # and when another takes its place
_CACHE = Path("config", "renode", "compiler-cache")
_CONFIGURATION = "[general]\ncompiler-cache-enabled = True\n"


@dataclass
class Worker:
    """A Renode in a folder of its own. `turns`: jobs that it was given."""

    folder: Path
    installation: Installation
    process: subprocess.Popen[bytes]
    turns: int = 0

    @property
    def log(self) -> Path:
        return self.folder / "renode.log"

    @property
    def failed(self) -> bool:
        """It could not run the last script: what is wrong is in its log."""
        return (self.folder / "failed").exists()

    def give(self, script: Path) -> None:
        if self.turns:
            os.truncate(self.log, 0)  # what it says from now on belongs to this job
        self.turns += 1
        aside = self.folder / "turn.new"
        aside.write_text(str(script), encoding="utf-8")
        aside.rename(self.folder / "turn")

    def clear(self) -> None:
        """After its end."""
        if self.process.stdin:
            self.process.stdin.close()
        compiled = compiled_folder(self.installation)
        if (self.folder / "ready").exists():
            _publish(self.folder / _CACHE, compiled)
        elif self.process.returncode not in (-signal.SIGTERM, -signal.SIGKILL):  # it may have stumbled over them
            shutil.rmtree(compiled, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class Workers:
    """Those of this process, in a folder that any Monitor command can name."""

    folder: Path
    _idle: list[Worker] = field(default_factory=list)
    _made: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def warm(self, installation: Installation, count: int, description: str) -> None:
        """Starts as many as there are not yet, and does not wait for them.

        Each loads the platform of this description, if no job is there by then: the first one takes long.
        """
        with self._lock:
            for _ in range(count - sum(worker.installation == installation for worker in self._idle)):
                self._idle.append(self._start(installation, description))

    def take(self, installation: Installation) -> Worker:
        """One that waits for a job, or a new one. Raises OSError when none can be started."""
        with self._lock:
            for worker in self._idle:
                if worker.installation == installation and worker.process.poll() is None:
                    self._idle.remove(worker)
                    return worker
            return self._start(installation)

    def give_back(self, worker: Worker) -> None:
        """It waits for the next job, unless it has grown too large."""
        if resident_bytes(worker.process.pid) > LARGEST_BYTES:
            self.end([worker])
            return
        with self._lock:
            self._idle.append(worker)

    def end(self, workers: Sequence[Worker]) -> None:
        """All at once, and not one after the other."""
        stop(worker.process for worker in workers)
        for worker in workers:
            worker.clear()

    def close(self) -> None:
        self.end(self._idle)
        self._idle.clear()

    def new_folder(self) -> Path:
        with self._lock:
            self._made += 1
            made = self.folder / str(self._made)
        made.mkdir()
        return made

    def _start(self, installation: Installation, description: str = "") -> Worker:
        self._made += 1
        own = self.folder / f"worker-{self._made}"
        (own / "tmp").mkdir(parents=True)
        if description:
            (own / "first.repl").write_text(description, encoding="utf-8")
        _configure(own / _CACHE, compiled_folder(installation))
        (own / "run.resc").write_text("\n".join(_script(own)) + "\n", encoding="utf-8")
        environment = surroundings(own) | dict(installation.worker or {})
        with (own / "renode.log").open("ab") as log:  # appended: it is cut from outside
            # Its console keeps whatever it reads, and never stops at the end of a file: it gets nothing, and no end.
            process = start(_command(installation, own), own, environment, stdin=PIPE, stdout=log, stderr=log)
        return Worker(own, installation, process)


def _command(installation: Installation, own: Path) -> list[str]:
    script = str(own / "run.resc")
    if installation.worker is not None:
        return [sys.executable, "-m", "mcusim.engines.renode.worker", script]
    # Without --console the Monitor listens on a TCP port. `quit` is reached when the script ends, or fails on its way.
    return [str(installation.program), "--console", "--disable-gui", "--plain", script, "-e", "quit"]


def _script(own: Path) -> list[str]:
    """A Monitor script, which stops at its first line that fails."""
    for name in PLUGIN:
        (own / name).symlink_to(RENODE_SCRIPTS / name)
    return [*(f"include @{own / name}" for name in PLUGIN), f'emulation ServeJobs "{own}" {os.getpid()}']


def _configure(cache: Path, compiled: Path) -> None:
    """Plug-ins are compiled once for all runs. As long as they are not, each worker keeps its own."""
    cache.parent.mkdir(parents=True)
    (cache.parent / "config").write_text(_CONFIGURATION, encoding="utf-8")
    if compiled.is_dir():
        cache.symlink_to(compiled)


def _publish(cache: Path, compiled: Path) -> None:
    """All of one worker, or none: what was compiled refers to what was compiled before it."""
    if compiled.exists() or cache.is_symlink() or not cache.is_dir():
        return
    with suppress(OSError):
        compiled.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".new-", dir=compiled.parent))
        try:
            shutil.copytree(cache, aside, dirs_exist_ok=True)
            aside.rename(compiled)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


@dataclass
class _Shared:
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    workers: Workers | None = None
    opened: ExitStack = field(default_factory=ExitStack)


_shared = _Shared()


@contextmanager
def shared() -> Iterator[Workers]:
    """The workers of this process, which end with their last user: who runs jobs here and there keeps this open."""
    with _shared.lock:
        if _shared.workers is None:
            _shared.workers = Workers(_shared.opened.enter_context(plain_folder()))
            _shared.opened.callback(_shared.workers.close)
        _shared.users += 1
        workers = _shared.workers
    try:
        yield workers
    finally:
        with _shared.lock:
            _shared.users -= 1
            if not _shared.users:
                _shared.workers = None
                _shared.opened.close()


def affordable(jobs: int, free_bytes: int) -> int:
    """How many of `jobs` Renodes there is memory for; one is always tried."""
    return max(1, min(jobs, free_bytes // WORKER_BYTES))
