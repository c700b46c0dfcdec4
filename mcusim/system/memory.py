"""Memory of this machine that is free, and what programs take."""

import ctypes
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

_MACHINE, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")  # the latter: that of a container, seen from inside

# Of glibc's mallopt: how much free memory at its end a process keeps, and from what size on what it asks for is mapped.
_TRIM_THRESHOLD, _MAP_THRESHOLD = -1, -3
_KEPT_BYTES, _MAPPED_BYTES = 1 << 30, 1 << 25  # the latter is the most that it takes


@cache
def keep_freed() -> None:
    """What this process frees stays with it: arrays of megabytes that come and go are not mapped and zeroed each time.

    That is a tenth of the time of an exploration; of a Dask worker, which is told to keep 64 KiB, half.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_MAP_THRESHOLD, _MAPPED_BYTES)
        libc.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)


def free_bytes(machine: Path = _MACHINE, group: Path = _GROUP) -> int:
    """That programs may take before others have to give; where nobody tells, there is no limit."""
    return max(0, min(_of_machine(machine), _of_group(group)))


def _of_machine(path: Path) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return sys.maxsize


def _of_group(folder: Path) -> int:
    """Control groups, version 2. Files that are kept in memory count as taken there, and are given up first."""
    try:
        limit, taken = (int((folder / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
        fields = (line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        return limit - taken + sum(int(number) for name, number in fields if name == "inactive_file")
    except (OSError, ValueError):
        return sys.maxsize


def resident_bytes(session: int) -> int:
    """Of all processes in a session: what was started may be a script that starts the program. 0 when they are gone."""
    pages = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            status = (process / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            pages += int(status[21]) if int(status[3]) == session else 0
    return pages * os.sysconf("SC_PAGE_SIZE")
