"""This machine -> the QEMU that is used here."""

import os
import re
from collections.abc import Iterable
from functools import cache

from mcusim.engines.qemu.plugin import build_plugin, probe
from mcusim.system.command import find, run
from mcusim.system.errors import MissingToolError
from mcusim.system.tool import Tool, lacking, looked_for
from mcusim.system.toolchain import find_host_compiler, version_line

QEMU_HINT = "sudo apt-get install qemu-system-arm"
_OLDEST = (6, 2)


def missing() -> MissingToolError | None:
    return lacking(lambda: (version(), _plugin()))


def find_qemu() -> str:
    """Path of qemu-system-arm; MCUSIM_QEMU names another one."""
    return find(os.environ.get("MCUSIM_QEMU", "qemu-system-arm"), hint=QEMU_HINT, variable="MCUSIM_QEMU")


def version() -> str:
    return _version(find_qemu())


@cache
def _version(qemu: str) -> str:
    text = run([qemu, "--version"], timeout_s=30).stdout
    found = re.search(r"version (\d+)\.(\d+)(\.\d+)*", text)
    if found is None:
        raise MissingToolError(f"{qemu!r} is not a QEMU: its --version says {text[:60]!r}", hint=QEMU_HINT)
    number = found[0].removeprefix("version ")
    if (int(found[1]), int(found[2])) < _OLDEST:
        hint = "6.2 or newer is needed: that of Debian 12 or Ubuntu 22.04"
        raise MissingToolError(f"QEMU {number} is too old", where=qemu, hint=hint)
    return number


def tools() -> Iterable[Tool]:
    emulated = "emulated boards (engine qemu)"
    yield looked_for("QEMU", emulated, version)
    yield looked_for("host compiler", "the plugin of engine qemu", lambda: version_line(find_host_compiler()))
    yield looked_for("QEMU plugin", emulated, _plugin)


def _plugin() -> str:
    can = probe(find_qemu(), build_plugin("count"))
    return "loads" if can.sandbox else "loads (but this QEMU has no seccomp: firmware could start programs)"
