"""A user's `.npz` file -> its arrays. It is hostile until proved otherwise: nothing in it is unpickled or believed."""

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import DataError, suggestion
from mcusim.system.names import words_of

# Of all arrays that are read, with their copies in float32: the rest of the line needs as much.
LARGEST_BYTES = 3 * 2**29
MOST_ARRAYS = 1000
WRITE = "write one: numpy.savez('data.npz', x_train=.., y_train=.., x_test=.., y_test=..)"
# NumPy gives a header, which is a Python literal, to Python's own parser.
UNREADABLE = (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError, OverflowError)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """DataError for a file that is none, and for all that reading it may bring to light: then it says which file."""
    demand_data(path, str(path))
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path.name!r} is no .npz file", where=str(path), hint=WRITE)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError as error:
        raise DataError(error.what, where=str(path), hint=error.hint) from None
    except MemoryError:
        hint = "store fewer samples, or a smaller type"
        raise DataError("the arrays do not fit into memory", where=str(path), hint=hint) from None
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        hint = "write it again with numpy.savez_compressed()"
        raise DataError(f"{path.name!r} is damaged: {words_of(error)}", where=str(path), hint=hint) from None


def demand_data(path: Path, where: str) -> None:
    """Raises DataError when there is no such file."""
    if path.is_dir():
        raise DataError(f"{path.name!r} is a folder, no .npz file", where=where, hint=WRITE)
    if not path.is_file():
        near = [file.name for file in path.parent.glob("*.npz")]
        hint = f"looked for {path.absolute()}" + (f"; {suggestion(path.name, near)}" if near else "")
        raise DataError(f"there is no data file {path.name!r}", where=where, hint=hint)


def read_arrays(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Array]:
    """The named arrays of an `.npz`, as they are. DataError when one is missing, pickled, damaged or absurdly large."""
    with opened(path) as archive:
        return read(archive, required, optional)


def entries(archive: zipfile.ZipFile) -> dict[str, str]:
    """Name of each array, and that of its file in the archive."""
    names = archive.namelist()
    if len(names) > MOST_ARRAYS:
        what = f"the file holds {len(names):,} arrays, {MOST_ARRAYS:,} at most are looked at"
        raise DataError(what, hint="store all samples in one array")
    return {name.removesuffix(".npy"): name for name in names}


def read(archive: zipfile.ZipFile, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Array]:
    """All headers are read before the first array, and have to promise what can be kept."""
    present = entries(archive)
    for name in required:
        if name not in present:
            raise DataError(f"the file has no array {name!r}", hint=_missing_hint(name, present, required))
    wanted = [name for name in (*required, *optional) if name in present]
    needed = {name: _needed_bytes(archive, present[name], name) for name in wanted}
    if sum(needed.values()) > LARGEST_BYTES:
        largest = max(needed, key=lambda name: needed[name])
        what = f"the arrays need {sum(needed.values()):,} bytes, {largest!r} most of all; {LARGEST_BYTES:,} are allowed"
        raise DataError(what, hint="store fewer samples")
    return {name: _read_array(archive, present[name]) for name in wanted}


def _missing_hint(name: str, present: Iterable[str], required: Sequence[str]) -> str:
    others = [other for other in present if other not in required]
    found = suggestion(name, others) if others else f"it has {', '.join(map(repr, sorted(present))) or 'none'}"
    several = f" ({name}_<input> for each of several inputs)" if name in ("x_test", "x_train") else ""
    return f"needed: {', '.join(required)}{several}; {found}"


def _needed_bytes(archive: zipfile.ZipFile, entry: str, name: str) -> int:
    """Of one array, with its copy in float32, after its header was compared with what is stored: it may lie."""
    stored = archive.getinfo(entry).file_size
    with archive.open(entry) as file:
        shape, dtype = _header(file)
    if dtype.hasobject:
        text = "y.astype('str') or y.astype('int64')" if name.startswith("y") else "x.astype('float32')"
        raise DataError(f"array {name!r} holds Python objects (pickle)", hint=f"store plain numbers: {text}")
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > stored:
        raise DataError(f"array {name!r} claims {claimed:,} bytes, {stored:,} are stored", hint="write the file again")
    return claimed + (0 if dtype == np.float32 else 4 * math.prod(shape))


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    is_old = np.lib.format.read_magic(file) == (1, 0)
    read_header = np.lib.format.read_array_header_1_0 if is_old else np.lib.format.read_array_header_2_0
    try:
        shape, _, dtype = read_header(file)
    except UNREADABLE:
        raise ValueError("the header of an array is unreadable") from None
    if any(size < 0 for size in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, dtype


def _read_array(archive: zipfile.ZipFile, entry: str) -> Array:
    with archive.open(entry) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
