"""A process of its own: Monitor script -> Renode, in this process, through pyrenode3.

    python -m mcusim.engines.renode.worker SCRIPT      0: all its lines were executed; 20: one failed
    python -m mcusim.engines.renode.worker --version

Renode cannot be unloaded, and what goes wrong in it may end the process: hence one of its own.
"""

import fcntl
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

FAILED, NOT_LOADED = 20, 21
FAILURE = "There was an error executing command"  # what the Monitor says


def main(arguments: list[str]) -> NoReturn:
    code = FAILED
    try:
        wrappers = _load()
        if arguments == ["--version"]:
            wrappers.Emulation().add_mach("check")  # fails where a native library is missing, and not before
            print(f"Renode v{_version()}")
            code = 0
        else:
            code = run_script(wrappers.Monitor(), Path(arguments[0]))
    except (Exception, SystemExit) as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", file=sys.stderr)
        code = NOT_LOADED
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # .NET takes seconds to end, and has nothing left to do


def _load() -> Any:
    """The first import of pyrenode3 starts .NET, and writes links into Renode's folder: one process at a time."""
    with open(os.environ.get("MCUSIM_RENODE_LOCK", os.devnull), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        import pyrenode3.wrappers

        return pyrenode3.wrappers


def _version() -> str:
    """That of the assembly: what Renode says of itself is empty when it is not the program that was started."""
    from System import AppDomain

    names = (assembly.GetName() for assembly in AppDomain.CurrentDomain.GetAssemblies())
    return next((str(name.Version) for name in names if name.Name == "Renode"), "unknown")


def run_script(monitor: Any, script: Path) -> int:
    """Line by line, until one fails."""
    for line in script.read_text(encoding="utf-8").splitlines():
        out, err = monitor.execute(line)
        if err:
            print(err if FAILURE in err else f"{FAILURE} '{line}'\n{err}", file=sys.stderr)
            return FAILED
        if out:
            print(out)
    return 0


if __name__ == "__main__":
    main(sys.argv[1:])
