"""As many processes compute at a time as this machine has cores: others wait for one that is free.

Two that share a core push each other's arrays out of its caches, and both take a seventh more of it for the same work.
"""

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from mcusim.system.names import file_name

_POLL_S = 0.02  # who has just computed goes on first: what it knows is in its memory


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def core_held(folder: Path, suffix: str) -> Iterator[None]:
    """Waits for one, among all of this machine who ask for it in that folder; it is free again when a process dies.

    Where files cannot be locked nobody waits.
    """
    with ExitStack() as stack:
        files = _files(folder, suffix, stack)
        while files and not any(map(_is_taken, files)):
            time.sleep(_POLL_S)
        yield


def _files(folder: Path, suffix: str, stack: ExitStack) -> list[IO[bytes]]:
    """One for each core: machines may share the folder."""
    machine = file_name(platform.node())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [stack.enter_context((folder / f"{machine}-{core}{suffix}").open("wb")) for core in range(cores())]
    except OSError:
        return []


def _is_taken(file: IO[bytes]) -> bool:
    """By us, now; or there are no locks here."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
