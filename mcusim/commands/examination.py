"""This machine -> what it has of all that mcusim can use, each with its version or the command that installs it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass

from mcusim.boards.load import load_board
from mcusim.system.errors import McusimError


@dataclass(frozen=True)
class Row:
    """One thing. `found`: its version, or None with `problem` and `install` saying what is wrong and what to type.

    `needed_for` is what does not work without it; a `required` one is needed for the default line on emulated boards.
    """

    name: str
    needed_for: str
    required: bool
    found: str | None
    problem: str | None = None
    install: str | None = None


def examine() -> tuple[Row, ...]:
    """Looks at every tool. Starts some of them to ask for their version, imports none."""
    boards = "firmware for any board"
    emulated = "emulated boards (engine qemu)"
    models = "training and reading Keras models"
    return (
        Row("Python", "mcusim", True, platform.python_version()),
        _row("Arm compiler with newlib-nano", boards, _arm_compiler),
        _row("QEMU", emulated, _qemu),
        _row("host compiler", "engine host; the plugin of engine qemu", _host_compiler),
        _row("QEMU plugin", emulated, _plugin),
        *_renode(),
        _package("keras", models, required=True, install="pip install keras"),
        _package(
            "tensorflow", models, required=True, install="pip install 'mcusim[train]'", others=("tensorflow-cpu",)
        ),
        _package("scikit-learn", "data set digits", required=False, install="pip install 'mcusim[examples]'"),
    )


def _row(name: str, needed_for: str, look: Callable[[], str]) -> Row:
    try:
        return Row(name, needed_for, True, look())
    except McusimError as error:
        return Row(name, needed_for, True, None, error.what, error.hint)


def _arm_compiler() -> str:
    from mcusim.system.toolchain import arm_toolchain

    return arm_toolchain(load_board("nucleo_l452re_p")).version


def _host_compiler() -> str:
    from mcusim.system.toolchain import host_toolchain

    return host_toolchain().version


def _qemu() -> str:
    from mcusim.engines.qemu import engine as qemu

    return qemu.version()


def _plugin() -> str:
    from mcusim.engines.qemu import engine as qemu
    from mcusim.engines.qemu.plugin import build_plugin, probe

    found = qemu.find_qemu()
    can = probe(found, build_plugin("count"))
    return "loads" if can.sandbox else "loads (but this QEMU has no seccomp: firmware could start programs)"


def _renode() -> tuple[Row, Row]:
    """Renode, and pyrenode3, which only has to be there where Renode is: nothing is started for what is not there."""
    from mcusim.engines.renode.installation import Installation, find_installation

    found: Installation | None = None
    install = "mcusim engines install renode"
    try:
        found = find_installation()
        renode = Row("Renode", "engine renode", False, found.version)
    except McusimError as error:
        renode = Row("Renode", "engine renode", False, None, error.what, error.hint or install)
    except OSError as error:
        renode = Row("Renode", "engine renode", False, None, f"cannot look for it: {error}", install)
    driven = "engine renode, driven from Python"
    python = _package("pyrenode3", driven, required=False, install=install)
    if python.found and found and not found.worker and os.environ.get("MCUSIM_RENODE_DRIVER") != "monitor":
        problem = next((note for note in found.notes if "pyrenode3" in note), "it has no Renode that it could load")
        python = Row("pyrenode3", driven, False, None, problem, install)
    return renode, python


def _package(name: str, needed_for: str, *, required: bool, install: str, others: tuple[str, ...] = ()) -> Row:
    """A Python package, under its own name or one of `others`."""
    for distribution in (name, *others):
        try:
            return Row(name, needed_for, required, importlib.metadata.version(distribution))
        except importlib.metadata.PackageNotFoundError:
            continue
    return Row(name, needed_for, required, None, f"the Python package {name!r} is not installed", install)
