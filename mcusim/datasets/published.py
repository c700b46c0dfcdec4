"""What a publisher gives out, or a copy of it -> arrays.

Looked for in this order: `<name>.npz`, the extracted folder or the publisher's archives in `MCUSIM_DATA_DIR`; the cache
folder; the publisher, or the mirror that `MCUSIM_<NAME>_URL` names: a folder's address that ends with "/", or that of
an only archive.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcusim.datasets import npz_arrays, npz_file
from mcusim.datasets.dataset import Dataset
from mcusim.datasets.members import Members, members
from mcusim.datasets.targets import class_numbers
from mcusim.system.arrays import Array
from mcusim.system.cache import cache_folder
from mcusim.system.download import download, has_checksum
from mcusim.system.errors import DataError
from mcusim.system.files import write_bytes
from mcusim.system.names import words_of
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
    """`address` is the folder on the web with the `archives`, `folders` what they are extracted to.

    Of `folders` one has all, or, with `all_folders`, each has an archive's files. `versions` tells how many samples
    each class has, those to learn from, and those to test. `recipe` names what is made of the samples where that takes
    long: then the cache folder keeps it.
    """

    name: str
    address: str
    folders: tuple[str, ...]
    archives: tuple[Archive, ...]
    shape: tuple[int, ...]
    versions: tuple[Mapping[str, Sequence[int]], ...]
    all_folders: bool = False
    recipe: str = ""

    @property
    def mirror(self) -> str:
        """The environment variable that names another address."""
        return f"MCUSIM_{self.name.upper()}_URL"

    @property
    def hint(self) -> str:
        names = ", ".join(repr(archive.name) for archive in self.archives)
        return (
            f"without a network: fetch {names} elsewhere, put that (or the extracted folder {self.folders[0]!r}) into "
            "a folder and name that folder in MCUSIM_DATA_DIR"
        )

    def dataset(self, arrays: Arrays, classes: tuple[str, ...]) -> Dataset:
        """`arrays` as `arrays_of` gives them."""
        x_train, y_train, x_test, y_test = (arrays[name] for name in REQUIRED)
        whole = max(sum(version["train"]) for version in self.versions if _is(version["test"], y_test))
        notes = (f"{len(y_train):,} of the publisher's {whole:,} training samples",) if len(y_train) < whole else ()
        return Dataset(self.name, x_train, y_train, x_test, y_test, classes, arrays.get("groups_train"), notes)

    @property
    def kept(self) -> Path | None:
        """Where the cache folder has what was made of the archives."""
        told = ":".join((self.recipe, *(archive.sha256 for archive in self.archives)))
        name = f"{self.name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.npz"
        return cache_folder() / name if self.recipe else None


def arrays_of(
    publication: Publication,
    parse: Callable[[Iterator[Members]], Arrays],
    progress: Progress | None,
    optional: Sequence[str] = (),
) -> Arrays:
    """The arrays REQUIRED, float32 and int64, and those `optional` that are there.

    `parse` gets the members of all archives, or of the folder. DataError when the data cannot be had or are not these.
    """
    folder = data_dir()
    if folder and (folder / f"{publication.name}.npz").exists():
        path = folder / f"{publication.name}.npz"
        with _told_of(path):
            return _checked(publication, npz_arrays.read_arrays(path, REQUIRED, optional))
    paths = _extracted(folder, publication) if folder else ()
    kept = None if paths else publication.kept
    if kept and kept.is_file():
        with suppress(DataError):  # a damaged one is made anew: the user has not written it
            return _checked(publication, npz_arrays.read_arrays(kept, REQUIRED, optional))
    paths = paths or (_verified(folder, publication) if folder else ()) or _fetched(publication, progress)
    with _told_of(paths[0]):
        arrays = parse(members(path) for path in paths)
        checked = _checked(publication, dict(arrays))
    if kept:
        _keep(kept, arrays)
    return checked


def _keep(path: Path, arrays: Arrays) -> None:
    """A full disk only costs time the next time."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type,unused-ignore]
    with suppress(OSError):
        write_bytes(path, content.getvalue())


def data_dir() -> Path | None:
    """None when the user named no folder."""
    named = os.environ.get("MCUSIM_DATA_DIR")
    if named and not Path(named).expanduser().is_dir():
        raise DataError(f"MCUSIM_DATA_DIR names {named!r}, which is no folder", hint="name a folder, or unset it")
    return Path(named).expanduser() if named else None


def _extracted(folder: Path, publication: Publication) -> tuple[Path, ...]:
    """Folders of the archives; none where one is missing."""
    there = tuple(folder / name for name in publication.folders if (folder / name).is_dir())
    if publication.all_folders:
        return there if len(there) == len(publication.folders) else ()
    return there[:1]


def _verified(folder: Path, publication: Publication) -> tuple[Path, ...]:
    """All archives; none where one is missing."""
    paths = tuple(folder / archive.name for archive in publication.archives)
    if not all(path.is_file() for path in paths):
        return ()
    for path, archive in zip(paths, publication.archives, strict=True):
        demand_checksum(path, archive.sha256)
    return paths


def demand_checksum(path: Path, sha256: str) -> None:
    """`sha256`: as of an Archive. Raises DataError for another file than the published one."""
    if not has_checksum(path, sha256):
        what = f"{path.name!r} has another checksum than the published file"
        raise DataError(what, where=str(path), hint="fetch it again")


def _fetched(publication: Publication, progress: Progress | None) -> tuple[Path, ...]:
    address = os.environ.get(publication.mirror) or publication.address
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
        what = f"a file of the data set is damaged or missing: {words_of(error)}"
        raise DataError(what, where=str(path), hint=hint) from None


def _checked(publication: Publication, arrays: Arrays) -> Arrays:
    """DataError unless shapes, types and the number of samples of each class are those of a published split.

    To learn from there may be fewer: part of them is often all that could be had. Of each class there have to be some.
    """
    classes = len(publication.versions[0]["test"])
    counts = {}
    for part in ("train", "test"):
        if not arrays[f"x_{part}"].size:
            what = f"this is not {publication.name!r}: it has no {part} samples"
            raise DataError(what, hint=f"expected {sum(publication.versions[0][part]):,}")
        x = npz_file.samples(arrays[f"x_{part}"], f"x_{part}")
        y = npz_file.targets(arrays[f"y_{part}"], len(x), f"y_{part}")
        y = class_numbers(y, f"labels of {part}", classes)
        counts[part] = np.bincount(y, minlength=classes)
        if x.shape[1:] != publication.shape or not any(_holds(one, part, counts) for one in publication.versions):
            found, known = counts[part].tolist(), publication.versions[0][part]
            other = next((at for at in range(classes) if not _fits(found[at], known[at], part)), 0)
            what = f"this is not {publication.name!r}: its {part} samples have shape {x.shape[1:]} and class counts "
            hint = f"expected {publication.shape} and {_short(known, other)}"
            raise DataError(what + _short(found, other), hint=hint)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x, y
    groups = arrays.get("groups_train")
    if groups is not None and groups.shape != arrays["y_train"].shape:
        raise DataError(f"'groups_train' has shape {groups.shape}", hint="give one for each sample")
    return arrays


def _holds(version: Mapping[str, Sequence[int]], part: str, counts: Mapping[str, Array]) -> bool:
    return all(_fits(found, known, part) for found, known in zip(counts[part], version[part], strict=True))


def _fits(found: int, known: int, part: str) -> bool:
    """Of one class."""
    return found == known if part == "test" else 0 < found <= known


def _is(known: Sequence[int], y: Array) -> bool:
    return bool(np.array_equal(np.bincount(y, minlength=len(known)), known))


def _short(counts: Sequence[int], other: int) -> str:
    """As many classes as may be wrong in a hostile file are not told all; but `other` is, which is one that is."""
    more = f", .., {counts[other]} of class {other}" if other >= 10 else ""
    return f"({', '.join(map(str, counts[:10]))}{more}{', ..' if len(counts) > 10 else ''})"
