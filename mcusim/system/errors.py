"""The tree of errors, one exit code for each branch.

    McusimError                1  (a bug, when raised bare)
    ├── ConfigurationError     2  experiment file, command line, names
    ├── ModelError             3  model file, layers, weights
    │   └── DataError          3  data sets, labels, inputs
    ├── MissingToolError       4  compiler, QEMU, Python extra
    ├── BuildError             5  compiler or linker said no; model too big
    └── EngineError            6  the firmware hung, faulted or answered rubbish

Libraries raise, only `cli.py` prints. Exit code 7 (a budget was broken) is a result and not an error:
the report is complete when it happens.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

OK, BUG, BUDGET_BROKEN = 0, 1, 7


class McusimError(Exception):
    """What is wrong (with the user's own name quoted), where, and one thing to do."""

    exit_code = BUG

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  in: {self.where}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class ConfigurationError(McusimError):
    exit_code = 2


class ModelError(McusimError):
    exit_code = 3


class DataError(ModelError):
    pass


class MissingToolError(McusimError):
    exit_code = 4


class BuildError(McusimError):
    exit_code = 5


class EngineError(McusimError):
    exit_code = 6


def suggestion(name: str, known: Iterable[str]) -> str:
    """Hint for an unknown name: the nearest known one, else all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(names)
