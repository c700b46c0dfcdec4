"""C source -> shared object, built with this machine's compiler on first use, kept for the next."""

import hashlib
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mcusim.system.cache import cache_folder, of_this_process
from mcusim.system.command import run
from mcusim.system.errors import BuildError
from mcusim.system.toolchain import HOST_GCC_HINT, find_host_compiler, version_line

_FLAGS = ("-std=gnu11", "-O2", "-shared", "-fPIC", "-pthread", "-fvisibility=hidden")


def build_shared(source: Path, folders: Sequence[Path], name: str) -> Path:
    """`source`, with headers in `folders`, as a shared object that is called `name`, by its absolute path.

    Kept by source, compiler and machine. Where the cache folder cannot be written it goes to a temporary one.
    Raises MissingToolError without a compiler, BuildError when that refuses.
    """
    gcc = find_host_compiler()
    texts = b"".join(file.read_bytes() for file in (source, *(h for one in folders for h in sorted(one.glob("*.h")))))
    key = hashlib.sha256(texts + repr((version_line(gcc), _FLAGS, platform.machine())).encode())
    file_name = f"{name}-{key.hexdigest()[:16]}.so"
    kept = cache_folder() / file_name
    if kept.is_file():
        return kept
    command = [gcc, *_FLAGS, *(f"-I{folder}" for folder in folders), str(source)]
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        return _compile(command, kept)
    except OSError:
        return _compile(command, Path(of_this_process().name) / file_name)


def _compile(command: Sequence[str], goal: Path) -> Path:
    """Renames at the end: a plugin that is being written is never loaded by another run."""
    handle, aside = tempfile.mkstemp(prefix=".", suffix=".so", dir=goal.parent)
    os.close(handle)
    try:
        compiled = run([*command, "-o", aside])
        if compiled.returncode != 0:
            lines = compiled.stderr.strip().splitlines() or ["no message"]
            message = next((line for line in lines if "error" in line), lines[-1])
            if "No space left" in compiled.stderr:
                raise OSError(message)
            what = f"cannot build {goal.name.split('-')[0]}: {message}"
            raise BuildError(what, where=command[0], hint=HOST_GCC_HINT)
        os.chmod(aside, 0o755)  # mkstemp made it private; a cache folder may be shared
        os.replace(aside, goal)
    finally:
        Path(aside).unlink(missing_ok=True)
    return goal
