"""Job -> Execution, out of a folder where an earlier run has left what an engine saw of the same firmware and samples.

A file is called by the digest of all that its contents depend on: firmware, samples, board, engine, its version, and
mcusim itself. What is damaged, or not a file of ours, is told of and ignored.
"""

import hashlib
import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.engines.engine import Engine, Execution, Job, Ready
from mcusim.system.files import sha256_of
from mcusim.system.kept_files import KeptFiles
from mcusim.system.names import words_of
from mcusim.system.own_code import own_code
from mcusim.system.packed import pack, unpack
from mcusim.timing.load_recording import BROKEN, code_of, counts_of
from mcusim.timing.recording import document_of, told_code

LARGEST_FOLDER_BYTES = 2**30
SUFFIX = ".kept"
_TOLD = ("wall_s", "engine", "engine_version", "total_instructions", "emulated_mips", "stack_bytes", "notes")
_ARRAYS = ("answers", "instructions", "cycle_counter")


class Kept:
    """A folder of at most LARGEST_FOLDER_BYTES."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where it cannot be."""
        folder.mkdir(parents=True, exist_ok=True)
        self._files = KeptFiles(folder, SUFFIX, LARGEST_FOLDER_BYTES)

    def of(self, engine: Engine, ready: Ready) -> Ready:
        """An open engine that runs only what is not in the folder."""
        return _Keeping(self, engine, ready)

    def read(self, name: str) -> tuple[Execution | None, str | None]:
        """What is kept under that name, or why what is there is not believed."""
        try:
            return replace(_unpacked(self._files.read(name), name), cached=True), None
        except FileNotFoundError:
            return None, None
        except BROKEN as error:
            reason = words_of(error, 100)
            return None, f"a run that --cache kept is ignored, and was run again: {reason} ({name[:12]}..)"

    def write(self, name: str, execution: Execution) -> None:
        self._files.write(name, _packed(execution, name))


class _Keeping:
    def __init__(self, kept: Kept, engine: Engine, ready: Ready) -> None:
        self._kept, self._engine, self._ready = kept, engine, ready

    def run(self, job: Job) -> Execution:
        name = _name_of(job, self._engine)
        found, doubt = self._kept.read(name)
        if found is not None:
            if job.progress:
                job.progress(len(job.samples), len(job.samples))
            return found
        execution = self._ready.run(job)
        if execution.complete:
            self._kept.write(name, execution)
        return replace(execution, notes=(*execution.notes, doubt)) if doubt else execution


def _name_of(job: Job, engine: Engine) -> str:
    """Digest of all that an Execution depends on; paths and times are no part of it."""
    image, board = job.image, job.board
    told = [
        own_code(),
        engine.FACTS.name,
        engine.version(),
        platform.machine(),
        sha256_of(image.elf),
        [image.board, image.entry, image.leave, image.input_bytes, image.output_bytes],
        board and board.model_dump(mode="json", exclude={"renode"}),
        [sha256_of(path) for path in _platforms(Path(board.renode.platform))] if board and board.renode else None,
        job.samples.shape,
        hashlib.sha256(np.ascontiguousarray(job.samples).data).hexdigest(),
        [job.cycles_per_instruction, job.cycle_counter, job.profile, job.replay, job.calls],
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _platforms(platform_file: Path) -> list[Path]:
    """A description may include those beside it."""
    return sorted({platform_file, *platform_file.parent.glob("*.repl")})


def _packed(execution: Execution, name: str) -> bytes:
    told: dict[str, Any] = {"name": name} | {name: getattr(execution, name) for name in _TOLD}
    counts = execution.counts
    if counts is not None:
        told["counts"] = {**document_of(counts), "code": told_code(counts.code)}
    arrays = {name: array for name in _ARRAYS if (array := getattr(execution, name)) is not None}
    return pack(json.dumps(told), arrays)


def _unpacked(data: bytes, name: str) -> Execution:
    """Raises one of BROKEN."""
    text, arrays = unpack(data)
    told: dict[str, Any] = json.loads(text)
    if told.pop("name") != name:
        raise ValueError("it is of another run")
    counts, notes = told.pop("counts", None), tuple(told.pop("notes"))
    known: dict[str, Any] = {**told, **arrays}
    return Execution(
        **known,
        notes=notes,
        indices=np.arange(len(arrays["answers"])),
        counts=counts and replace(counts_of(counts), code=tuple(code_of(counts["code"]))),
    )
