"""Graph + Dataset -> Fitted, or a DataError: does a model take the samples, and what do its outputs answer?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mcusim.datasets.dataset import Dataset
from mcusim.experiment.tables import TaskChoice
from mcusim.graph import Graph, Layer, Shape
from mcusim.layers.convert import Convert
from mcusim.numbers.numbers import LINEAR
from mcusim.system.arrays import Array, without_ones
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.system.records import fields_of, records_of
from mcusim.tasks import judge_of
from mcusim.tasks.task import Asked, Judge

UNUSED = {
    "threshold": "remove it: of several outputs the largest decides, a threshold is for an only one",
    "top_k": "remove it: it counts classes of a model with an output for each",
}
HINT = "check the data set, or choose the model that was trained on it"


@dataclass(frozen=True)
class Fitted:
    """A data set whose samples have the shapes that a model takes, and how each of its outputs is scored, by name.

    An only output is called "".
    """

    dataset: Dataset
    judges: Mapping[str, Judge]

    @property
    def exact(self) -> tuple[str, ...]:
        """Outputs whose numbers themselves are scored, and not only which of them is the largest."""
        return tuple(name for name, judge in self.judges.items() if not judge.task.DECIDES)

    @property
    def notes(self) -> tuple[str, ...]:
        return (*self.dataset.notes, *(note for judge in self.judges.values() for note in judge.notes))


def fit(graph: Graph, dataset: Dataset, choice: TaskChoice | None = None) -> Fitted:
    """Raises DataError for what does not belong together, ConfigurationError for an output that there is not."""
    shaped = _with_shapes(graph, dataset)
    return Fitted(shaped, _judges(graph, shaped, choice or TaskChoice()))


def _with_shapes(graph: Graph, dataset: Dataset) -> Dataset:
    """Axes of length 1 are no reason to refuse samples: (28, 28) are (28, 28, 1) where the model wants that."""
    taken = {layer.name: layer.shape for layer in graph.inputs}
    shapes, notes = {}, []
    for name, own in _paired(dataset.inputs, taken, f"data set {dataset.name!r}", f"model {graph.name!r}", "x"):
        have, want = dataset.inputs[name], taken[own]
        shapes[name] = want
        if have != want:
            of_input = f" of {name!r}" if name else ""
            if without_ones(have) != without_ones(want):
                what = f"samples{of_input} of data set {dataset.name!r} have shape {have}"
                raise DataError(f"{what}, model {graph.name!r} takes {want}", hint=_shape_hint(have, want))
            notes.append(f"samples{of_input} of shape {have} are taken as {want}")
    if not notes:
        return dataset

    def shaped(x: Array) -> Array:
        return records_of({name: part.reshape(len(part), *shapes[name]) for name, part in fields_of(x).items()})

    x_train = None if dataset.x_train is None else shaped(dataset.x_train)
    return replace(dataset, x_train=x_train, x_test=shaped(dataset.x_test), notes=(*dataset.notes, *notes))


def _shape_hint(have: Shape, want: Shape) -> str:
    if len(have) == len(want) > 1 and sorted(have) == sorted(want):
        order = [have.index(size) + 1 for size in want]
        if len(set(have)) == len(have):
            return f"the axes are in another order: x.transpose(0, {', '.join(map(str, order))})"
        if len(have) == 3 and have[1:] == want[:2]:
            return "channels come last: x.transpose(0, 2, 3, 1)"
    product = 1
    for size in have:
        product *= size
    for size in want:
        product //= size if size and product % size == 0 else product + 1
    if product == 1:
        return f"the numbers are as many: if they are in that order, x.reshape(-1, {', '.join(map(str, want))})"
    if len(have) == len(want) and have[:-1] == want[:-1]:
        return f"the model takes {want[-1]} channels, the samples have {have[-1]}; {HINT}"
    return HINT


def _judges(graph: Graph, dataset: Dataset, choice: TaskChoice) -> dict[str, Judge]:
    names = [output.name for output in graph.outputs] if len(graph.outputs) > 1 else [""]
    labelled = _labelled(graph, dataset, names)
    kinds, thresholds = choice.kinds_of(names), choice.thresholds_of(names)
    judges = {}
    for name, tensor, end in zip(names, graph.output_tensors, graph.ends, strict=True):
        asked = Asked(
            model=graph.name,
            dataset=dataset.name,
            output=name,
            shape=tensor.shape,
            end=_kind(graph, end),
            inputs=tuple(layer.shape for layer in graph.inputs),
            targets=_of(dataset.y_test, labelled.get(name)),
            train_targets=_of(dataset.y_train, labelled.get(name)),
            classes=dataset.classes_of(labelled[name]) if name in labelled else (),
            threshold=thresholds[name],
            top_k=choice.top_k,
        )
        judges[name] = judge_of(asked, kinds[name])
    _demand_use(judges, choice)
    return judges


def _demand_use(judges: Mapping[str, Judge], choice: TaskChoice) -> None:
    """An option that changes nothing was meant for something."""
    for option, hint in UNUSED.items():
        told = getattr(choice, option)
        meant = judges.values() if not isinstance(told, dict) else [judges[name] for name in told]
        idle = [judge for judge in meant if option not in judge.uses]
        if told is not None and (len(idle) == len(meant) or isinstance(told, dict)) and idle:
            asked, task = idle[0].asked, idle[0].task.NAME
            what = f"{option!r} has no use for {task} by {asked.elements} outputs{asked.of} of model {asked.model!r}"
            raise ConfigurationError(what, where="[task]", hint=hint)


def _labelled(graph: Graph, dataset: Dataset, names: Sequence[str]) -> dict[str, str]:
    """By the model's outputs, what the data set calls them. Of several outputs some may have no targets."""
    if not dataset.outputs:
        return {}
    there, made = dict.fromkeys(dataset.outputs), dict.fromkeys(names)
    if len(there) > 1 or len(made) > 1:
        made = {name: None for name in made if name in there} if set(there) < set(made) else made
    pairs = _paired(there, made, f"data set {dataset.name!r}", f"model {graph.name!r}", "y")
    return {own: name for name, own in pairs}


def _of(targets: Array | None, name: str | None) -> Array | None:
    return None if targets is None or name is None else fields_of(targets)[name]


def _kind(graph: Graph, end: Layer) -> str:
    """What computes an output: views and conversions do not."""
    while end.VIEW or isinstance(end, Convert):
        end = graph[end.inputs[0]]
    return "ReLU" if getattr(end, "activation", LINEAR) != LINEAR else end.kind


def _paired(
    there: Mapping[str, object], wanted: Mapping[str, object], dataset: str, model: str, letter: str
) -> list[tuple[str, str]]:
    """The data set's name and the model's, for each; an only one needs no name."""
    if len(there) == len(wanted) == 1 and "" in (*there, *wanted):
        return [(next(iter(there)), next(iter(wanted)))]
    if set(there) != set(wanted):
        kind = {"x": "inputs", "y": "outputs"}[letter]
        have = ", ".join(map(repr, there)) if "" not in there else "one without a name"
        arrays = ", ".join(f"{letter}_test_{name}" for name in wanted) if len(wanted) > 1 else f"{letter}_test"
        what = f"{model} has the {kind} {', '.join(map(repr, wanted))}, {dataset} {have}"
        raise DataError(what, hint=f"give {arrays}, and likewise for the training")
    return [(name, name) for name in there]
