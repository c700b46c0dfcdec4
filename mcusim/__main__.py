"""python -m mcusim, and the program `mcusim`: ends quietly at Ctrl-C from its first moment on."""

import sys

INTERRUPTED = 130  # as in commands/cli.py, which is not there yet when it is needed


def main() -> None:
    """Imports take a while, and nothing is begun before they are done: until then a signal ends it at once."""
    import _signal  # type: ignore[import-not-found]  # of the interpreter itself: `signal` around it takes a while to import

    for number in (_signal.SIGINT, _signal.SIGTERM):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _leave)
    _forget_working_folder()
    try:
        from mcusim.commands.cli import main as cli

        cli()
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        _end_interrupted()


def _forget_working_folder() -> None:
    """`python -m` looks there first: a file `numpy.py` of the user would be taken for the package."""
    import os

    try:
        here = os.getcwd()
    except OSError:  # it was removed
        return
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if sys.path[:1] in ([""], [here]) and here != own and not getattr(sys.flags, "safe_path", False):
        del sys.path[0]


def _leave(number: int, frame: object) -> None:
    import os

    try:
        os.write(2, b"interrupted\n")
    finally:
        os._exit(INTERRUPTED)


def _end_interrupted() -> None:
    """An interruption in the midst of an `exec` (every dataclass is made by one) Python remembers for ever: at its end
    it would take it for one that nobody heeded, and die of SIGINT.
    """
    import atexit
    import os

    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
    finally:
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
