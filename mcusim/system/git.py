"""A folder -> the commit that is checked out there."""

import re
from pathlib import Path

from mcusim.system.command import find, run
from mcusim.system.errors import McusimError

_SLOW_S = 20.0
_DESCRIPTION = re.compile(r"([0-9a-f]{40,64})(-dirty)?\n")


def commit_of(folder: Path) -> tuple[str, bool] | None:
    """The commit, and whether files that git knows were changed since. None outside of a repository, or without git."""
    asked = ("describe", "--always", "--dirty", "--abbrev=64", "--exclude=*")
    try:
        git = find("git", hint="install git")
        # Neither a hook of the repository nor its index is touched.
        told = run(
            (git, "-c", "core.fsmonitor=false", *asked),
            folder=folder,
            timeout_s=_SLOW_S,
            environment={"GIT_OPTIONAL_LOCKS": "0"},
        )
    except McusimError:
        return None
    found = _DESCRIPTION.fullmatch(told.stdout)
    return (found[1], found[2] is not None) if found and told.returncode == 0 else None
