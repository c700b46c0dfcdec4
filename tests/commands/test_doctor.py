"""Doctor: a row for each tool, with a version or with the command that installs it."""

from __future__ import annotations

import importlib.metadata
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcusim.commands.doctor import examine
from mcusim.engines.qemu import plugin
from mcusim.engines.renode import installation as renode_installation
from mcusim.engines.renode import loading
from mcusim.engines.renode.installation import Installation
from mcusim.system.errors import ConfigurationError, MissingToolError
from mcusim.system.tool import Tool


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """tests/engines/renode/test_loading.py loads platforms."""
    monkeypatch.setattr(loading, "tools", lambda: ())


def rows() -> dict[str, Tool]:
    return {row.name: row for row in examine()}


def test_every_row_is_found_or_explained() -> None:
    for row in examine():
        assert (row.found is None) == (row.problem is not None)
        assert row.needed_for


def test_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("MCUSIM_QEMU", "MCUSIM_CC", "MCUSIM_ARM_GCC_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    plugin.build_plugin.cache_clear()
    found = rows()
    assert found["Python"].found
    installs = {
        "Arm compiler with newlib-nano": "sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi",
        "QEMU": "sudo apt-get install qemu-system-arm",
        "QEMU plugin": "sudo apt-get install qemu-system-arm",
        "host compiler": "sudo apt-get install gcc libc6-dev",
    }
    for name, install in installs.items():
        assert found[name].found is None and found[name].install == install


def test_qemu_without_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = tmp_path / "qemu"
    stand_in.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo version 7.2.0 && exit\necho "-plugin: invalid option" >&2\nexit 1\n'
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("MCUSIM_QEMU", str(stand_in))
    row = rows()["QEMU plugin"]
    assert row.found is None and row.problem == "this QEMU was built without TCG plugins"


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert rows()["tensorflow"].install == "pip install 'mcusim[train]'"
    assert not rows()["scikit-learn"].required


# -- Renode ------------------------------------------------------------------------------------------------------------

INSTALL = "mcusim engines install renode"


@pytest.fixture
def no_renode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine without Renode and pyrenode3; -> a folder in PATH for one."""
    for name in ("RENODE_ROOT", "PYRENODE_BIN", "PYRENODE_BUILD_DIR", "PYRENODE_PKG", "MCUSIM_RENODE_DRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    versions = importlib.metadata.version

    def version(name: str) -> str:
        if name == "pyrenode3":
            raise importlib.metadata.PackageNotFoundError(name)
        return versions(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(renode_installation.importlib.util, "find_spec", lambda name: None)
    yield tmp_path
    renode_installation.ask_program.cache_clear()


def renode_rows() -> tuple[Tool, Tool]:
    found = rows()
    return found["Renode"], found["pyrenode3"]


def test_renode_is_not_there(no_renode: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **_: started.append(words))
    renode, python = renode_installation.tools()
    assert started == [], "looking for what is not there must not take time"
    assert renode.found is None and renode.install and renode.install.startswith(INSTALL)
    assert python.found is None and python.install == INSTALL
    assert not renode.required and not python.required
    assert (renode.needed_for, python.needed_for) == ("engine renode", "engine renode, driven from Python")


def test_renode_is_there(no_renode: Path) -> None:
    (no_renode / "renode").write_text("#!/bin/sh\necho 'Renode v1.16.1.17033'\n")
    (no_renode / "renode").chmod(0o755)
    renode, python = renode_rows()
    assert renode.found == "1.16.1" and python.found is None


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (MissingToolError("Renode 1.15.3 is too old", hint=INSTALL), "Renode 1.15.3 is too old"),
        (ConfigurationError("unknown driver 'x'"), "unknown driver 'x'"),
        (PermissionError(13, "Permission denied"), "cannot look for it: [Errno 13] Permission denied"),
    ],
)
def test_a_renode_that_cannot_be_used(
    error: Exception, problem: str, no_renode: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find() -> Installation:
        raise error

    monkeypatch.setattr(renode_installation, "find_installation", find)
    renode, _ = renode_rows()
    assert renode.found is None and renode.problem == problem and renode.install == INSTALL


@pytest.mark.parametrize(
    ("worker", "notes", "driver", "found", "problem"),
    [
        ({"PYRENODE_BIN": "x"}, (), "", "0.0.1", None),
        (
            None,
            ("driven by Monitor scripts, because pyrenode3 cannot load Renode: x",),
            "",
            None,
            "cannot load Renode: x",
        ),
        (None, (), "", None, "it has no Renode that it could load"),
        (None, (), "monitor", "0.0.1", None),
    ],
)
def test_pyrenode3_is_there(
    worker: dict[str, str] | None,
    notes: tuple[str, ...],
    driver: str,
    found: str | None,
    problem: str | None,
    no_renode: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0.1")
    monkeypatch.setenv("MCUSIM_RENODE_DRIVER", driver)
    installation = Installation(Path("renode"), "1.16.1", worker, notes)
    monkeypatch.setattr(renode_installation, "find_installation", lambda: installation)
    renode, python = renode_rows()
    assert renode.found == "1.16.1" and python.found == found
    assert (problem is None and python.problem is None) or (problem and problem in str(python.problem))
