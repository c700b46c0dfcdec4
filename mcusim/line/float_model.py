"""Source + test samples -> FloatModel: what the model of a file makes of them, which all cases of it start from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcusim.line.fit import Fitted
from mcusim.line.score import Wanted, scores_of_real
from mcusim.models.source import Source
from mcusim.numbers.numbers import Numbers
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of


@dataclass(frozen=True)
class FloatModel:
    """A model as its file has it, N test samples for it (`positions` in the test set), and what it makes of them.

    Samples `x` and `answers` are records where there are several inputs or outputs.
    """

    source: Source
    fitted: Fitted
    x: Array
    positions: Array
    answers: Array

    def wanted(self, expected: Array, numbers: Sequence[Numbers | None]) -> dict[str, Wanted]:
        """Of each output, when it should answer `expected`. `numbers`: in the order of the outputs."""
        samples = None if self.x.dtype.names else self.x
        of_float, judges = {} if self.source.graph.is_quantized else fields_of(self.answers), self.fitted.judges
        return {
            name: Wanted(judges[name], values, own, self.labels[name], samples, of_float.get(name))
            for (name, values), own in zip(fields_of(expected).items(), numbers, strict=True)
        }

    @property
    def targets(self) -> Array | None:
        """Of the samples, as the data set has them."""
        targets = self.fitted.dataset.y_test
        return None if targets is None else targets[self.positions]

    @cached_property
    def data_sha256(self) -> str:
        """Of the samples as the data set has them, and of their targets."""
        sha = hashlib.sha256()
        for array in (self.fitted.dataset.x_test[self.positions], self.targets):
            if array is not None:
                sha.update(repr((array.dtype, array.shape)).encode())
                sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return sha.hexdigest()

    @cached_property
    def labels(self) -> dict[str, Array | None]:
        """Of the samples, by output; None where there are none."""
        judges = self.fitted.judges.items()
        return {name: None if judge.labels is None else judge.labels[self.positions] for name, judge in judges}

    @cached_property
    def scores(self) -> tuple[float | None, Mapping[str, float | None]]:
        """Accuracy, and what else the tasks tell; of several outputs the worst."""
        real = self.source.graph.decode(self.answers)
        return scores_of_real(self.wanted(real, [None] * len(self.source.graph.outputs)))

    @property
    def scores_of_float(self) -> tuple[float | None, Mapping[str, float | None]]:
        """None where the model never was one of float32."""
        return (None, {}) if self.source.graph.is_quantized else self.scores
