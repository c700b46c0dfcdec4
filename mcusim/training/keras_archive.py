"""A `.keras` file is a zip: replace entries of it, and make it readable by every Keras that mcusim supports."""

import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mcusim.system.errors import ConfigurationError, DataError

EPOCH = (1980, 1, 1, 0, 0, 0)  # the same model gives the same bytes, whenever it was trained
# What Keras after 3.6 writes into descriptions though it is unset; before, it refuses a model that has them.
NEWER_WHEN_UNSET = ("quantization_config", "input_axes", "output_axes")
# An address in memory, which only tells that two layers were given the same object.
ADDRESS = "shared_object_id"


def replace_entries(path: Path, entries: Mapping[str, bytes]) -> None:
    """Write the archive anew with these entries, beside the old one, which stays whole whatever happens.

    DataError when the file is no archive, ConfigurationError when it cannot be written.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}.part")
    with writing(path, fresh):
        try:
            with zipfile.ZipFile(path) as old, zipfile.ZipFile(fresh, "w") as new:
                kept = {name: old.read(name) for name in old.namelist() if name not in entries}
                for name, content in {**kept, **entries}.items():
                    new.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
            os.replace(fresh, path)
        except zipfile.BadZipFile:
            raise DataError("this is no .keras file", where=str(path), hint="save it with model.save()") from None


@contextmanager
def writing(path: Path, aside: Path) -> Iterator[None]:
    """While `path` is written by way of `aside`, of which nothing stays. ConfigurationError when it cannot be."""
    try:
        yield
    except OSError as error:
        what = f"cannot write {path.name!r}: {error.strerror or error}"
        hint = "give a folder that can be written and has room"
        raise ConfigurationError(what, where=str(path.parent), hint=hint) from None
    finally:
        with suppress(OSError):
            aside.unlink()


def make_portable(path: Path) -> None:
    """Take out of a file that Keras just saved what older versions refuse and what differs from run to run."""
    with zipfile.ZipFile(path) as archive:
        description, about = json.loads(archive.read("config.json")), json.loads(archive.read("metadata.json"))
    about["date_saved"] = "1980-01-01@00:00:00"
    entries = {"metadata.json": about, "config.json": _plain(description)}
    replace_entries(path, {name: json.dumps(values).encode() for name, values in entries.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        unset = {key for key in NEWER_WHEN_UNSET if value.get(key) is None}
        return {key: _plain(entry) for key, entry in value.items() if key not in (ADDRESS, *unset)}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value
