"""Which mcusim this is, to the byte: what another one has found may not be what this one would find."""

import hashlib
from functools import cache
from pathlib import Path

from mcusim.system.assets import CODEGEN, PLATFORMS
from mcusim.system.files import sha256_of
from mcusim.system.version import VERSION

_PACKAGE = Path(__file__).parents[1]


@cache
def own_code() -> str:
    """Digest of all that mcusim computes with."""
    sha = hashlib.sha256()
    for folder in (_PACKAGE, PLATFORMS, CODEGEN):
        for path in sorted(path for path in folder.rglob("*") if path.suffix != ".pyc" and path.is_file()):
            sha.update(f"{path.relative_to(folder)}\n{sha256_of(path)}\n".encode())
    return sha.hexdigest()


def which() -> str:
    """For people: `0.1.0 (1f2e3d4c)`."""
    return f"{VERSION} ({own_code()[:8]})"
