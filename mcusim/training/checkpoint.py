"""A training that was interrupted <-> `.<name>.resume`: it goes on with the next epoch, and ends as if it never was."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.files import write_bytes
from mcusim.system.own_code import own_code
from mcusim.system.packed import pack, unpack
from mcusim.training.course import Epoch
from mcusim.training.model_files import file_stem


class Lasting(Protocol):
    """A learner, whose next epoch follows from these alone."""

    random: np.random.Generator

    def state(self) -> list[Array]:
        """Copies of all that it changes."""

    def restore(self, state: Sequence[Array]) -> None: ...


class Checkpoint:
    """Of a training that `told` and `arrays` say all of: another one, or other code, begins anew."""

    def __init__(self, folder: Path, name: str, told: Any, arrays: Sequence[Array]) -> None:
        self._path = folder / f".{file_stem(name)}.resume"
        sha = hashlib.sha256(json.dumps([told, own_code()], sort_keys=True, default=str).encode())
        for array in arrays:
            sha.update(np.ascontiguousarray(array).tobytes())
        self._key = sha.hexdigest()
        self._kept: tuple[dict[str, Any], list[Array]] | None = None

    def go_on(self, learner: Lasting) -> tuple[list[Epoch], int]:
        """Finished epochs, and which was the best; none where there is nothing, or nothing of use, to go on from."""
        try:
            text, arrays = unpack(self._path.read_bytes())
            told = json.loads(text)
            if told["key"] != self._key:
                return [], 0
            history = [Epoch(**epoch) for epoch in told["history"]]
            learner.restore([arrays[str(at)] for at in range(len(arrays))])
            learner.random.bit_generator.state = told["random"]
            return history, int(told["best"])
        except (OSError, ValueError, KeyError, TypeError):
            return [], 0

    def keep(self, learner: Lasting, history: Sequence[Epoch], best: int) -> None:
        """After an epoch. Nothing is written yet."""
        told = {"key": self._key, "best": best, "random": learner.random.bit_generator.state}
        self._kept = {**told, "history": [asdict(epoch) for epoch in history]}, learner.state()

    def write(self) -> None:
        """What was kept last; after the files of the model, which are then of that epoch or a later one."""
        if self._kept:
            told, state = self._kept
            write_bytes(self._path, pack(json.dumps(told), {str(at): array for at, array in enumerate(state)}))

    def forget(self) -> None:
        """There is nothing to go on with: it ended, well or not."""
        self._kept = None
        self._path.unlink(missing_ok=True)
