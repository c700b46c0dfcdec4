"""The tree of errors, one exit code for each branch.

    McusimError                1  (a bug, when raised bare)
    ├── ConfigurationError     2  experiment file, command line, names
    ├── ModelError             3  model file, layers, weights
    │   └── DataError          3  data sets, labels, inputs
    ├── MissingToolError       4  compiler, QEMU, Python extra
    ├── BuildError             5  compiler or linker said no
    │   └── TooBigError        5  what was built does not fit its board
    └── EngineError            6  the firmware hung, faulted or answered rubbish

Libraries raise, only `cli.py` prints. Exit code 7 (a budget was broken) is a result and not an error:
the report is complete when it happens.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

OK, BUG, BUDGET_BROKEN = 0, 1, 7
LONGEST_COMPARED, MOST_LISTED = 100, 50  # of a name that is unknown; of those that are known


class McusimError(Exception):
    """What is wrong (with the user's own name quoted), where, and one thing to do.

    `others` were found with it, and are told after it: whoever mends a file wants all of its errors.
    """

    exit_code = BUG
    others: "tuple[McusimError, ...]" = ()

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


class TooBigError(BuildError):
    pass


class EngineError(McusimError):
    exit_code = 6


class Problems:
    """Errors that are gathered, to be told together: `with problems.caught(): ...`, at the end `problems.tell()`."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None], McusimError] = {}

    @contextmanager
    def caught(self) -> Iterator[None]:
        try:
            yield
        except McusimError as error:
            self.add(error)

    def add(self, error: McusimError) -> None:
        """Each once, and what came with it too."""
        for one in (error, *error.others):
            self._found.setdefault((one.what, one.where), one)

    def tell(self) -> None:
        """Raises the first, with the others; nothing when there is none."""
        if self._found:
            raise together([*self._found.values()]) from None


E = TypeVar("E", bound=McusimError)


def together(errors: Sequence[E]) -> E:
    """The first of them, that brings the others."""
    first, *others = errors
    first.others = tuple(others)
    return first


def suggestion(name: str, known: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """Hint for an unknown name: what others call so, else the nearest known one, else all of them."""
    import difflib

    names = sorted(known)
    meant = (synonyms or {}).get(name.lower().strip())
    if meant:
        return f"did you mean {meant!r}?" if meant in names else meant
    same = [one for one in names if _folded(one) == _folded(name)]
    near = same or difflib.get_close_matches(name[:LONGEST_COMPARED], names, n=1, cutoff=0.6)
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(names[:MOST_LISTED]) + more


def _folded(name: str) -> str:
    """`Data-Type` is `data_type`."""
    return name.lower().replace("-", "_").replace(" ", "_")
