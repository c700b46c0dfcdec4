"""Name or file -> Dataset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from mcusim.datasets import cifar10, digits, gtsrb, npz_file, speech_commands, spoken_digits, uci_har
from mcusim.datasets.dataset import Dataset, Normalization
from mcusim.system.errors import ConfigurationError, suggestion
from mcusim.system.progress import Progress

__all__ = ["DATASETS", "Dataset", "Normalization", "load_dataset"]


class Publisher(Protocol):
    """What a module of this package is."""

    SUMMARY: str
    LICENCE: str

    def load(self, progress: Progress | None) -> Dataset:
        """`progress` is for `download`. DataError when the data cannot be had."""


DATASETS: Mapping[str, Publisher] = {
    "digits": digits,
    "uci_har": uci_har,
    "spoken_digits": spoken_digits,
    "gtsrb": gtsrb,
    "cifar10": cifar10,
    "speech_commands": speech_commands,
}


def load_dataset(name_or_file: str, base: Path | None = None, progress: Progress | None = None) -> Dataset:
    """The data set of that name, or the user's `.npz` file, relative to `base` (default: working directory).

    `progress` is told the bytes of a download. ConfigurationError for an unknown name, DataError when the data cannot
    be had or used.
    """
    if name_or_file in DATASETS:
        return DATASETS[name_or_file].load(progress)
    path = (base or Path.cwd()) / name_or_file
    if path.suffix or "/" in name_or_file or path.exists():
        return npz_file.load(path)
    hint = suggestion(name_or_file, DATASETS) + " (or a file: 'data.npz')"
    raise ConfigurationError(f"there is no data set {name_or_file!r}", hint=hint)
