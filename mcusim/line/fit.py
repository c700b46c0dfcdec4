"""Graph + Dataset -> nothing, or a DataError: does a model take the samples there are, and answer what is asked?"""

from __future__ import annotations

from collections.abc import Mapping

from mcusim.datasets.dataset import Dataset
from mcusim.graph import Graph
from mcusim.system.errors import DataError
from mcusim.tasks.task import Task

HINT = "check the data set, or choose the model that was trained on it"


def check_fits(graph: Graph, dataset: Dataset, tasks: Mapping[str, Task]) -> None:
    """`tasks`: of each output of the data set, by name. Raises DataError."""
    taken = {layer.name: layer.shape for layer in graph.inputs}
    for name, own in _paired(dataset.inputs, taken, f"data set {dataset.name!r}", f"model {graph.name!r}", "x"):
        if dataset.inputs[name] != taken[own]:
            of_input = f" of {name!r}" if name else ""
            have = f"samples{of_input} of data set {dataset.name!r} have shape {dataset.inputs[name]}"
            raise DataError(f"{have}, model {graph.name!r} takes {taken[own]}", hint=HINT)
    made = {tensor.name: tensor.elements for tensor in graph.output_tensors}
    labelled = dict.fromkeys(dataset.outputs)
    for name, own in _paired(labelled, made, f"data set {dataset.name!r}", f"model {graph.name!r}", "y"):
        tasks[name].check(made[own], dataset, graph.name, name)


def _paired(
    there: Mapping[str, object], wanted: Mapping[str, object], dataset: str, model: str, letter: str
) -> list[tuple[str, str]]:
    """The data set's name and the model's, for each; an only one needs no name."""
    if len(there) == len(wanted) == 1:
        return [(next(iter(there)), next(iter(wanted)))]
    if set(there) != set(wanted):
        kind = {"x": "inputs", "y": "outputs"}[letter]
        have = ", ".join(map(repr, there)) if "" not in there else "one without a name"
        arrays = ", ".join(f"{letter}_train_{name}" for name in wanted) if len(wanted) > 1 else f"{letter}_train"
        what = f"{model} has the {kind} {', '.join(map(repr, wanted))}, {dataset} {have}"
        raise DataError(what, hint=f"give {arrays}, and likewise for the test")
    return [(name, name) for name in there]
