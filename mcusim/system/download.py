"""Address + checksum -> file in the cache folder: resumed, retried, verified."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcusim.system.cache import cache_folder, locked
from mcusim.system.errors import DataError, McusimError
from mcusim.system.progress import Progress

if TYPE_CHECKING:
    import requests

ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
TIMEOUT_S = (10.0, 60.0)  # to connect, between two pieces
PIECE_BYTES = 2**14  # what a broken connection loses at most


def download(
    url: str,
    sha256: str,
    name: str,
    size: int | None,
    hint: str,
    kind: type[McusimError] = DataError,
    *,
    progress: Progress | None = None,
) -> Path:
    """`cache_folder()/name`, fetched unless it is there already and whole.

    `sha256` is a checksum as hexadecimal digits, or "md5:.." where a publisher's file is known by that one only.
    A download that breaks off goes on where it stopped, also in a later run. `progress` is told the bytes, and `size`
    in bytes when the server does not tell it. An error of `kind` with `hint` when the file cannot be had or is not the
    expected one.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for own in (name, f"{name}.part", f".{name}.lock"):
            _demand_file(folder / own)
        with locked(folder / f".{name}.lock"):
            return Path(_retrieve(url, sha256, name, folder, _Resumable(folder / f"{name}.part", size, progress)))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = f"make room in {folder}, or name another folder in MCUSIM_CACHE_DIR"
        raise kind(f"cannot download {name!r}: {reason_of(error)}", where=url, hint=hint) from None


def _demand_file(path: Path) -> None:
    """A pipe in its place would be waited for."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EEXIST, f"{path} is no file: remove it")


def _retrieve(url: str, sha256: str, name: str, folder: Path, downloader: _Resumable) -> str:
    """A damaged first half would damage the whole for ever, so a wrong checksum means once more from the beginning."""
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")
    known = sha256 if ":" in sha256 else f"sha256:{sha256}"
    for is_last in (False, True):
        try:
            return str(pooch.retrieve(url, known, name, folder, downloader=downloader))
        except requests.RequestException:  # some are ValueErrors as well
            raise
        except ValueError:  # what pooch says to a wrong checksum
            if is_last or not downloader.resumed:
                break
    raise OSError("what arrived has another checksum than the published file")


class _Resumable:
    """A pooch downloader: continues a `.part` file, tries again after a broken connection."""

    def __init__(self, part: Path, size: int | None, progress: Progress | None) -> None:
        self._part, self._size, self._progress = part, size, progress
        self.resumed = False

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        import requests

        self.resumed = self._part.exists()
        for attempt in range(ATTEMPTS):
            try:
                self._fetch(url)
                os.replace(self._part, output_file)
                return
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if attempt == ATTEMPTS - 1:
                    raise
                self.resumed = self._part.exists()
                time.sleep(FIRST_PAUSE_S * 2**attempt)

    def _fetch(self, url: str) -> None:
        """Append what is missing. A server that cannot continue (200) or has nothing to add (416) starts afresh."""
        import requests

        have = self._part.stat().st_size if self._part.exists() else 0
        # Without compression: the bytes counted are the bytes of the file.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                self._part.unlink()
                raise requests.ConnectionError("the partial download does not fit the file")
            answer.raise_for_status()
            self._store(answer, have if answer.status_code == requests.codes.partial_content else 0)

    def _store(self, answer: requests.Response, have: int) -> None:
        import requests

        told = answer.headers.get("Content-Length", "")
        total = have + int(told) if told.isdecimal() else self._size
        with self._part.open("r+b" if have else "wb") as file:
            file.seek(have)
            self._tell(have, total)
            for piece in answer.iter_content(PIECE_BYTES):
                file.write(piece)
                self._tell(file.tell(), total)
            file.truncate()
            if told.isdecimal() and file.tell() < have + int(told):
                raise requests.ConnectionError("the connection ended early")

    def _tell(self, have: int, total: int | None) -> None:
        if self._progress:
            self._progress(have, total or 0)


def has_checksum(path: Path, sha256: str) -> bool:
    """Of a file that came another way; `sha256` as for `download`."""
    algorithm, _, digits = sha256.rpartition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm or "sha256").hexdigest() == digits


def reason_of(error: OSError) -> str:
    """One line: requests packs its causes into each other."""
    import requests

    if isinstance(error, requests.HTTPError):
        return str(error).split(" for url")[0]
    if isinstance(error, requests.Timeout):
        return "the server does not answer"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off again and again (the next run goes on from there)"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    return error.strerror or str(error)
