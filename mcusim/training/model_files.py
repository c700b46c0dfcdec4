"""Weights worth keeping -> `<name>_best.keras` and `<name>_last.keras`."""

import os
import re
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mcusim.datasets.dataset import Normalization
from mcusim.numbers.learned import Learned
from mcusim.system.arrays import Array
from mcusim.training.keras_archive import make_portable, writing
from mcusim.training.normalization_file import save_normalization

Kept = tuple[list[Array], Learned | None]
LONGEST_NAME = 100
SECONDS_BETWEEN_WRITES = 20.0


class ModelFiles:
    """Keeps weights in memory and writes them now and then: saving takes as long as a short epoch.

    A file appears whole or not at all. ConfigurationError when the folder cannot be written, before any training.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        statistics: Normalization | None,
        record: Mapping[str, Any],
        learned: Callable[[], Learned | None] = lambda: None,
    ) -> None:
        stem = file_stem(name)
        self.best, self.last = folder / f"{stem}_best.keras", folder / f"{stem}_last.keras"
        self._statistics, self._record = statistics, record
        self._learned = learned
        self._best: Kept = ([], None)
        self._last: Kept = ([], None)
        self._best_is_new = False
        self._written = time.monotonic()
        self._part = folder / f".{stem}.{os.getpid()}.part.keras"
        with writing(folder, self._part):
            folder.mkdir(parents=True, exist_ok=True)
            self._part.write_bytes(b"")

    def keep(self, model: Any, is_best: bool) -> bool:
        """Were they written, too?"""
        self._last = (model.get_weights(), self._learned())
        if is_best:
            self._best, self._best_is_new = self._last, True
        if time.monotonic() - self._written <= SECONDS_BETWEEN_WRITES:
            return False
        self.write(model)
        return True

    def write(self, model: Any) -> None:
        """Write what was kept, if anything was. The model itself comes back with its last kept weights."""
        if not self._last[0]:
            return
        if self._best_is_new:
            self._save(model, self._best, self.best)
            self._best_is_new = False
        self._save(model, self._last, self.last)
        self._written = time.monotonic()

    def _save(self, model: Any, kept: Kept, path: Path) -> None:
        weights, learned = kept
        model.set_weights(weights)
        with writing(path, self._part):
            model.save(self._part)
            make_portable(self._part)
            save_normalization(self._part, self._statistics, self._record, learned)
            os.replace(self._part, path)


def file_stem(name: str) -> str:
    """A model's name as a file name. A name that had to be changed gets its checksum: two never share a file."""
    # Not `names.file_name`, which does the same with another checksum: users have files with these names.
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:LONGEST_NAME]
    return name if name and plain == name else f"{plain or 'model'}_{zlib.crc32(name.encode('utf-8', 'replace')):08x}"
