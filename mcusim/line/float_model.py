"""Source + test samples -> FloatModel: what the model of a file makes of them, which all cases of it start from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mcusim.graph import Graph
from mcusim.line.fit import Fitted
from mcusim.line.part import Span
from mcusim.line.score import Wanted, scores_of_real
from mcusim.models.source import Source
from mcusim.program import Program
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of
from mcusim.tasks.task import SAMPLES, Judge


@dataclass(frozen=True, eq=False)
class Answering:
    """What a graph makes of N samples: computed when somebody asks, once, and of what is asked for alone."""

    graph: Graph
    x: Array
    _known: dict[Span, Array] = field(default_factory=dict)

    def of(self, span: Span) -> Array:
        """Of these samples; a record each where there are several outputs."""
        if span not in self._known:
            self._known[span] = self.graph.run(self.x, span.first, span.end)
        return self._known[span]

    @property
    def of_all(self) -> Array:
        return self.of(Span.whole(len(self.x)))


@dataclass(frozen=True)
class FloatModel:
    """A model as its file has it, N test samples for it (`positions` in the test set), and what it makes of them.

    Samples `x` and answers are records where there are several inputs or outputs.
    """

    source: Source
    fitted: Fitted
    x: Array
    positions: Array
    answering: Answering

    @property
    def answers(self) -> Array:
        """Of all N."""
        return self.answering.of_all

    def wanted(self, expected: Array, program: Program, span: Span) -> dict[str, Wanted]:
        """Of each output of its program, when it should answer `expected` to these samples."""
        of_float = {} if self.source.graph.is_quantized else fields_of(self.answering.of(span))
        found, rows = {}, slice(span.first, span.end)
        for (name, values), output in zip(fields_of(expected).items(), program.outputs, strict=True):
            judge, labels = self.fitted.judges[name], self.labels[name]
            samples = self._samples_for(judge)
            labels, samples = (None if array is None else array[rows] for array in (labels, samples))
            found[name] = Wanted(judge.alone, values, output.numbers, labels, samples, of_float.get(name))
        return found

    def _samples_for(self, judge: Judge) -> Array | None:
        return self.x if SAMPLES in judge.uses and self.x.dtype.names is None else None

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
        return self.scores_of(self.source.graph, self.answers)

    def scores_of(self, graph: Graph, answers: Array) -> tuple[float | None, Mapping[str, float | None]]:
        """Likewise of what was made of the model, when it answers this, as `Graph.run`."""
        real, judges = fields_of(graph.decode(answers)), self.fitted.judges
        return scores_of_real(
            {
                name: Wanted(judges[name], values, None, self.labels[name], self._samples_for(judges[name]))
                for name, values in real.items()
            }
        )
