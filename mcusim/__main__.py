"""python -m mcusim, and the program `mcusim`: ends quietly at Ctrl-C from its first moment on."""

import sys


def main() -> None:
    """Imports take a while, and nothing is begun before they are done: until then a signal ends it at once."""
    _forget_working_folder()
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _leave)
    from mcusim.commands.cli import main as cli

    cli()


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
        os._exit(130)


if __name__ == "__main__":
    main()
