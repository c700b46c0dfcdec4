"""What else runs on this machine, as tests see it, and waiting for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

HANG_S = 300.0  # so long nothing takes on the busiest machine: it hangs. No measure of speed


def running_in(matches: Callable[[str], bool]) -> list[int]:
    """Processes whose working folder matches."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and matches(os.readlink(process / "cwd")):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def wait_for(condition: Callable[[], object]) -> None:
    """Until it holds. Gives up after HANG_S."""
    end = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
