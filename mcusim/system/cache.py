"""Where what was downloaded or built is kept between runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """MCUSIM_CACHE_DIR, else `mcusim` in the user's cache folder. It may not be there yet."""
    chosen = os.environ.get("MCUSIM_CACHE_DIR")
    if not chosen:
        chosen = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "mcusim")
    return Path(os.path.expanduser(chosen)).absolute()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Two runs at once must not write the same file: the second waits."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
