"""What the line keeps on the way to a board: what all cases share, and a model as C, with its test samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcusim.experiment.experiment import Experiment
from mcusim.line.float_model import Answering, FloatModel
from mcusim.line.threshold import gone_on
from mcusim.system.arrays import Array
from mcusim.system.cores import cores

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
    def trained(self) -> Path:
        """The folder of what was trained."""
        return self.models or self.out / "models"

    @property
    def jobs(self) -> int:
        return self.experiment.target.jobs or cores()


@dataclass(frozen=True)
class ReadyModel:
    """A model as C, and of N samples: what its firmware reads, and what it should answer."""

    generated: Generated
    inputs: Array
    answering: Answering
    origin: FloatModel

    @cached_property
    def gone_on(self) -> Array | None:
        """Of all N, as `gone_on` of `threshold.py`."""
        return gone_on(self.generated.graph, self.origin.x)

    @property
    def ways(self) -> list[Array]:
        """Samples by their way through the model: those for which a part of it is enough, then those that take all."""
        on, every = self.gone_on, np.arange(len(self.inputs))
        return [every] if on is None else [way for way in (every[~on], every[on]) if len(way)]

    @property
    def expected(self) -> Array:
        """Of all N."""
        return self.answering.of_all
