"""A model that does not take or answer what the data set has is refused, and told what would help."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcusim.datasets.dataset import Dataset
from mcusim.experiment.tables import TaskChoice
from mcusim.graph import Graph
from mcusim.line.fit import fit
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.system.records import records_of
from tests.graphs import Builder, several


def dataset(shape: tuple[int, ...], classes: int, **changes: Any) -> Dataset:
    x, y = np.zeros((2, *shape), np.float32), np.zeros(2, np.int64)
    whole = {"x_train": x, "y_train": y, "x_test": x, "y_test": y, "classes": tuple(map(str, range(classes)))}
    return Dataset("mine", **{**whole, **changes})


def graph(shape: tuple[int, ...] = (4,), end: str | None = None) -> Graph:
    builder = Builder(shape)
    if len(shape) > 1:
        builder.add("Flatten")
    features = int(np.prod(shape))
    builder.add("Dense", units=3, arrays=(builder.weights(features, 3, fan_in=features), np.zeros(3, np.float32)))
    if end:
        builder.add(end)
    return builder.graph()


def test_one_input_and_one_output() -> None:
    judge = fit(graph(), dataset((4,), 3)).judges[""]
    assert judge.task.NAME == "classification" and judge.labels is not None and judge.labels.tolist() == [0, 0]
    with pytest.raises(DataError, match=r"samples of data set 'mine' have shape \(5,\), model 'model' takes \(4,\)"):
        fit(graph(), dataset((5,), 3))
    with pytest.raises(DataError, match="has 6 classes, model 'model' tells 3 apart"):
        fit(graph(), dataset((4,), 6))


def test_what_the_user_says_of_the_task_holds() -> None:
    data = dataset((4,), 6)
    assert fit(graph(), data, TaskChoice(kind="none")).judges[""].task.NAME == "none"
    asked = fit(graph(), dataset((4,), 3), TaskChoice(top_k=2)).judges[""].asked
    assert (asked.threshold, asked.top_k, asked.end, asked.shape, asked.inputs) == (None, 2, "Dense", (3,), ((4,),))
    with pytest.raises(ConfigurationError, match="kind is given for an output 'other', which the model has not"):
        fit(graph(), data, TaskChoice(kind={"other": "none"}))


def test_a_softmax_is_the_end_though_it_will_be_dropped() -> None:
    assert fit(graph(end="Softmax"), dataset((4,), 3)).judges[""].asked.end == "Softmax"


def test_axes_of_length_1_are_added_and_told() -> None:
    fitted = fit(graph((2, 3, 1)), dataset((2, 3), 3))
    assert fitted.dataset.x_test.shape == (2, 2, 3, 1) and fitted.dataset.inputs == {"": (2, 3, 1)}
    assert fitted.dataset.x_train is not None and fitted.dataset.x_train.shape == (2, 2, 3, 1)
    assert fitted.notes == ("samples of shape (2, 3) are taken as (2, 3, 1)",)
    assert fit(graph((4,)), dataset((4, 1), 3, x_train=None)).dataset.x_test.shape == (2, 4)


@pytest.mark.parametrize(
    ("have", "takes", "hint"),
    [
        ((3, 4, 6), (4, 6, 3), "the axes are in another order: x.transpose(0, 2, 3, 1)"),
        ((3, 4, 4), (4, 4, 3), "channels come last: x.transpose(0, 2, 3, 1)"),
        ((8, 2), (2, 8), "the axes are in another order: x.transpose(0, 2, 1)"),
        ((4, 6, 1), (24,), "if they are in that order, x.reshape(-1, 24)"),
        ((24,), (4, 6), "if they are in that order, x.reshape(-1, 4, 6)"),
        ((4, 4, 3), (4, 4, 1), "the model takes 1 channels, the samples have 3; "),
        ((5,), (4,), "check the data set, or choose the model that was trained on it"),
        ((7, 3), (4, 6), "check the data set, or choose the model that was trained on it"),
    ],
)
def test_samples_of_another_shape_are_refused_with_a_line_that_helps(
    have: tuple[int, ...], takes: tuple[int, ...], hint: str
) -> None:
    with pytest.raises(DataError, match="model 'model' takes") as caught:
        fit(graph(takes), dataset(have, 3))
    assert caught.value.hint and hint in caught.value.hint


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
    judges = fit(model, of_several()).judges
    assert {judge.task.NAME for judge in judges.values()} == {"classification"}
    assert list(judges) == [output.name for output in model.outputs]
    with pytest.raises(
        DataError, match=r"samples of 'image\*/' of data set 'mine' have shape \(2, 2, 3\), model 'several'"
    ):
        fit(model, of_several(**{"image*/": (2, 2, 3)}))
    with pytest.raises(
        DataError, match=r"has the inputs 'input', 'image.*', data set 'mine' 'input', 'image.*', 'smell'"
    ):
        fit(model, of_several(smell=(4,)))
    with pytest.raises(DataError, match="data set 'mine' one without a name") as caught:
        fit(model, dataset((4,), 3))
    assert "x_test_input, x_test_image*/" in str(caught.value.hint)
    with pytest.raises(DataError, match=r"model 'model' has the inputs 'input'"):
        fit(graph(), of_several())


def test_outputs_without_targets_are_only_run() -> None:
    model, _ = several()
    first, *others = [output.name for output in model.outputs]
    y = records_of({first: np.zeros(2, np.int64), others[0]: np.zeros(2, np.int64)})
    kinds = {
        name: judge.task.NAME for name, judge in fit(model, replace(of_several(), y_train=y, y_test=y)).judges.items()
    }
    assert [kinds[name] for name in (first, *others[:1])] == ["classification"] * 2
    assert all(kinds[name] == "none" for name in others[1:])
    judges = fit(model, replace(of_several(), y_test=None, y_train=None)).judges
    assert {judge.task.NAME for judge in judges.values()} == {"none"}
    with pytest.raises(DataError, match="has the outputs"):
        fit(model, replace(of_several(), y_train=None, y_test=records_of({first: y[first], "lost": y[first]})))


def test_each_output_has_its_own_task_and_threshold() -> None:
    model, _ = several()
    first, *others = [output.name for output in model.outputs]
    judges = fit(model, of_several(), TaskChoice(kind={first: "none"}, top_k=2)).judges
    assert judges[first].task.NAME == "none" and judges[others[0]].task.NAME == "classification"
    assert judges[first].uses == () and judges[others[0]].uses == ("top_k",)
    with pytest.raises(ConfigurationError, match="'threshold' has no use for none by 3 outputs of 'gesture'"):
        fit(model, of_several(), TaskChoice(kind={first: "none"}, threshold={first: 0.5}))


@pytest.mark.parametrize(
    "choice",
    [{"threshold": 0.3}, {"kind": "none", "threshold": 0.3}, {"kind": "none", "top_k": 2}],
)
def test_an_option_that_changes_nothing_is_refused(choice: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"has no use for .* by 3 outputs of model 'model'") as caught:
        fit(graph(), dataset((4,), 3), TaskChoice(**choice))
    assert caught.value.hint and caught.value.hint.startswith("remove it")


def test_classes_of_each_output_are_counted() -> None:
    model, _ = several()
    told = of_several()
    classes = {**told.classes, "soft": ("a", "b")}  # type: ignore[dict-item]
    with pytest.raises(DataError, match="data set 'mine' has 2 classes of 'soft', model 'several' tells 3 apart"):
        fit(model, replace(told, classes=classes))
