"""Experiment -> accuracies of its networks in each type: what their graphs answer, which no board changes."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from mcusim.line.bench import Bench
from mcusim.line.case import float_model, graph_of
from mcusim.line.identity import identity_of
from mcusim.line.ready import Setting
from mcusim.line.watcher import Watcher
from mcusim.reports.report import Run
from mcusim.system.errors import McusimError
from mcusim.system.once import Once, Shared

OF_ANY_SAMPLES = ("data set", "source", "graph")  # keys of Once


def scored(setting: Setting, watcher: Watcher, before: Once) -> Iterator[Run]:
    """One for each network and type, of the samples of `setting`. `before`: what a run of others of its samples knows.

    Nothing of what cannot be read or quantized: that run has told of it.
    """
    with Bench(watcher, once=Shared(before, OF_ANY_SAMPLES)) as bench:
        for case in {case.numbers: case for case in setting.experiment.cases()}.values():
            with suppress(McusimError):
                origin = float_model(setting, case.model, case.repeat, bench, case.quantization)
                graph = graph_of(setting, case, bench)
                watcher.stage(f"scoring {case.quantized_label}")
                accuracy, _ = origin.scores_of(graph, graph.run(origin.x))
                run = identity_of(case, origin.source.graph)
                yield replace(run, accuracy=accuracy, samples=len(origin.x), parameters=graph.parameters)
