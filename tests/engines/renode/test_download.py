"""Installing Renode from a server of our own: a small package whose program only tells its version."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import platform
import signal
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mcusim.commands import cli
from mcusim.engines.renode import download as renode_download
from mcusim.engines.renode import installation as renode_installation
from mcusim.engines.renode.download import FOLDER, OTHER_WAYS, PYRENODE, install_pyrenode3, install_renode
from mcusim.system import download
from mcusim.system.errors import MissingToolError
from tests.processes import HANG_S, wait_for
from tests.server import CONTENT, Server
from tests.server import server as server  # noqa: PLC0414  (a fixture)
from tests.small_disk import leave_free, small_disk

ROOT = Path(__file__).parents[3]
TELLS_ITS_VERSION = "#!/bin/sh\necho 'Renode v1.16.1.17033'\necho '  build: d66b0c2a'\n"
NO_CHECKS = {"filter": "fully_trusted"} if hasattr(tarfile, "data_filter") else {}  # of Python's tarfile
Members = list[tuple[tarfile.TarInfo, bytes]]


def file(name: str, content: bytes = b"", mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uid, info.uname = len(content), mode, 12345, "packager"
    return info, content


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def folder(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info, b""


def good(script: str = TELLS_ITS_VERSION) -> Members:
    """What the published one has of each kind: a program, other files, a folder, a link within. 300 KB, and dense."""
    return [
        folder(FOLDER, 0o700),
        folder(f"{FOLDER}/platforms"),
        file(f"{FOLDER}/renode", script.encode(), 0o775),
        file(f"{FOLDER}/renode-test", b"#!/bin/sh\n", 0o4755),
        file(f"{FOLDER}/platforms/boards.bin", CONTENT),
        link(f"{FOLDER}/plugins/lib/socket-cpp", "../../platforms"),
        link(f"{FOLDER}/platforms/again.bin", f"{FOLDER}/platforms/boards.bin", tarfile.LNKTYPE),
    ]


def packed(members: Members) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing of this machine: no Renode, no pyrenode3, an empty cache folder."""
    for name in ("RENODE_ROOT", "PYRENODE_BIN", "PYRENODE_BUILD_DIR", "PYRENODE_PKG", "MCUSIM_RENODE_DRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(download, "FIRST_PAUSE_S", 0.0)
    yield tmp_path / "cache"
    renode_installation.ask_program.cache_clear()


@pytest.fixture
def publish(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[[Members], None]:
    """Serves a package of these members, with the right checksum."""
    monkeypatch.setenv("MCUSIM_RENODE_URL", server.url.removesuffix("/data.zip") + "/mirror/")

    def serve(members: Members) -> None:
        server.content = packed(members)
        sha256 = hashlib.sha256(server.content).hexdigest()
        monkeypatch.setattr(renode_download, "PACKAGES", {"x86_64": ("renode.tar.gz", sha256)})

    serve(good())
    return serve


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Path]:
    """`pip(message, code)`: this Python's pip says and ends so. -> the file with what it was asked for."""

    def replace(message: str = "", code: int = 0) -> Path:
        python, asked = tmp_path / "python", tmp_path / "asked"
        python.write_text(f"#!/bin/sh\necho \"$@\" > {asked}\ncat >&2 <<'END'\n{message}\nEND\nexit {code}\n")
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        return asked

    return replace


Publish = Callable[[Members], None]
Pip = Callable[..., Path]


def left(cache: Path) -> set[str]:
    """Names in the folder of installations, without its lock."""
    return {path.name for path in (cache / "renode").iterdir()} - {".lock"}


# -- Renode ------------------------------------------------------------------------------------------------------------


def test_the_package_is_what_the_engine_was_tested_with() -> None:
    assert renode_download.VERSION == renode_installation.TESTED
    for name, sha256 in renode_download.PACKAGES.values():
        assert renode_download.VERSION in name and len(sha256) == 64


def test_it_is_fetched_unpacked_and_found(server: Server, publish: Publish, cache: Path) -> None:
    found = install_renode()
    root = cache / "renode" / FOLDER
    assert found == renode_download.Installed(root / "renode", "1.16.1", True)
    assert server.paths == ["/mirror/renode.tar.gz"]
    assert renode_installation.find_program() == found.program
    assert renode_installation.find_installation().version == "1.16.1"
    assert (root / "plugins" / "lib" / "socket-cpp" / "boards.bin").read_bytes() == CONTENT
    assert (root / "platforms" / "again.bin").read_bytes() == CONTENT
    assert left(cache) == {FOLDER} and not list(cache.glob("renode.tar.gz*")), "the package is not kept"


def test_files_are_ours_whoever_packed_them(publish: Publish, cache: Path) -> None:
    install_renode()
    root = cache / "renode" / FOLDER
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()}
    assert modes["renode"] == modes["renode-test"] == 0o755
    assert root.stat().st_mode & 0o077, "readable for all: a cache folder may be shared"
    assert {path.stat().st_uid for path in root.rglob("*")} == {os.getuid()}


def test_the_second_time_nothing_is_fetched(server: Server, publish: Publish) -> None:
    install_renode()
    assert not install_renode().fresh and len(server.ranges) == 1


def test_by_force_it_is_fetched_again(server: Server, publish: Publish, cache: Path) -> None:
    install_renode()
    (cache / "renode" / FOLDER / "of the old one").touch()
    assert install_renode(force=True).fresh and len(server.ranges) == 2
    assert left(cache) == {FOLDER} and not (cache / "renode" / FOLDER / "of the old one").exists()


def test_a_cache_folder_that_cannot_be_written_is_no_matter_when_it_is_there(publish: Publish, cache: Path) -> None:
    install_renode()
    (cache / "renode" / ".lock").unlink()
    (cache / "renode" / ".lock").mkdir()  # also root cannot open that
    assert not install_renode().fresh
    with pytest.raises(MissingToolError, match="cannot install Renode: Is a directory"):
        install_renode(force=True)


def test_a_wrong_checksum(server: Server, publish: Publish, cache: Path) -> None:
    server.content = server.content[:-1] + b"!"
    with pytest.raises(MissingToolError, match="another checksum than the published file") as caught:
        install_renode()
    assert caught.value.where == f"{server.url.removesuffix('/data.zip')}/mirror/renode.tar.gz"
    assert left(cache) == set() and not list(cache.glob("renode.tar.gz*"))


def test_a_broken_connection_goes_on_where_it_stopped(server: Server, publish: Publish) -> None:
    server.cut = [100_000]
    assert install_renode().fresh
    assert len(server.ranges) == 2 and server.ranges[1] is not None


def test_a_closed_network(publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_RENODE_URL", "http://127.0.0.1:9")
    with pytest.raises(MissingToolError, match="no connection to the server") as caught:
        install_renode()
    assert caught.value.where == "http://127.0.0.1:9/renode.tar.gz" and caught.value.hint == OTHER_WAYS


def test_a_package_put_there_by_hand_needs_no_network(
    server: Server, publish: Publish, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.mkdir()
    (cache / "renode.tar.gz").write_bytes(server.content)
    monkeypatch.setenv("MCUSIM_RENODE_URL", "http://127.0.0.1:9")
    assert install_renode().fresh


@pytest.mark.parametrize(
    ("system", "machine", "words"),
    [
        ("Darwin", "arm64", "for macOS on arm64"),
        ("Windows", "AMD64", "for Windows on AMD64"),
        ("Linux", "riscv64", "for Linux on riscv64"),
    ],
)
def test_machines_without_a_package(system: str, machine: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(MissingToolError, match=words) as caught:
        install_renode()
    assert caught.value.hint and "RENODE_ROOT" in caught.value.hint


# -- what a package may not have ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (file("/etc/passwd"), "'/etc/passwd' lies outside"),
        (file(f"{FOLDER}/../../outside"), "lies outside"),
        (file("other/renode"), "lies outside"),
        (file("renode_1.16.1-dotnet_portable_too/renode"), "lies outside"),
        (link(f"{FOLDER}/out", "/etc"), "leads outside"),
        (link(f"{FOLDER}/out", "../.."), "leads outside"),
        (link(f"{FOLDER}/a/out", "b/../../../.."), "leads outside"),
        (link(f"{FOLDER}/a/out", "b/../../x"), "leads outside"),
        (link(f"{FOLDER}/hard", "/etc/passwd", tarfile.LNKTYPE), "leads to nothing"),
        (link(f"{FOLDER}/hard", "../outside", tarfile.LNKTYPE), "leads to nothing"),
        (file(f"{FOLDER}/plugins/lib/socket-cpp/through"), "lies behind a link"),
        (file(f"{FOLDER}/plugins/lib/socket-cpp"), "lies behind a link"),
        (link(f"{FOLDER}/device", "", tarfile.CHRTYPE), "neither file, folder nor link"),
        (link(f"{FOLDER}/pipe", "", tarfile.FIFOTYPE), "neither file, folder nor link"),
    ],
)
@pytest.mark.parametrize("own_checks_only", [False, True])
def test_members_that_lead_out(
    member: tuple[tarfile.TarInfo, bytes],
    words: str,
    own_checks_only: bool,
    publish: Publish,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if own_checks_only:
        monkeypatch.setattr(renode_download, "_FILTER", NO_CHECKS)
    publish([*good(), member])
    with pytest.raises(MissingToolError, match=words):
        install_renode()
    assert left(cache) == set() and {path.name for path in tmp_path.iterdir()} == {"cache"}


def test_without_checks_of_python(publish: Publish, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(renode_download, "_FILTER", NO_CHECKS)
    assert install_renode().version == "1.16.1"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not a package", "cannot be unpacked"),
        (packed(good())[:-1000], "cannot be unpacked"),
        (packed([file(f"{FOLDER}/README")]), "has no program 'renode'"),
    ],
)
def test_packages_that_are_none(
    content: bytes, words: str, server: Server, publish: Publish, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = content
    sha256 = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(renode_download, "PACKAGES", {"x86_64": ("renode.tar.gz", sha256)})
    with pytest.raises(MissingToolError, match=words):
        install_renode()
    assert left(cache) == set()


# -- what goes wrong half-way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_leaves_nothing_half(
    there: bool, publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path) as disk:
        monkeypatch.setenv("MCUSIM_CACHE_DIR", str(disk))
        if there:
            install_renode()
        leave_free(disk, 85 + 80 * there)  # 340 KB, and what is there: the package has room, its content has not
        with pytest.raises(MissingToolError, match="No space left on device") as caught:
            install_renode(force=True)
        assert caught.value.hint and "MCUSIM_CACHE_DIR" in caught.value.hint
        assert left(disk) == ({FOLDER} if there else set())
        (disk / "ballast").unlink()
        assert install_renode().fresh is not there
        assert (disk / "renode" / FOLDER / "platforms" / "boards.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("there", [False, True])
def test_an_interruption_while_it_is_unpacked(
    there: bool, publish: Publish, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if there:
        install_renode()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(renode_download, "_exchange", interrupted)
        with pytest.raises(KeyboardInterrupt):
            install_renode(force=True)
    assert left(cache) == ({FOLDER} if there else set())
    assert install_renode().version == "1.16.1"


def test_when_it_cannot_take_its_place_the_old_one_stays(
    publish: Publish, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_renode()
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.parent.name == ".unpacking" and self.name == FOLDER:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(MissingToolError, match="Permission denied"):
        install_renode(force=True)
    assert install_renode().version == "1.16.1" and left(cache) == {FOLDER}


def test_what_a_killed_run_left_is_removed(publish: Publish, cache: Path) -> None:
    (cache / "renode" / ".unpacking" / FOLDER).mkdir(parents=True)
    assert install_renode().fresh and left(cache) == {FOLDER}


# -- what does not start -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "what", "hint"),
    [
        (
            "echo 'Process terminated. No valid ICU package is installed on the system.' >&2\nkill -6 $$",
            "does not start without libicu and OpenSSL 3",
            "sudo apt-get install libicu-dev libssl3",
        ),
        ("echo 'No usable version of libssl was found' >&2\nexit 134", "OpenSSL 3", "libssl3"),
        ("echo first >&2\necho 'Failed to map it' >&2\nexit 1", "does not start: Failed to map it", "--force"),
        ("exit 3", "does not start: exit code 3", "--force"),
        ("echo 'Something v1.16.1'", "does not start: Something", "--force"),
    ],
)
def test_a_renode_that_does_not_start(script: str, what: str, hint: str, publish: Publish, cache: Path) -> None:
    publish(good(f"#!/bin/sh\n{script}\n"))
    for _ in range(2):  # also when it is there already
        with pytest.raises(MissingToolError, match=what) as caught:
            install_renode()
        assert caught.value.hint and hint in caught.value.hint
    assert left(cache) == {FOLDER}, "it stays: what is missing may be installed"


def test_a_renode_for_another_system(publish: Publish) -> None:
    publish(good("#!/lib/ld-of-another-system\n"))
    with pytest.raises(MissingToolError, match=r"cannot start .*: No such file or directory") as caught:
        install_renode()
    assert caught.value.hint and "glibc" in caught.value.hint


# -- pyrenode3 ---------------------------------------------------------------------------------------------------------


def test_pip_is_asked_for_the_pinned_commit(pip: Pip) -> None:
    asked = pip()
    assert install_pyrenode3()
    assert (
        asked.read_text().removeprefix("-P ") == f"-m pip install --disable-pip-version-check --no-input {PYRENODE}\n"
    )
    assert install_pyrenode3(force=True) and "--force-reinstall" in asked.read_text()


def test_pyrenode3_that_is_there_is_left_alone(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = pip()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert not install_pyrenode3() and not asked.exists()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("/usr/bin/python3: No module named pip", "this Python has no pip"),
        ("error: externally-managed-environment\n\nhint: See PEP 668", "this Python belongs to the operating system"),
        ("ERROR: Error [Errno 2] No such file: 'git'\nERROR: Cannot find command 'git'", "git is not installed"),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", "no connection to github.com"),
        ("  error: subprocess-exited\n  ERROR: it is broken\nnote: mine", "ERROR: it is broken"),
        ("", "pip could not install it"),
    ],
)
def test_reasons_of_pip(message: str, reason: str, pip: Pip) -> None:
    pip(message, 1)
    with pytest.raises(MissingToolError, match=reason) as caught:
        install_pyrenode3()
    assert caught.value.hint == f"{sys.executable} -m pip install '{PYRENODE}'"


def test_pip_that_never_ends(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(pip().parent / "python").write_text("#!/bin/sh\nsleep 100\n")
    monkeypatch.setattr(renode_download, "_PIP_S", 0.2)
    with pytest.raises(MissingToolError, match="did not end within") as caught:
        install_pyrenode3()
    assert caught.value.hint and "pip install" in caught.value.hint


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command(publish: Publish, pip: Pip, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pip()
    assert cli.execute(["engines", "install", "renode"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Renode 1.16.1 installed in {cache / 'renode' / FOLDER}",
        "pyrenode3 installed",
        "engine renode runs here: Renode 1.16.1, driven by Monitor scripts",
    ]
    assert cli.execute(["engines", "install", "renode"]) == 0
    assert capsys.readouterr().out.startswith(f"Renode 1.16.1 is there already: {cache / 'renode' / FOLDER}\n")
    assert cli.execute(["engines", "install", "renode", "--force"]) == 0
    assert capsys.readouterr().out.startswith("Renode 1.16.1 installed in")


def test_without_pyrenode3_the_command_succeeds(publish: Publish, pip: Pip, capsys: pytest.CaptureFixture[str]) -> None:
    pip("error: externally-managed-environment", 1)
    assert cli.execute(["engines", "install", "renode"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "pyrenode3 not installed (this Python belongs to the operating system: use a virtual environment): "
        "mcusim drives Renode by Monitor scripts instead",
        f"  by hand: {sys.executable} -m pip install '{PYRENODE}'",
        "engine renode runs here: Renode 1.16.1, driven by Monitor scripts",
    ]


def test_another_renode_that_comes_first_is_told(
    publish: Publish, pip: Pip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pip()
    mine = tmp_path / "mine" / "renode"
    mine.parent.mkdir()
    mine.write_text("#!/bin/sh\necho 'Renode v1.17.0.1'\n")
    mine.chmod(0o755)
    monkeypatch.setenv("RENODE_ROOT", str(mine.parent))
    assert cli.execute(["engines", "install", "renode"]) == 0
    out = capsys.readouterr().out
    assert "Renode 1.17.0, driven by Monitor scripts" in out and f"  it is {mine}: RENODE_ROOT" in out
    mine.unlink()
    assert cli.execute(["engines", "install", "renode"]) == 0
    assert "note: engine renode does not run yet: there is no renode in RENODE_ROOT" in capsys.readouterr().out


def test_a_failure_is_exit_code_4(
    server: Server, publish: Publish, pip: Pip, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = pip()
    server.status = 404
    assert cli.execute(["engines", "install", "renode"]) == 4
    assert capsys.readouterr().err.splitlines() == [
        "error: cannot download 'renode.tar.gz': 404 Client Error: Not Found",
        f"  in: {server.url.removesuffix('/data.zip')}/mirror/renode.tar.gz",
        f"  hint: {OTHER_WAYS}",
    ]
    assert not asked.exists(), "pyrenode3 is of no use without Renode"


def test_ctrl_c_during_the_download(server: Server, publish: Publish, cache: Path) -> None:
    server.cut, server.stalls_s = [200_000], HANG_S
    process = subprocess.Popen(
        [sys.executable, "-m", "mcusim", "engines", "install", "renode"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    wait_for(lambda: any(part.stat().st_size > 100_000 for part in cache.glob("*.part")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 130 and out == "" and err.splitlines()[-1] == "interrupted"
    [part] = cache.glob("*.part")
    part.rename(cache / "renode.tar.gz.part")  # the real name, in that process
    assert install_renode().fresh and server.ranges[-1] is not None
