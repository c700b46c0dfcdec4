"""UCI-HAR: windows of 128 readings of a phone's accelerometer and gyroscope, six activities (Anguita et al., 2013).

The raw inertial signals in the publisher's split by person. They are taken from, in this order: `uci_har.npz`, the
folder `UCI HAR Dataset/` or the publisher's zip in `MCUSIM_DATA_DIR`; the cache folder; the publisher (address
overridden by `MCUSIM_UCI_HAR_URL`, for a mirror). The publisher names no checksum: the ones below are what many public
projects recorded independently of each other. Content from any source must have the split's known size of each class.
"""

import io
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mcusim.datasets import npz_arrays, npz_file
from mcusim.datasets.dataset import Dataset
from mcusim.datasets.published import REQUIRED, Arrays, data_dir, demand_checksum
from mcusim.datasets.targets import are_whole, class_numbers
from mcusim.system.arrays import Array
from mcusim.system.download import download
from mcusim.system.errors import DataError
from mcusim.system.progress import Progress

SUMMARY = "human activity from a phone's motion sensors, 128 x 9, 6 classes, 7,352 + 2,947 samples, downloaded (58 MiB)"
LICENCE = "CC BY 4.0 (UCI Machine Learning Repository); the README of its authors forbids commercial use"
CLASSES = ("walking", "walking_upstairs", "walking_downstairs", "sitting", "standing", "laying")
CHANNELS = tuple(f"{signal}_{axis}" for signal in ("total_acc", "body_gyro", "body_acc") for axis in "xyz")
WINDOW = 128
PEOPLE = ("subject_train", "groups_train")  # the publisher's word, and that of a `.npz`
CLASS_COUNTS = {"train": (1226, 1073, 986, 1286, 1374, 1407), "test": (496, 471, 420, 491, 532, 537)}

URL = "https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip"
ARCHIVE = "human+activity+recognition+using+smartphones.zip"
ARCHIVE_BYTES = 61_005_872
ARCHIVE_SHA256 = "c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031"
FOLDER = "UCI HAR Dataset"
INNER_ARCHIVE = f"{FOLDER}.zip"
INNER_SHA256 = "2045e435c955214b38145fb5fa00776c72814f01b203fec405152dac7d5bfeb0"

HINT = (
    f"without a network: fetch {ARCHIVE!r} elsewhere, put it (or the extracted folder {FOLDER!r}) into a folder "
    "and name that folder in MCUSIM_DATA_DIR"
)
ReadFile = Callable[[str], bytes]


def load(progress: Progress | None = None) -> Dataset:
    """Samples (N, 128, 9): total acceleration xyz (g), angular velocity xyz (rad/s), body acceleration xyz (g).

    `groups_train` is the person. DataError when the data cannot be had or is not this data set.
    """
    arrays = _from_data_dir()
    if arrays is None:
        url = os.environ.get("MCUSIM_UCI_HAR_URL") or URL
        arrays = _from_archive(download(url, ARCHIVE_SHA256, ARCHIVE, ARCHIVE_BYTES, HINT, progress=progress))
    y_train, y_test = arrays["y_train"].astype(np.int64), arrays["y_test"].astype(np.int64)
    people = next((arrays[name] for name in PEOPLE if name in arrays), None)
    return Dataset("uci_har", arrays["x_train"], y_train, arrays["x_test"], y_test, CLASSES, people)


def _from_data_dir() -> Arrays | None:
    """None when the user named no folder, or one without this data set."""
    folder = data_dir()
    if folder is None:
        return None
    if (folder / "uci_har.npz").exists():
        return _from_npz(folder / "uci_har.npz")
    if (folder / FOLDER).is_dir():
        return _parsed(lambda name: (folder / name).read_bytes(), str(folder / FOLDER))
    for name, sha256 in ((ARCHIVE, ARCHIVE_SHA256), (INNER_ARCHIVE, INNER_SHA256)):
        if (folder / name).is_file():
            demand_checksum(folder / name, sha256)
            return _from_archive(folder / name)
    return None


def _from_npz(path: Path) -> Arrays:
    try:
        return _checked(npz_arrays.read_arrays(path, REQUIRED, PEOPLE))
    except DataError as error:
        raise DataError(error.what, where=str(path), hint=error.hint) from None


def _from_archive(path: Path) -> Arrays:
    """Of the checksum above. The publisher wraps the archive of the authors in another one; either is taken."""
    with zipfile.ZipFile(path) as outer:
        if INNER_ARCHIVE not in outer.namelist():
            return _parsed(outer.read, str(path))
        with zipfile.ZipFile(io.BytesIO(outer.read(INNER_ARCHIVE))) as inner:
            return _parsed(inner.read, str(path))


def _parsed(read: ReadFile, where: str) -> Arrays:
    arrays: Arrays = {}
    try:
        for part in ("train", "test"):
            names = [f"{FOLDER}/{part}/Inertial Signals/{channel}_{part}.txt" for channel in CHANNELS]
            arrays[f"x_{part}"] = np.stack(_windows(read, names), axis=-1)
            arrays[f"y_{part}"] = _whole(read, f"{FOLDER}/{part}/y_{part}.txt") - 1
            arrays[f"subject_{part}"] = _whole(read, f"{FOLDER}/{part}/subject_{part}.txt")
        return _checked(arrays)
    except (KeyError, OSError) as error:
        raise DataError(f"a file of the data set is missing: {error}", where=where, hint="extract it again") from None
    except ValueError as error:
        raise DataError(f"a file of the data set is damaged: {error}", where=where, hint="extract it again") from None
    except DataError as error:
        raise DataError(error.what, where=where, hint=error.hint) from None


def _numbers(read: ReadFile, name: str) -> Array:
    """All numbers of a text file, flat, float32. ValueError names a file with something that is none."""
    try:
        return np.array(read(name).split(), dtype=np.float32)
    except ValueError:
        raise ValueError(f"{name!r} holds something that is no number") from None


def _whole(read: ReadFile, name: str) -> Array:
    """Likewise, int64."""
    numbers = _numbers(read, name)
    if not are_whole(numbers):
        raise ValueError(f"{name!r} holds something that is no whole number")
    return numbers.astype(np.int64)


def _windows(read: ReadFile, names: Sequence[str]) -> list[Array]:
    """(N, WINDOW) of each file, as many in each."""
    found = [_numbers(read, name) for name in names]
    for name, numbers in zip(names, found, strict=True):
        if numbers.size % WINDOW or numbers.size != found[0].size:
            told = f"{name!r} holds {numbers.size:,} numbers, {names[0]!r} {found[0].size:,}"
            raise ValueError(f"{told}: windows are {WINDOW} of each")
    return [numbers.reshape(-1, WINDOW) for numbers in found]


def _checked(arrays: Arrays) -> Arrays:
    """DataError unless shapes, types and the number of samples of each class are those of the published split."""
    for part, counts in CLASS_COUNTS.items():
        x = npz_file.samples(arrays[f"x_{part}"], f"x_{part}")
        y = class_numbers(npz_file.targets(arrays[f"y_{part}"], len(x), f"y_{part}"), f"labels of {part}", len(CLASSES))
        found = tuple(np.bincount(y, minlength=len(counts)).tolist())
        if x.shape[1:] != (WINDOW, len(CHANNELS)) or found != counts:
            what = f"this is not UCI-HAR: its {part} samples have shape {x.shape[1:]} and class counts {found}"
            raise DataError(what, hint=f"expected {(WINDOW, len(CHANNELS))} and {counts}")
        arrays[f"x_{part}"] = x
    for name in PEOPLE:
        if name in arrays and arrays[name].shape != arrays["y_train"].shape:
            raise DataError(f"{name!r} has shape {arrays[name].shape}", hint="one person for each sample")
    return arrays
