"""Where what was downloaded or built is kept between runs."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


def cache_folder() -> Path:
    """MCUSIM_CACHE_DIR, else `mcusim` in the user's cache folder. It may not be there yet.

    XDG_CACHE_HOME counts when it is absolute, as its specification says. A user without a home keeps
    nothing: what lies in a folder that others can write is not to be trusted.
    """
    chosen = os.environ.get("MCUSIM_CACHE_DIR")
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()
    of_user = os.environ.get("XDG_CACHE_HOME") or ""
    base = of_user if os.path.isabs(of_user) else os.path.expanduser("~/.cache")
    if not os.path.isabs(base):  # `~` of a user that the system does not know stays what it is
        return Path(of_this_process().name)
    return Path(base) / "mcusim"


@cache
def of_this_process() -> tempfile.TemporaryDirectory[str]:
    """What is kept for as long as this process, which removes it when it ends."""
    return tempfile.TemporaryDirectory(prefix="mcusim-cache-")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Two runs at once must not write the same file: the second waits."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
