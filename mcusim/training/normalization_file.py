"""Normalization and learned quantization <-> `mcusim.json` in a `.keras` file: what Keras does not know."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcusim.datasets.dataset import Normalization
from mcusim.numbers.learned import Learned
from mcusim.system.errors import DataError
from mcusim.training.keras_archive import replace_entries

ENTRY = "mcusim.json"
LARGEST_ENTRY_BYTES = 2**20


def save_normalization(
    keras_path: Path,
    normalization: Normalization | None,
    record: Mapping[str, Any] | None = None,
    learned: Learned | None = None,
) -> None:
    """Write the statistics into the file, in place of older ones. `record` tells how the model was made, for people.

    DataError when it is no `.keras` file, ConfigurationError when it cannot be written.
    """
    values: dict[str, Any] = {"format": 1, "made": dict(record or {})}
    if normalization is not None:
        values["normalization"] = normalization.to_dict()
    if learned is not None:
        values["quantization"] = learned.to_dict()
    replace_entries(keras_path, {ENTRY: json.dumps(values, indent=1).encode()})


def load_normalization(path: Path) -> Normalization | None:
    """The statistics kept in a `.keras` file; None when it has none (also for `.h5` files, which cannot)."""
    values = load_record(path)
    if "normalization" not in values:
        return None
    try:
        return Normalization.from_dict(values["normalization"])
    except DataError as error:
        raise DataError(error.what, where=f"{path}: {ENTRY}", hint=error.hint) from None


def load_learned(path: Path) -> Learned | None:
    """What it was trained to be quantized to; None of a model that was not. DataError likewise."""
    values = load_record(path)
    try:
        return Learned.from_dict(values["quantization"]) if "quantization" in values else None
    except DataError as error:
        raise DataError(error.what, where=f"{path}: {ENTRY}", hint=error.hint) from None


def load_record(path: Path) -> dict[str, Any]:
    """All of `mcusim.json`, empty when there is none. DataError when it is unreadable."""
    try:
        with zipfile.ZipFile(path) as archive:
            if ENTRY not in archive.namelist():
                return {}
            if archive.getinfo(ENTRY).file_size > LARGEST_ENTRY_BYTES:
                raise DataError(f"{ENTRY!r} is too large", where=str(path), hint="train the model again")
            values = json.loads(archive.read(ENTRY))
    except (zipfile.BadZipFile, OSError):
        return {}  # whoever loads the model itself says what is wrong with it
    except (ValueError, RecursionError):
        raise DataError(f"{ENTRY!r} is no JSON", where=str(path), hint="train the model again") from None
    return values if isinstance(values, dict) else {}
