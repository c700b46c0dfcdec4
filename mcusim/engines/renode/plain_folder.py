"""Monitor commands take paths badly that have a space, a quote or a semicolon: a folder whose own path is plain.

Everything that Monitor commands name is reached through links in it. One whose owner was killed is removed by the next
who makes one: who holds the lock of the file `owner` in it is alive.
"""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from mcusim.system.errors import EngineError

_PREFIX = "mcusim-renode-"
_OWNER = "owner"
_PLAIN = re.compile(r"/[A-Za-z0-9_./-]*")


@contextmanager
def plain_folder() -> Iterator[Path]:
    """A new folder that any Monitor command can name, removed at the end. Raises EngineError when there can be none."""
    places = (tempfile.gettempdir(), "/tmp", "/var/tmp", f"/run/user/{os.getuid()}", "/dev/shm")
    for place in dict.fromkeys(place for place in places if _PLAIN.fullmatch(os.path.realpath(place))):
        try:
            made = tempfile.mkdtemp(prefix=_PREFIX, dir=os.path.realpath(place))
        except OSError:
            continue
        with ExitStack() as owned:
            owned.callback(shutil.rmtree, made, ignore_errors=True)
            with suppress(OSError):  # then nobody removes it when we are killed
                owned.enter_context(_own(Path(made)))
            _remove_abandoned(Path(made).parent)
            yield Path(made)
        return
    hint = "set TMPDIR to a folder that can be written and whose path has letters, digits, dots, - and _ only"
    raise EngineError("there is no folder for temporary files that Renode can use", where=", ".join(places), hint=hint)


def _own(folder: Path) -> IO[bytes]:
    """A lock that ends with us, however we end. Nobody sees the file before it is locked."""
    new = folder / f".{_OWNER}"
    file = new.open("wb")
    fcntl.flock(file, fcntl.LOCK_EX)
    new.rename(folder / _OWNER)
    return file


def _remove_abandoned(place: Path) -> None:
    """Our user's folders whose owners are gone."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is owned, it is somebody else's, or another process removes it just now
            descriptor = os.open(folder / _OWNER, os.O_WRONLY | os.O_NOFOLLOW)
            with open(descriptor, "wb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_uid == os.getuid():
                    shutil.rmtree(folder)
