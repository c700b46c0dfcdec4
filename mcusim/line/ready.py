"""What the line keeps on the way to a board: what all cases share, and a model as C, with its test samples."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcusim.experiment.experiment import Experiment
from mcusim.line.float_model import Answering, FloatModel
from mcusim.system.arrays import Array

if TYPE_CHECKING:
    from mcusim.line.front import Generated


@dataclass(frozen=True)
class Setting:
    """What all cases of an experiment share. `models`: the folder of trained ones, if not that in `out`."""

    experiment: Experiment
    out: Path
    may_train: bool = True
    models: Path | None = None

    @property
    def seed(self) -> int:
        """Of the choice of samples."""
        return self.experiment.general.seed

    @property
    def jobs(self) -> int:
        return self.experiment.target.jobs or len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class ReadyModel:
    """A model as C, and of N samples: what its firmware reads, and what it should answer."""

    generated: Generated
    inputs: Array
    answering: Answering
    origin: FloatModel

    @property
    def expected(self) -> Array:
        """Of all N."""
        return self.answering.of_all
