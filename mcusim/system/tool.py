"""What a machine has, or has not: a program or package, its version, or the command that installs it."""

from collections.abc import Callable
from dataclasses import dataclass

from mcusim.system.errors import McusimError, MissingToolError


@dataclass(frozen=True)
class Tool:
    """One thing. `found`: its version, or None with `problem` and `install` saying what is wrong and what to type.

    `needed_for` is what does not work without it; a `required` one is needed for the default line on emulated boards.
    """

    name: str
    needed_for: str
    required: bool
    found: str | None
    problem: str | None = None
    install: str | None = None


def looked_for(name: str, needed_for: str, look: Callable[[], str], *, required: bool = True) -> Tool:
    """`look` gives the version, or raises what is wrong."""
    try:
        return Tool(name, needed_for, required, look())
    except McusimError as error:
        return Tool(name, needed_for, required, None, error.what, error.hint)


def lacking(look: Callable[[], object]) -> MissingToolError | None:
    """Why `look` does not find what it looks for, or None."""
    try:
        look()
    except MissingToolError as error:
        return error
    return None


def installed(distribution: str) -> str | None:
    """The version of a Python package."""
    import importlib.metadata  # a fifth of what `mcusim --help` would wait for

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def package(name: str, needed_for: str, *, required: bool, install: str, others: tuple[str, ...] = ()) -> Tool:
    """A Python package, under its own name or one of `others`."""
    found = next(filter(None, map(installed, (name, *others))), None)
    if found:
        return Tool(name, needed_for, required, found)
    return Tool(name, needed_for, required, None, f"the Python package {name!r} is not installed", install)
