"""Source + Dataset -> Dataset: samples and targets in the order of the model's file become those of its graph.

Files of PyTorch have the channels first, kernels want them last. Whoever trained such a model has samples in its order,
data sets of mcusim have theirs in that of the graph: the shape tells which. Where both orders have one shape the file's
is meant, and a note says so.
"""

from collections.abc import Mapping
from dataclasses import replace

from mcusim.datasets.dataset import Dataset
from mcusim.models.source import Order, Source, arranged, is_as_in_file
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of


def arrange(source: Source, dataset: Dataset) -> Dataset:
    """With a note for each input or output that had its channels first."""
    inputs, outputs = source.input_orders, source.output_orders
    notes = [*_notes("samples", dataset.x_test, inputs), *_notes("targets", dataset.y_test, outputs)]
    if not notes:
        return dataset
    x_test, x_train = arranged(dataset.x_test, inputs), _arranged(dataset.x_train, inputs)
    y_test, y_train = _arranged(dataset.y_test, outputs), _arranged(dataset.y_train, outputs)
    notes = [*dataset.notes, *notes]
    return replace(dataset, x_test=x_test, x_train=x_train, y_test=y_test, y_train=y_train, notes=tuple(notes))


def _arranged(array: Array | None, orders: Mapping[str, Order]) -> Array | None:
    return None if array is None else arranged(array, orders)


def _notes(what: str, array: Array | None, orders: Mapping[str, Order]) -> list[str]:
    if array is None:
        return []
    return [
        f"{what}{f' of {name!r}' if name else ''} have their channels first, as the model's file has them: "
        f"{order.shape} are taken as {tuple(order.shape[axis] for axis in order.axes)}"
        for name, part in fields_of(array).items()
        if (order := orders.get(name)) and is_as_in_file(name, part.shape[1:], orders)
    ]
