"""Ctrl-C before anything has begun: the process ends at once, quietly. Imports nothing that is not there already."""

INTERRUPTED = 130


def end_at_once() -> None:
    """From now on, at SIGINT or SIGTERM; not at one that is ignored, as by what runs in the background of a script."""
    import _signal  # type: ignore[import-not-found]  # of the interpreter itself: `signal` around it takes a while to import

    for number in (_signal.SIGINT, _signal.SIGTERM):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _leave)


def end_in_order() -> None:
    """After what is to be done at the end of a process, and without the end of Python itself.

    An interruption in the midst of an `exec` (every dataclass is made by one) Python remembers for ever: at its end it
    would take it for one that nobody heeded, and die of SIGINT.
    """
    import atexit
    import os
    import sys

    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
    finally:
        os._exit(INTERRUPTED)


def _leave(number: int, frame: object) -> None:
    import os

    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(INTERRUPTED)
