"""Samples and targets in the order of a file whose channels come first, and in that of its graph."""

from __future__ import annotations

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.line.arrange import arrange
from mcusim.models.source import Order, Source
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of, records_of
from tests.graphs import Builder

FIRST, LAST = (3, 4, 5), (4, 5, 3)
ORDERS = {"": Order(FIRST, (1, 2, 0))}
GRAPH = Builder(LAST).graph()
SOURCE = Source(GRAPH, input_orders=ORDERS, output_orders=ORDERS)


def numbers(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def dataset(x: Array, y: Array | None) -> Dataset:
    return Dataset("some", x_train=x[:2], y_train=None if y is None else y[:2], x_test=x, y_test=y)


def test_what_has_the_shape_of_the_file_is_moved_and_told() -> None:
    x, y = numbers(4, *FIRST), numbers(4, *FIRST)
    made = arrange(SOURCE, dataset(x, y))
    assert (made.x_test == x.transpose(0, 2, 3, 1)).all() and made.x_train is not None and made.y_train is not None
    assert made.x_train.shape == made.y_train.shape == (2, *LAST)
    assert made.y_test is not None and (made.y_test == y.transpose(0, 2, 3, 1)).all()
    assert len(made.notes) == 2 and "(3, 4, 5) are taken as (4, 5, 3)" in made.notes[0]


def test_what_lies_as_the_graph_has_it_stays() -> None:
    """So do labels, and samples of another shape altogether, which are refused later on."""
    for x in (numbers(4, *LAST), numbers(4, 7)):
        given = dataset(x, np.arange(4))
        assert arrange(SOURCE, given) is given


def test_axes_of_length_1_may_be_left_out() -> None:
    source = Source(GRAPH, input_orders={"": Order((3, 1, 8), (1, 2, 0))})
    x = numbers(4, 3, 8)
    assert (arrange(source, dataset(x, None)).x_test == x.reshape(4, 3, 1, 8).transpose(0, 2, 3, 1)).all()


def test_of_several_inputs_each_has_its_own_order() -> None:
    source = Source(GRAPH, input_orders={"image": ORDERS[""]})
    x = records_of({"image": numbers(4, *FIRST), "other": numbers(4, *FIRST)})
    fields = fields_of(arrange(source, dataset(x, None)).x_test)
    assert fields["image"].shape[1:] == LAST and fields["other"].shape[1:] == FIRST
