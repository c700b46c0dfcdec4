"""Monitor commands take paths badly that have a space, a quote or a semicolon: a folder whose own path is plain.

Everything that Monitor commands name is reached through links in it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcusim.system.errors import EngineError

_PLAIN = re.compile(r"/[A-Za-z0-9_./-]*")


@contextmanager
def plain_folder() -> Iterator[Path]:
    """A new folder that any Monitor command can name, removed at the end. Raises EngineError when there can be none."""
    places = (tempfile.gettempdir(), "/tmp", "/var/tmp", f"/run/user/{os.getuid()}", "/dev/shm")
    for place in dict.fromkeys(place for place in places if _PLAIN.fullmatch(os.path.realpath(place))):
        try:
            made = tempfile.mkdtemp(prefix="mcusim-renode-", dir=os.path.realpath(place))
        except OSError:
            continue
        try:
            yield Path(made)
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return
    hint = "set TMPDIR to a folder that can be written and whose path has letters, digits, dots, - and _ only"
    raise EngineError("there is no folder for temporary files that Renode can use", where=", ".join(places), hint=hint)
