"""The end of a command of these tools: its exit code, or that of the error which ended it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

from mcusim.system.errors import McusimError


def end(main: Callable[[], int]) -> NoReturn:
    """Exit with what `main` returns. An error that we tell is one line and its code, not a traceback."""
    try:
        sys.exit(main())
    except McusimError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
