"""Published package of Renode -> unpacked where engine `renode` looks for it; and pyrenode3 for this Python."""

import importlib
import os
import platform
import posixpath
import re
import shutil
import sys
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcusim.engines.renode.installation import TOLD_VERSION, install_folder, missing_packages, python, start_program
from mcusim.system.cache import locked
from mcusim.system.command import run
from mcusim.system.download import download
from mcusim.system.errors import MissingToolError
from mcusim.system.progress import Progress

VERSION = "1.16.1"
FOLDER = f"renode_{VERSION}-dotnet_portable"  # at the top of the package, and what installed_programs() looks for
PUBLISHER = f"https://github.com/renode/renode/releases/download/v{VERSION}"  # MCUSIM_RENODE_URL replaces it
PACKAGES = {  # by machine: name and SHA-256
    "x86_64": (
        f"renode-{VERSION}.linux-portable-dotnet.tar.gz",
        "00e113cdbd0f5354cf2f64bbe3f5a070d8958409542fca66e45ac97d982938c0",
    ),
    "aarch64": (
        f"renode-{VERSION}.linux-arm64-portable-dotnet.tar.gz",
        "fff3a098c96ed0a4ffbdff3f028c9c5fde432db09587c7bd7c99406180f90007",
    ),
}
# Nothing is published of it: the commit is the version that was tested.
PYRENODE = "pyrenode3 @ git+https://github.com/antmicro/pyrenode3.git@dde4a47660ef1b8874a91ed514a0bd04b33a5add"

OTHER_WAYS = "name an unpacked package in RENODE_ROOT, or a server that has it in MCUSIM_RENODE_URL"
LIBRARIES_HINT = "sudo apt-get install libicu-dev libssl3"
_PIP_S = 600.0
_SYNONYMS = {"amd64": "x86_64", "arm64": "aarch64"}
# Python 3.10.12, 3.11.4 and later check too.
_FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


@dataclass(frozen=True)
class Installed:
    program: Path
    version: str
    fresh: bool  # False: it was there already


def install_renode(*, force: bool = False, progress: Progress | None = None) -> Installed:
    """Fetches and unpacks Renode unless it is there, or again with `force`; asks it for its version.

    Raises MissingToolError where no package is for this machine, or it cannot be had, has no room, or does not start.
    """
    name, sha256 = _package()
    folder = install_folder()
    program = folder / FOLDER / "renode"
    fresh = False
    if force or not program.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder / ".lock"):
                fresh = force or not program.is_file()  # another run may have been first
                if fresh:
                    _unpack(_fetch(name, sha256, progress), folder)
        except OSError as error:
            what = f"cannot install Renode: {error.strerror or error}"
            hint = "make room there, or name another folder in MCUSIM_CACHE_DIR"
            raise MissingToolError(what, where=str(folder), hint=hint) from None
    return Installed(program, _ask_version(program), fresh)


def _package() -> tuple[str, str]:
    system, machine = platform.system(), platform.machine()
    found = PACKAGES.get(_SYNONYMS.get(machine.lower(), machine))
    if system != "Linux" or found is None:
        name = {"Darwin": "macOS"}.get(system, system)
        hint = "install it as its publisher says and name its folder in RENODE_ROOT, or use engine qemu"
        raise MissingToolError(f"mcusim has no package of Renode for {name} on {machine}", hint=hint)
    return found


def _fetch(name: str, sha256: str, progress: Progress | None) -> Path:
    base = os.environ.get("MCUSIM_RENODE_URL") or PUBLISHER
    url = f"{base.rstrip('/')}/{name}"
    return download(url, sha256, name, None, OTHER_WAYS, MissingToolError, progress=progress)


def _unpack(archive: Path, folder: Path) -> None:
    """Aside, and renamed at the end: what goes wrong on the way leaves what was there before as it was."""
    aside = folder / ".unpacking"
    shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
    try:
        aside.mkdir()
        _extract(archive, aside)
        if not (aside / FOLDER / "renode").is_file():
            raise MissingToolError("the package of Renode has no program 'renode'", where=str(archive), hint=OTHER_WAYS)
        _exchange(aside / FOLDER, folder / FOLDER, aside / "before")
        archive.unlink()  # needed no more
    except (tarfile.TarError, EOFError, zlib.error) as error:
        what = f"the package of Renode cannot be unpacked: {error}"
        raise MissingToolError(what, where=str(archive), hint=OTHER_WAYS) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _exchange(new: Path, goal: Path, before: Path) -> None:
    if goal.exists():
        goal.rename(before)
    try:
        new.rename(goal)
    except BaseException:
        if before.exists():
            before.rename(goal)
        raise


def _extract(archive: Path, folder: Path) -> None:
    files: set[str] = set()
    links: set[str] = set()
    with tarfile.open(archive, "r:gz") as packed:
        for member in packed:
            name = _check(member, files, links)
            (links if member.issym() else files).add(name)
            # Readable and ours, whatever the packager's account was.
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
            packed.extract(member, folder, **_FILTER)


def _check(member: tarfile.TarInfo, files: set[str], links: set[str]) -> str:
    """Its name without detours. tarfile.TarError for what would be written, or lead, outside of FOLDER."""
    name = posixpath.normpath(member.name)
    above = [name.rsplit("/", i)[0] for i in range(name.count("/") + 1)]  # itself, too
    if member.name.startswith("/") or ".." in member.name.split("/") or name.split("/")[0] != FOLDER:
        raise tarfile.TarError(f"{member.name!r} lies outside of {FOLDER!r}")
    if not links.isdisjoint(above):
        raise tarfile.TarError(f"{member.name!r} lies behind a link")
    if member.issym():
        goal = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
        straight = posixpath.normpath(member.linkname) == member.linkname.rstrip("/")  # `a/../..` may lead anywhere
        if member.linkname.startswith("/") or not straight or goal.split("/")[0] != FOLDER:
            raise tarfile.TarError(f"the link {member.name!r} leads outside of {FOLDER!r}")
    elif member.islnk():
        if posixpath.normpath(member.linkname) not in files:
            raise tarfile.TarError(f"the link {member.name!r} leads to nothing of the package")
    elif not (member.isfile() or member.isdir()):
        raise tarfile.TarError(f"{member.name!r} is neither file, folder nor link")
    return name


def _ask_version(program: Path) -> str:
    """Starts it, for what is missing on this machine is seen only then."""
    try:
        ended = start_program(program)
    except MissingToolError as error:
        hint = "it needs a Linux with glibc, and a folder from which programs may be started: MCUSIM_CACHE_DIR"
        raise MissingToolError(error.what, where=str(program), hint=hint) from None
    found = TOLD_VERSION.search(ended.stdout)
    if ended.returncode == 0 and found:
        return ".".join(found.groups())
    said = ended.stderr + ended.stdout
    if re.search(r"\bICU\b|libicu|libssl|OpenSSL", said):
        what = "Renode is installed, but does not start without libicu and OpenSSL 3"
        raise MissingToolError(what, where=str(program), hint=LIBRARIES_HINT)
    last = (said.strip().splitlines() or [f"exit code {ended.returncode}"])[-1].strip()
    hint = "mcusim engines install renode --force"
    raise MissingToolError(f"Renode is installed, but does not start: {last[:200]}", where=str(program), hint=hint)


def install_pyrenode3(*, force: bool = False) -> bool:
    """Lets pip install it for this Python; -> False when it is there already.

    Raises MissingToolError with the reason when pip cannot, and how to do it by hand. Engine `renode` works without it.
    """
    if not missing_packages() and not force:
        return False
    options = ["--disable-pip-version-check", "--no-input", *(["--force-reinstall"] if force else [])]
    by_hand = f"{sys.executable} -m pip install '{PYRENODE}'"
    command = [*python(), "-m", "pip", "install", *options, PYRENODE]
    try:
        ended = run(command, timeout_s=_PIP_S, environment={"GIT_TERMINAL_PROMPT": "0"})
    except MissingToolError as error:
        raise MissingToolError(error.what, hint=by_hand) from None
    importlib.invalidate_caches()
    if ended.returncode != 0:
        raise MissingToolError(_reason(ended.stderr + ended.stdout), hint=by_hand)
    return True


_REASONS = (  # what pip and git say, and what it means
    ("No module named pip", "this Python has no pip"),
    ("externally-managed-environment", "this Python belongs to the operating system: use a virtual environment"),
    ("Cannot find command 'git'", "git is not installed"),
    ("Could not resolve host", "no connection to github.com"),
    ("Failed to connect", "no connection to github.com"),
    ("unable to access", "no connection to github.com"),
    ("No matching distribution found", "no connection to a package index"),
    ("No space left on device", "no space left on device"),
)


def _reason(said: str) -> str:
    """One line of what pip wrote."""
    for words, meaning in _REASONS:
        if words in said:
            return meaning
    lines = [line.strip() for line in said.splitlines() if re.search(r"error|fatal", line, re.IGNORECASE)]
    return (lines or ["pip could not install it"])[-1][:200]
