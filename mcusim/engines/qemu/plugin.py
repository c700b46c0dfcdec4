"""QEMU plugin source -> shared object, built with this machine's compiler on first use; and what a QEMU makes of it."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from mcusim.system.cache import cache_folder
from mcusim.system.command import run
from mcusim.system.errors import BuildError, EngineError, MissingToolError
from mcusim.system.toolchain import HOST_GCC_HINT, find_host_compiler, version_line

_SOURCES = REPLAY = Path(__file__).parent / "qemu_plugin"  # replay.h: what any profiler counts
_FLAGS = ("-std=gnu11", "-O2", "-shared", "-fPIC", "-pthread", "-fvisibility=hidden")
_NEWEST_API = 7  # of QEMU 11.1


@dataclass(frozen=True)
class Capabilities:
    """The plugin `api` to offer to a QEMU (None: the plugin's own choice is right), and whether it has seccomp."""

    api: int | None
    sandbox: bool

    @property
    def environment(self) -> dict[str, str]:
        """What QEMU is started with, so that the plugin offers `api`."""
        return {} if self.api is None else {"MCUSIM_PLUGIN_API": str(self.api)}

    @property
    def confinement(self) -> tuple[str, ...]:
        return ("-sandbox", "on,spawn=deny") if self.sandbox else ()


@cache
def build_plugin(name: str) -> Path:
    """Absolute path of ``qemu_plugin/<name>.c`` as a shared object.

    Kept by source, compiler and machine. Where the cache folder cannot be written it goes to a temporary one.
    Raises MissingToolError without a compiler, BuildError when that refuses.
    """
    return build_shared(_SOURCES / f"{name}.c", (_SOURCES,), f"qemu_plugin_{name}")


def build_shared(source: Path, folders: Sequence[Path], name: str) -> Path:
    """`source`, with headers in `folders`, as a shared object that is called `name`; see build_plugin."""
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
        return _compile(command, Path(_temporary_folder().name) / file_name)


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mcusim-")  # removed when this process ends


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


@cache
def probe(qemu: str, plugin: Path) -> Capabilities:
    """Loads the plugin into `qemu` once, without a machine, to learn how it has to be started.

    Raises MissingToolError for a QEMU without plugins, EngineError for one whose plugin interface is not known here.
    """
    can = Capabilities(api=None, sandbox=True)
    for _ in range(4):  # at most: without the sandbox, and with the API that QEMU names
        command = [qemu, "-M", "none", "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"]
        command += ["-serial", "none", *can.confinement, "-plugin", f"file={escape(plugin)},probe=on"]
        loaded = run(command, timeout_s=30, environment=can.environment)
        if loaded.returncode == 0 and "mcusim-plugin" in loaded.stdout:
            return can
        bound = re.search(r"supports only (?:a minimum|up to) version (?:of )?(\d+)", loaded.stderr)
        if bound and can.api is None and 1 <= int(bound[1]) <= _NEWEST_API:
            can = replace(can, api=int(bound[1]))
        elif can.sandbox and "sandbox" in loaded.stderr:
            can = replace(can, sandbox=False)
        else:
            raise _refused(qemu, plugin, loaded.stderr)
    raise _refused(qemu, plugin, loaded.stderr)


def _refused(qemu: str, plugin: Path, stderr: str) -> EngineError | MissingToolError:
    last = (stderr.strip().splitlines() or ["no message"])[-1]
    if re.search(r"-plugin: invalid option|no option group 'plugin'|plugin interface not enabled", stderr):
        hint = "use the one of Debian or Ubuntu: sudo apt-get install qemu-system-arm"
        return MissingToolError("this QEMU was built without TCG plugins", where=qemu, hint=hint)
    if "API version" in stderr:
        hint = f"mcusim knows interfaces 1 to {_NEWEST_API} (QEMU 6.2 to 11.x): name another QEMU in MCUSIM_QEMU"
        return EngineError(f"QEMU's plugin interface is not known: {last}", where=qemu, hint=hint)
    hint = f"remove {plugin}, which is built anew; or name another QEMU in MCUSIM_QEMU"
    return EngineError(f"QEMU cannot load the plugin: {last}", where=qemu, hint=hint)


def escape(path: Path) -> str:
    """A path as a value in a QEMU option, where a comma ends the value unless doubled."""
    return str(path).replace(",", ",,")
