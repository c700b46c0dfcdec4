"""A model that does not take or answer what the data set has is refused, and told what would help."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.datasets.dataset import Dataset
from mcusim.graph import Graph
from mcusim.line.fit import check_fits
from mcusim.system.errors import DataError
from mcusim.system.records import records_of
from mcusim.tasks import classification
from tests.graphs import Builder, several


class Anything:
    """A task that every output is good for."""

    NAME = "anything"

    @staticmethod
    def check(elements: int, dataset: Dataset, model: str, output: str) -> None:
        assert (elements, model, output) == (3, "model", "")


def dataset(shape: tuple[int, ...], classes: int) -> Dataset:
    x, y = np.zeros((2, *shape), np.float32), np.zeros(2, np.int64)
    return Dataset("mine", x, y, x, y, tuple(map(str, range(classes))))


def graph() -> Graph:
    builder = Builder((4,))
    builder.add("Dense", units=3, arrays=(builder.weights(4, 3, fan_in=4), np.zeros(3, np.float32)))
    return builder.graph()


TASKS = {"": classification}


def test_one_input_and_one_output() -> None:
    check_fits(graph(), dataset((4,), 3), TASKS)
    with pytest.raises(DataError, match=r"samples of data set 'mine' have shape \(5,\), model 'model' takes \(4,\)"):
        check_fits(graph(), dataset((5,), 3), TASKS)
    with pytest.raises(DataError, match="has 6 classes, model 'model' tells 3 apart"):
        check_fits(graph(), dataset((4,), 6), TASKS)
    check_fits(graph(), dataset((4,), 6), {"": Anything})  # type: ignore[dict-item]


def of_several(**changes: tuple[int, ...]) -> Dataset:
    """A data set for `several()`: shapes by input; outputs all have the classes that the model tells apart."""
    model, _ = several()
    shapes = {**{layer.name: layer.shape for layer in model.inputs}, **changes}
    x = records_of({name: np.zeros((2, *shape), np.float32) for name, shape in shapes.items()})
    y = records_of({output.name: np.zeros(2, np.int64) for output in model.outputs})
    ends = zip(model.outputs, model.ends, strict=True)
    return Dataset("mine", x, y, x, y, {output.name: tuple(map(str, range(end.elements))) for output, end in ends})


def test_several_inputs_and_outputs_belong_together_by_name() -> None:
    model, _ = several()
    tasks = {output.name: classification for output in model.outputs}
    check_fits(model, of_several(), tasks)
    with pytest.raises(
        DataError, match=r"samples of 'image\*/' of data set 'mine' have shape \(2, 2, 3\), model 'several'"
    ):
        check_fits(model, of_several(**{"image*/": (2, 2, 3)}), tasks)
    with pytest.raises(
        DataError, match=r"has the inputs 'input', 'image.*', data set 'mine' 'input', 'image.*', 'smell'"
    ):
        check_fits(model, of_several(smell=(4,)), tasks)
    with pytest.raises(DataError, match="data set 'mine' one without a name") as caught:
        check_fits(model, dataset((4,), 3), TASKS)
    assert "x_train_input, x_train_image*/" in str(caught.value.hint)
    with pytest.raises(DataError, match=r"model 'model' has the outputs 'output'|has the inputs 'input'"):
        check_fits(graph(), of_several(), tasks)


def test_classes_of_each_output_are_counted() -> None:
    model, _ = several()
    tasks = {output.name: classification for output in model.outputs}
    classes = {**of_several().classes, "soft": ("a", "b")}  # type: ignore[dict-item]
    told = of_several()
    with pytest.raises(DataError, match="data set 'mine' has 2 classes of 'soft', model 'several' tells 3 apart"):
        check_fits(model, Dataset("mine", told.x_train, told.y_train, told.x_test, told.y_test, classes), tasks)
