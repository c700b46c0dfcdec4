"""What a publisher gives out, or a copy of it -> arrays.

Looked for in this order: `<name>.npz`, the extracted folder or the publisher's archives in `MCUSIM_DATA_DIR`; the cache
folder; the publisher, or the mirror that `MCUSIM_<NAME>_URL` names: a folder's address that ends with "/", or that of
an only archive.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcusim.datasets import npz_arrays, npz_file
from mcusim.datasets.members import Members, members
from mcusim.datasets.targets import class_numbers
from mcusim.system.arrays import Array
from mcusim.system.download import download, has_checksum
from mcusim.system.errors import DataError
from mcusim.system.progress import Progress

REQUIRED = ("x_train", "y_train", "x_test", "y_test")
Arrays = dict[str, Array]
# What a damaged file of a data set may raise where it is parsed: number of bytes, text, names, and their dates.
DAMAGED = (ValueError, IndexError, KeyError, UnicodeDecodeError, OverflowError)


@dataclass(frozen=True)
class Archive:
    """A file of a publisher: its name, checksum as for `download`, and size in bytes."""

    name: str
    sha256: str
    size: int | None


@dataclass(frozen=True)
class Publication:
    """`address` is the folder on the web with the `archives`, `folder` what they are extracted to.

    `classes` is how many samples each class has: those to learn from, and those to test.
    """

    name: str
    address: str
    folder: str
    archives: tuple[Archive, ...]
    shape: tuple[int, ...]
    classes: Mapping[str, Sequence[int]]

    @property
    def hint(self) -> str:
        names = ", ".join(repr(archive.name) for archive in self.archives)
        return (
            f"without a network: fetch {names} elsewhere, put it (or the extracted folder {self.folder!r}) into a "
            "folder and name that folder in MCUSIM_DATA_DIR"
        )


def arrays_of(
    publication: Publication,
    parse: Callable[[Iterator[Members]], Arrays],
    progress: Progress | None,
    optional: Sequence[str] = (),
) -> Arrays:
    """The arrays REQUIRED, float32 and int64, and those `optional` that are there.

    `parse` gets the members of all archives, or of the folder. DataError when the data cannot be had or are not these.
    """
    folder = _data_dir()
    if folder and (folder / f"{publication.name}.npz").exists():
        path = folder / f"{publication.name}.npz"
        with _told_of(path):
            return _checked(publication, npz_arrays.read_arrays(path, REQUIRED, optional))
    paths = (folder and _local(folder, publication)) or _fetched(publication, progress)
    with _told_of(paths[0]):
        return _checked(publication, parse(members(path) for path in paths))


def _data_dir() -> Path | None:
    """None when the user named no folder."""
    named = os.environ.get("MCUSIM_DATA_DIR")
    if named and not Path(named).expanduser().is_dir():
        raise DataError(f"MCUSIM_DATA_DIR names {named!r}, which is no folder", hint="name a folder, or unset it")
    return Path(named).expanduser() if named else None


def _local(folder: Path, publication: Publication) -> tuple[Path, ...]:
    """The extracted folder, or all archives, verified; none where one is missing."""
    if (folder / publication.folder).is_dir():
        return (folder / publication.folder,)
    paths = tuple(folder / archive.name for archive in publication.archives)
    if not all(path.is_file() for path in paths):
        return ()
    for path, archive in zip(paths, publication.archives, strict=True):
        if not has_checksum(path, archive.sha256):
            what = f"{path.name!r} has another checksum than the published file"
            raise DataError(what, where=str(path), hint="fetch it again")
    return paths


def _fetched(publication: Publication, progress: Progress | None) -> tuple[Path, ...]:
    address = os.environ.get(f"MCUSIM_{publication.name.upper()}_URL") or publication.address
    return tuple(
        download(
            address + archive.name if address.endswith("/") else address,
            archive.sha256,
            archive.name,
            archive.size,
            publication.hint,
            progress=progress,
        )
        for archive in publication.archives
    )


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """DataError says in which file or folder, and what to do."""
    hint = "delete it and run again" if path.is_file() else "extract it again"
    try:
        yield
    except DataError as error:
        raise DataError(error.what, where=error.where or str(path), hint=error.hint or hint) from None
    except DAMAGED as error:
        reason = " ".join(str(error).split())[: npz_arrays.LONGEST_REASON]
        what = f"a file of the data set is damaged or missing: {reason}"
        raise DataError(what, where=str(path), hint=hint) from None


def _checked(publication: Publication, arrays: Arrays) -> Arrays:
    """DataError unless shapes, types and the number of samples of each class are those of the published split."""
    for part, counts in publication.classes.items():
        x = npz_file.samples(arrays[f"x_{part}"], f"x_{part}")
        y = npz_file.targets(arrays[f"y_{part}"], len(x), f"y_{part}")
        y = class_numbers(y, f"labels of {part}", len(counts))
        found = np.bincount(y, minlength=len(counts)).tolist()
        if x.shape[1:] != publication.shape or found != list(counts):
            what = f"this is not {publication.name!r}: its {part} samples have shape {x.shape[1:]} and class counts "
            hint = f"expected {publication.shape} and {_short(counts)}"
            raise DataError(what + _short(found), hint=hint)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x, y
    return arrays


def _short(counts: Sequence[int]) -> str:
    """As many classes as may be wrong in a hostile file are not told all."""
    more = ", .." if len(counts) > 10 else ""
    return f"({', '.join(map(str, counts[:10]))}{more})"
