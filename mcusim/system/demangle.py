"""Names of C++ as the compiler spells them -> as they are written in the source."""

from collections.abc import Mapping, Sequence

from mcusim.system.command import run
from mcusim.system.errors import McusimError
from mcusim.system.toolchain import find_arm_tool

_NAMES_AT_ONCE = 400  # a command line has room for
_LONGEST_NAME = 500


def demangled(names: Sequence[str]) -> Mapping[str, str]:
    """By the toolchain's c++filt. Left out is what it does not know, and what is too long; without it, all."""
    mangled = [name for name in names if name.startswith("_Z") and len(name) <= _LONGEST_NAME]
    found: dict[str, str] = {}
    for at in range(0, len(mangled), _NAMES_AT_ONCE):
        some = mangled[at : at + _NAMES_AT_ONCE]
        try:
            lines = run([find_arm_tool("c++filt"), *some], timeout_s=20).stdout.splitlines()
        except McusimError:
            return found
        if len(lines) == len(some):
            found.update(zip(some, lines, strict=True))
    return found
