"""Engine `host`: the same C as a program of this machine. A fast reference: outputs, and nothing about any board."""

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mcusim.engines import shares as sharing
from mcusim.engines.engine import Execution, Facts, Job, Ready
from mcusim.engines.shares import Share
from mcusim.system.command import start
from mcusim.system.errors import EngineError, MissingToolError
from mcusim.system.tool import Tool, lacking, looked_for
from mcusim.system.toolchain import find_host_compiler, version_line

FACTS = Facts(
    name="host",
    title="host",
    summary="a program of this machine: a fast reference for outputs",
    transport="stdio",
    memory_map=None,
    measures=frozenset({"outputs"}),
)


def missing() -> MissingToolError | None:
    return lacking(find_host_compiler)


def version() -> str:
    return version_line(find_host_compiler())


def tools() -> Iterable[Tool]:
    yield looked_for("host compiler", "engine host", version)


@contextmanager
def open(jobs: int) -> Iterator[Ready]:
    """Holds nothing."""
    yield _Host(jobs)


@dataclass(frozen=True)
class _Host:
    jobs: int

    def run(self, job: Job) -> Execution:
        """See `Ready.run`. The image must be native."""
        if not job.image.native:
            what = f"this firmware is for {job.image.board!r}, not for the host"
            raise EngineError(what, where=str(job.image.elf), hint="build it for engine host")
        sharing.check_sizes(job)
        ran = sharing.run_job(job, self.jobs, _Programs(job.image.elf))
        sharing.stack_bytes_of(ran)  # which is none of the board's, but proves that all is there
        finished = [share.finished for share in ran.shares]
        execution = sharing.execution_of(ran, finished, FACTS, version())
        sharing.clear(ran.shares)
        return execution


@dataclass(frozen=True)
class _Programs(sharing.Processes):
    program: Path

    def start(self, share: Share) -> subprocess.Popen[bytes]:
        own = {"MCUSIM_NONCE": share.nonce, "MCUSIM_PARENT": str(os.getpid())}
        environment = {**own, "UBSAN_OPTIONS": "print_stacktrace=1"}
        with (share.folder / "engine.log").open("wb") as log:
            return start([str(self.program)], share.folder, environment, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def explain(self, share: Share, code: int) -> EngineError:
        lines = share.log.splitlines()
        found = next((line for line in lines if "runtime error:" in line or "ERROR: AddressSanitizer" in line), None)
        if found is None:
            found = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        what = f"the program failed in sample {share.first + share.finished}: {found.strip()}"
        return EngineError(what, where=str(share.folder), hint="all that it said is in engine.log there")

    def explain_stall(self, share: Share, process: subprocess.Popen[bytes], stall_s: float) -> EngineError:
        what = f"no answer to sample {share.first + share.finished} within {stall_s:g} s"
        return EngineError(what, where=str(share.folder), hint=sharing.STALL_HINT)
