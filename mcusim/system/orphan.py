"""A process of ours -> its end when the one that started it is gone: nobody waits for its answer any more."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path

_EVERY_S = 0.5


def end_with(parent: int, leaving: Path | None = None) -> None:
    """Ends this process soon after `parent`, which started it, has ended; a folder that only both used goes, too.

    Looks from a thread: what runs meanwhile has to let go of Python's lock, as C does that is called by ctypes.
    """
    threading.Thread(target=_watch, args=(parent, leaving), daemon=True).start()


def _watch(parent: int, leaving: Path | None) -> None:
    while os.getppid() == parent:
        time.sleep(_EVERY_S)
    if leaving is not None:
        shutil.rmtree(leaving, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGKILL)
