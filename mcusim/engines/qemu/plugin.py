"""QEMU plugin source -> shared object, built with this machine's compiler on first use; and what a QEMU makes of it."""

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from mcusim.system.command import run
from mcusim.system.errors import EngineError, MissingToolError
from mcusim.system.shared_object import build_shared

_SOURCES = REPLAY = Path(__file__).parent / "qemu_plugin"  # replay.h: what any profiler counts
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
    """``qemu_plugin/<name>.c`` as a shared object, see build_shared."""
    return build_shared(_SOURCES / f"{name}.c", (_SOURCES,), f"qemu_plugin_{name}")


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
