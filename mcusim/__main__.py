"""python -m mcusim, and the program `mcusim`: ends quietly at Ctrl-C from its first moment on."""

import sys

from mcusim.system.interruption import INTERRUPTED, end_at_once, end_in_order


def main() -> None:
    """Imports take a while, and nothing is begun before they are done: until then a signal ends it at once."""
    end_at_once()
    _forget_working_folder()
    try:
        from mcusim.commands.cli import main as cli

        cli()
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        end_in_order()


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


if __name__ == "__main__":
    main()
