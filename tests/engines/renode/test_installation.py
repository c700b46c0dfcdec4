"""Which Renode is used, and how it is driven."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcusim.engines.renode import engine as renode
from mcusim.engines.renode import installation as renode_installation
from mcusim.engines.renode.installation import find_installation, find_program, surroundings
from mcusim.system.errors import ConfigurationError, MissingToolError
from mcusim.system.tool import Tool
from tests.engines.renode_stand_in import WORKS, install

PYRENODE = """
import os
if not os.environ.get("PYRENODE_BIN") and not os.environ.get("PYRENODE_BUILD_DIR"):
    raise ImportError("Renode not found. Please set PYRENODE_BIN\\nand so on")
"""


DOTNET = """
class Name:
    Name, Version = "Renode", "1.16.1.17033"
class Assembly:
    def GetName(self):
        return Name
class AppDomain:
    class CurrentDomain:
        def GetAssemblies():
            return [Assembly()]
"""


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing of this machine: no Renode in PATH, none installed, no pyrenode3."""
    for name in ("RENODE_ROOT", "PYRENODE_BIN", "PYRENODE_BUILD_DIR", "PYRENODE_PKG", "PYRENODE_RUNTIME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MCUSIM_RENODE_DRIVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(renode_installation.importlib.util, "find_spec", lambda name: None)
    yield
    renode_installation.ask_program.cache_clear()
    renode_installation.ask_worker.cache_clear()


def program(folder: Path, version: str = "Renode v1.16.1.17033\n  build: abc", name: str = "renode") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{version}"\n')
    path.chmod(0o755)
    return path


def test_none(tmp_path: Path) -> None:
    problem = renode.missing()
    assert problem is not None and problem.what == "Renode is not installed"
    assert problem.hint and problem.hint.startswith("mcusim engines install renode")


def test_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the last to the first choice."""
    in_path = program(tmp_path / "bin")
    assert find_program() == in_path
    installed = program(tmp_path / "cache" / "renode" / "renode_1.16.1-dotnet_portable")
    assert find_program() == installed
    built = program(tmp_path / "built")
    monkeypatch.setenv("PYRENODE_BUILD_DIR", str(tmp_path / "built"))
    assert find_program() == built
    single = program(tmp_path / "single", name="one")
    monkeypatch.setenv("PYRENODE_BIN", str(single))
    assert find_program() == single
    root = program(tmp_path / "root")
    monkeypatch.setenv("RENODE_ROOT", str(tmp_path / "root"))
    assert find_program() == root
    assert find_installation() == renode_installation.Installation(root, "1.16.1", None, ())


def test_a_root_without_renode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENODE_ROOT", str(tmp_path))
    with pytest.raises(MissingToolError, match="there is no renode in RENODE_ROOT"):
        find_program()


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("Renode v1.15.3.1", "Renode 1.15.3 is too old, 1.16.1 is needed"),
        ("Renode v1.16.0.1", "Renode 1.16.0 is too old, 1.16.1 is needed"),
        ("renoise 3", "this is not a Renode: its --version says 'renoise 3'"),
        ("", "this is not a Renode"),
    ],
)
def test_versions_that_do_not_do(version: str, words: str, tmp_path: Path) -> None:
    program(tmp_path / "bin", version)
    with pytest.raises(MissingToolError, match=words):
        find_installation()


NIGHTLY = "1.16.1+20260821git06854d4d"  # the number of the release before it, and what tells it from that


@pytest.mark.parametrize(
    ("version", "told"),
    [
        *((version, f"Renode v{version}.99") for version in ("1.16.2", "1.17.0", "2.0.1")),
        (NIGHTLY, f"Renode v1.16.1\n  build: {NIGHTLY}\n  build type: Release"),
        (NIGHTLY, f"Renode, version 1.16.1 ({NIGHTLY})"),
    ],
)
def test_versions_with_a_note(version: str, told: str, tmp_path: Path) -> None:
    program(tmp_path / "bin", told)
    found = find_installation()
    assert found.version == version and found.notes == (f"Renode {version}: mcusim was tested with 1.16.1",)


def test_a_program_that_hangs_or_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path / "bin")
    path.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(100)\n")
    with monkeypatch.context() as patch, pytest.raises(MissingToolError, match=r"did not end within 0 s"):
        patch.setattr(renode_installation, "_START_S", 0.3)
        find_installation()
    path.write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(MissingToolError, match="this is not a Renode"):
        find_installation()


def test_unknown_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_RENODE_DRIVER", "pyrenode")
    with pytest.raises(ConfigurationError, match="unknown driver 'pyrenode'"):
        find_installation()


def test_pyrenode3_is_asked_for_and_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin")
    monkeypatch.setenv("MCUSIM_RENODE_DRIVER", "pyrenode3")
    with pytest.raises(MissingToolError, match="'pyrenode3' is not installed"):
        find_installation()


WRAPPERS = """
class Monitor:
    pass

class Emulation:
    def add_mach(self, name):
        pass
"""


@pytest.fixture
def pyrenode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of that name, which finds no Renode unless it is told where."""
    package = tmp_path / "packages" / "pyrenode3"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PYRENODE)
    (package / "wrappers.py").write_text(WRAPPERS)
    (tmp_path / "packages" / "System.py").write_text(DOTNET)
    monkeypatch.setattr(renode_installation.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "packages"))
    return package


def test_pyrenode3_without_renode(pyrenode: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYRENODE_PKG", "/nowhere/renode.tar.gz")
    with pytest.raises(MissingToolError, match="pyrenode3 cannot load Renode: ImportError: Renode not found") as caught:
        find_installation()
    assert caught.value.hint and "PYRENODE_RUNTIME" in caught.value.hint


def test_pyrenode3_that_cannot_load_gives_way(pyrenode: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin")
    monkeypatch.setenv("PYRENODE_PKG", "/nowhere/renode.tar.gz")
    found = find_installation()
    assert found.worker is None and found.program == tmp_path / "bin" / "renode"
    assert "driven by Monitor scripts, because pyrenode3 cannot load Renode" in found.notes[0]
    monkeypatch.setenv("MCUSIM_RENODE_DRIVER", "pyrenode3")
    with pytest.raises(MissingToolError, match="cannot load"):
        find_installation()


def test_pyrenode3_that_makes_no_machine_gives_way(
    pyrenode: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Renode without its native library tells its version, and fails later."""
    program(tmp_path / "bin")
    monkeypatch.setenv("PYRENODE_BUILD_DIR", str(tmp_path))
    (pyrenode / "wrappers.py").write_text(
        WRAPPERS.rstrip()[: -len("pass")] + "raise OSError('libMonoPosixHelper.so')\n"
    )
    found = find_installation()
    assert found.worker is None and "OSError: libMonoPosixHelper.so" in found.notes[0]


def test_pyrenode3_is_there_without_a_word_to_tell_it(
    pyrenode: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYRENODE_BUILD_DIR", str(tmp_path))
    monkeypatch.setenv("PYRENODE_RUNTIME", "mono")
    monkeypatch.setattr(renode_installation, "package", lambda *_, **__: Tool("pyrenode3", "", False, "0.0.1"))
    assert find_installation().worker == {}
    assert [tool.found for tool in renode_installation.tools()] == ["1.16.1", "0.0.1"]


def test_pyrenode3_loads_what_the_user_names(pyrenode: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYRENODE_BUILD_DIR", str(tmp_path))
    found = find_installation()
    assert found == renode_installation.Installation(None, "1.16.1", {"PYRENODE_RUNTIME": "coreclr"}, ())
    monkeypatch.setenv("PYRENODE_RUNTIME", "mono")
    assert find_installation().worker == {}


def test_pyrenode3_loads_the_portable_package(pyrenode: Path, tmp_path: Path) -> None:
    """That is an ELF file; a script would start something else."""
    path = program(tmp_path / "bin")
    assert find_installation().worker is None
    path.write_bytes(b"\x7fELF")
    found = find_installation()
    assert found.worker == {"PYRENODE_RUNTIME": "coreclr", "PYRENODE_BIN": str(path)}


def test_a_loaded_renode_without_a_number_is_asked_as_a_program(
    pyrenode: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "packages" / "System.py").write_text(DOTNET.replace("return [Assembly()]", "return []"))
    monkeypatch.setenv("PYRENODE_BUILD_DIR", str(tmp_path))
    with pytest.raises(MissingToolError, match="this is not a Renode: its --version says 'Renode vunknown'"):
        find_installation()
    program(tmp_path / "bin", "Renode, version 1.16.1 (abc)")
    found = find_installation()
    assert found.version == "1.16.1" and found.worker is not None


def test_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that cannot be written must not matter."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "DOTNET_BUNDLE_EXTRACT_BASE_DIR" not in surroundings(None)
    monkeypatch.setenv("HOME", "/nowhere")
    found = surroundings(tmp_path / "own")
    assert found["DOTNET_BUNDLE_EXTRACT_BASE_DIR"] == str(tmp_path / "cache" / "dotnet")
    assert found["XDG_CONFIG_HOME"] == str(tmp_path / "own" / "config")
    monkeypatch.setenv("MCUSIM_CACHE_DIR", "/proc/nothing")
    assert surroundings(None)["MCUSIM_RENODE_LOCK"] == "/dev/null"


# As the one-file package of Renode: it unpacks itself before it does anything, or ends with 160.
PACKAGE = """#!/bin/sh
into=${DOTNET_BUNDLE_EXTRACT_BASE_DIR:-$HOME/.net}
mkdir -p "$into/renode" 2> /dev/null || exit 160
echo "Renode v1.16.1.17033"
"""


@pytest.mark.parametrize("home", ["/proc/nowhere", "/dev/null", None])
@pytest.mark.parametrize("cache", ["cache", "/proc/nowhere/.cache/mcusim"])
def test_a_package_that_cannot_unpack_at_home(
    home: str | None, cache: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the cache folder either, which is below it: then where temporary files are."""
    package = program(tmp_path / "bin")
    package.write_text(PACKAGE)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.setenv("HOME", home) if home else monkeypatch.delenv("HOME")
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / cache))
    assert find_installation().version == "1.16.1"
    monkeypatch.setenv("DOTNET_BUNDLE_EXTRACT_BASE_DIR", str(tmp_path / "mine"))
    renode_installation.ask_program.cache_clear()
    assert find_installation().version == "1.16.1" and (tmp_path / "mine" / "renode").is_dir()


def test_a_stand_in_is_a_renode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, WORKS, monkeypatch)
    assert renode.missing() is None and renode.version() == "1.16.1"
