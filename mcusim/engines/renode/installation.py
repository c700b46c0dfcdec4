"""This machine -> the Renode that is used here, and how it is driven: by pyrenode3 in a worker, or by Monitor script.

MCUSIM_RENODE_DRIVER (`pyrenode3` or `monitor`) decides between them; else it is pyrenode3 where that can load Renode.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mcusim.system.assets import RENODE_SCRIPTS
from mcusim.system.cache import cache_folder, of_this_process
from mcusim.system.command import Completed, run
from mcusim.system.errors import ConfigurationError, McusimError, MissingToolError
from mcusim.system.tool import Tool, lacking, package

TESTED = "1.16.1"
OLDEST = (1, 16, 1)  # 1.16.0 has not all that the platforms name: Timers.STM32_Timer.BreakInterrupt, IsInit
INSTALL = "mcusim engines install renode"
INSTALL_HINT = f"{INSTALL}; or name one that is there: RENODE_ROOT=/path/to/renode_1.16.1"
DRIVERS = ("pyrenode3", "monitor")
_OF_PYRENODE = ("PYRENODE_BIN", "PYRENODE_BUILD_DIR", "PYRENODE_PKG")
_PACKAGES = Path(__file__).parents[3]  # where mcusim lies: the worker is a module of it
_START_S = 120.0  # a portable package unpacks itself when it is first started
TOLD_VERSION = re.compile(r"Renode,? v(?:ersion )?(\d+)\.(\d+)\.(\d+)")
_NIGHTLY = re.compile(r"\b\d+\.\d+\.\d+(\+\w+)")  # it has the number of the release before it


@dataclass(frozen=True)
class Installation:
    """`program` is started with a Monitor script, unless there is a `worker`: that of a pyrenode3 process.

    `notes` are what a reader of the report should know.
    """

    program: Path | None
    version: str
    worker: Mapping[str, str] | None
    notes: tuple[str, ...]


def missing() -> MissingToolError | None:
    return lacking(find_installation)


def version() -> str:
    return find_installation().version


def tools() -> Iterable[Tool]:
    """Renode, and pyrenode3, which only has to be there where Renode is: nothing is started for what is not there."""
    found: Installation | None = None
    try:
        found = find_installation()
        yield Tool("Renode", "engine renode", False, found.version)
    except McusimError as error:
        yield Tool("Renode", "engine renode", False, None, error.what, error.hint or INSTALL)
    except OSError as error:
        yield Tool("Renode", "engine renode", False, None, f"cannot look for it: {error}", INSTALL)
    driven = "engine renode, driven from Python"
    python = package("pyrenode3", driven, required=False, install=INSTALL)
    if python.found and found and found.worker is None and os.environ.get("MCUSIM_RENODE_DRIVER") != "monitor":
        problem = next((note for note in found.notes if "pyrenode3" in note), "it has no Renode that it could load")
        python = Tool("pyrenode3", driven, False, None, problem, INSTALL)
    yield python


def find_installation() -> Installation:
    """Raises MissingToolError without a Renode that is new enough, ConfigurationError for an unknown driver."""
    wanted = os.environ.get("MCUSIM_RENODE_DRIVER") or None
    if wanted is not None and wanted not in DRIVERS:
        raise ConfigurationError(f"unknown driver {wanted!r} in MCUSIM_RENODE_DRIVER", hint=" or ".join(DRIVERS))
    program = find_program()
    notes: list[str] = []
    worker = None if wanted == "monitor" else _worker_environment(program, required=wanted == "pyrenode3")
    answer = ""
    if worker is not None:
        answer, problem = ask_worker(tuple(sorted(worker.items())))
        if problem and (wanted == "pyrenode3" or program is None):
            hint = "check PYRENODE_RUNTIME, and PYRENODE_BIN or PYRENODE_BUILD_DIR; a build needs .NET on this machine"
            raise MissingToolError(f"pyrenode3 cannot load Renode: {problem}", hint=hint)
        if problem:
            notes.append(f"driven by Monitor scripts, because pyrenode3 cannot load Renode: {problem}")
            worker = None
    if worker is None:
        if program is None:
            raise MissingToolError("Renode is not installed", where="RENODE_ROOT, PATH", hint=INSTALL_HINT)
        answer = ask_program(program)
    elif program is not None and not TOLD_VERSION.search(answer):
        answer = ask_program(program)  # loaded, but without a number in its name
    number = _checked_version(answer, program)
    if number != TESTED:
        notes.append(f"Renode {number}: mcusim was tested with {TESTED}")
    return Installation(program, number, worker, tuple(notes))


def find_program() -> Path | None:
    """The executable `renode`: in RENODE_ROOT, of PYRENODE_BIN or PYRENODE_BUILD_DIR, installed by mcusim, or in PATH.

    Raises MissingToolError when RENODE_ROOT names a folder without one.
    """
    root = os.environ.get("RENODE_ROOT")
    if root:
        program = Path(root).absolute() / "renode"
        if not _is_executable(program):
            hint = "it is the folder of the unpacked package, with the program renode in it"
            raise MissingToolError(f"there is no renode in RENODE_ROOT: {root!r}", where=str(program), hint=hint)
        return program
    build = os.environ.get("PYRENODE_BUILD_DIR")
    named = [os.environ.get("PYRENODE_BIN"), os.path.join(build, "renode") if build else None]
    candidates = [*named, *map(str, installed_programs()), shutil.which("renode")]
    return next((Path(one).absolute() for one in candidates if one and _is_executable(one)), None)


def _is_executable(path: str | Path) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def install_folder() -> Path:
    """Where `mcusim engines install renode` puts it."""
    return cache_folder() / "renode"


def compiled_folder(installation: Installation) -> Path:
    """Where the plug-ins are that this Renode compiled of these sources."""
    of = repr((installation.program, installation.version, sorted((installation.worker or {}).items())))
    digest = hashlib.sha256(of.encode())
    for source in sorted(RENODE_SCRIPTS.glob("*.cs")):
        digest.update(source.read_bytes())
    return cache_folder() / "renode-compiled" / digest.hexdigest()[:16]


def installed_programs() -> list[Path]:
    return sorted(install_folder().glob("renode_*/renode"), reverse=True)


def _worker_environment(program: Path | None, *, required: bool) -> dict[str, str] | None:
    """What pyrenode3 has to be told beside the user's environment; None when it is not there or has nothing to load."""
    missing = missing_packages()
    if missing:
        if required:
            raise MissingToolError(f"the Python package {missing[0]!r} is not installed", hint=INSTALL_HINT)
        return None
    runtime = {} if os.environ.get("PYRENODE_RUNTIME") else {"PYRENODE_RUNTIME": "coreclr"}
    if any(os.environ.get(name) for name in _OF_PYRENODE):
        return runtime
    if program is not None and _is_portable(program):
        return {"PYRENODE_RUNTIME": "coreclr", "PYRENODE_BIN": str(program)}
    if required:
        raise MissingToolError("pyrenode3 does not know where Renode is", hint="set PYRENODE_BIN or PYRENODE_BUILD_DIR")
    return None


def missing_packages() -> list[str]:
    """Python packages without which pyrenode3 does nothing."""
    return [name for name in ("pyrenode3", "clr_loader") if importlib.util.find_spec(name) is None]


def _is_portable(program: Path) -> bool:
    """One file with .NET inside, which pyrenode3 can load; not a script that starts something else."""
    with program.open("rb") as file:
        return file.read(4) == b"\x7fELF"


@cache
def ask_program(program: Path) -> str:
    return start_program(program).stdout


def start_program(program: Path) -> Completed:
    """Lets it tell its version. Raises MissingToolError when it cannot be started, or does not end."""
    return run([program, "--version"], timeout_s=_START_S, environment=surroundings(None))


@cache
def ask_worker(environment: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """What Renode says of its version when pyrenode3 has loaded it, or ("", why it could not)."""
    try:
        ended = _start_worker(dict(environment), "--version", None)
    except MissingToolError as error:
        return "", error.what
    if ended.returncode == 0:
        return ended.stdout, ""
    lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    return "", lines[-1] if lines else f"exit code {ended.returncode}"


def start_script(renode: Installation, script: Path, private: Path) -> Completed:
    """Runs a Monitor script to its end, or to its first line that fails. `private`: see `surroundings`.

    Raises MissingToolError when Renode cannot be started, or does not end.
    """
    if renode.worker is not None:
        return _start_worker(renode.worker, str(script), private)
    command = [str(renode.program), "--console", "--disable-gui", "--plain", str(script), "-e", "quit"]
    return run(command, timeout_s=_START_S, environment=surroundings(private))


def _start_worker(environment: Mapping[str, str], argument: str, private: Path | None) -> Completed:
    surrounded = surroundings(private) | dict(environment)
    surrounded["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PACKAGES), os.environ.get("PYTHONPATH")]))
    command = [*python(), "-m", "mcusim.engines.renode.worker", argument]
    return run(command, timeout_s=_START_S, environment=surrounded)


def python() -> list[str]:
    """This Python, that takes no file of the working folder for a package: 3.10 cannot be told so."""
    return [sys.executable, *(["-P"] if sys.version_info >= (3, 11) else [])]


def surroundings(private: Path | None) -> dict[str, str]:
    """Environment of every Renode. `private`: a folder of its own for configuration, lock and temporary files."""
    found = {"DOTNET_TieredPGO": "0", "TERM": "dumb", "MCUSIM_RENODE_LOCK": _lock_file()}
    if not os.environ.get("DOTNET_BUNDLE_EXTRACT_BASE_DIR") and not _writable(os.environ.get("HOME")):
        found["DOTNET_BUNDLE_EXTRACT_BASE_DIR"] = _unpacked()
    if private is not None:
        found |= {"XDG_CONFIG_HOME": str(private / "config"), "TMPDIR": str(private / "tmp")}
    return found


def _writable(folder: str | None) -> bool:
    return folder is not None and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)


def _unpacked() -> str:
    """Where a portable package unpacks itself when it cannot do so at home; often the cache folder is below that."""
    chosen = cache_folder() / "dotnet"
    with suppress(OSError):
        chosen.mkdir(parents=True, exist_ok=True)
    return str(chosen) if _writable(str(chosen)) else of_this_process().name


def _lock_file() -> str:
    """What workers hold while they load Renode; the null device will do where nothing can be written."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        (cache_folder() / "renode.lock").touch()
        return str(cache_folder() / "renode.lock")
    except OSError:
        return os.devnull


def _checked_version(text: str, program: Path | None) -> str:
    where = str(program) if program else "pyrenode3"
    found = TOLD_VERSION.search(text)
    if found is None:
        said = " ".join(text.split())[:60]
        raise MissingToolError(f"this is not a Renode: its --version says {said!r}", where=where, hint=INSTALL_HINT)
    have = ".".join(found.groups())
    if tuple(map(int, found.groups())) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise MissingToolError(f"Renode {have} is too old, {oldest} is needed", where=where, hint=INSTALL_HINT)
    nightly = _NIGHTLY.search(text)
    return have + nightly[1] if nightly else have
