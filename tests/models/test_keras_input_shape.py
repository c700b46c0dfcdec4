"""Axes that a file leaves open, and what users tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from mcusim.models import read_model
from mcusim.system.errors import ModelError
from tests.keras_files import called, dense, functional, numbers, sequential, start, tensor, write_keras


@pytest.fixture
def open_length(tmp_path: Path) -> Path:
    """A Dense on each step of a series of any length."""
    weights = {"layers/dense": [numbers(3, 2), numbers(2)]}
    return write_keras(tmp_path / "model.keras", sequential(start(None, 3), dense("dense", 2)), weights)


def test_a_told_length_is_that_of_the_graph(open_length: Path) -> None:
    graph = read_model(open_length, "model", {"": (5, 3)}).graph
    assert [layer.shape for layer in graph] == [(5, 3), (5, 2)]
    x = numbers(4, 5, 3)
    np.testing.assert_allclose(graph.run(x).reshape(4, 5, 2), x @ numbers(3, 2) + numbers(2), rtol=1e-5)


def test_without_it_the_error_tells_how(open_length: Path) -> None:
    with pytest.raises(ModelError, match=r"shape \(None, 3\)") as caught:
        read_model(open_length, "model")
    assert "input_shape = [128, 3] in [[model]]" in str(caught.value.hint), (
        "as many axes as it has, those that it tells"
    )
    assert "Input((128, 3))" in str(caught.value.hint)


@pytest.mark.parametrize("told", [{"": (5,)}, {"": (5, 4)}, {"": (5, 3, 1)}, {"other": (5, 3)}])
def test_what_contradicts_the_model_is_an_error(open_length: Path, told: Mapping[str, tuple[int, ...]]) -> None:
    with pytest.raises(ModelError, match="input_shape") as caught:
        read_model(open_length, "model", told)
    assert caught.value.hint


def test_inputs_are_told_by_name(tmp_path: Path) -> None:
    joined = called({"class_name": "Concatenate", "config": {"name": "both", "axis": 1}}, _pair("a", "b"))
    starts = [{**start(None, 2, name=name), "name": name, "inbound_nodes": []} for name in "ab"]
    description = functional([*starts, joined], [["a", 0, 0], ["b", 0, 0]], [["both", 0, 0]])
    path = write_keras(tmp_path / "model.keras", description, {})
    graph = read_model(path, "model", {"a": (2, 2), "b": (3, 2)}).graph
    assert [layer.shape for layer in graph] == [(2, 2), (3, 2), (5, 2)]


def _pair(*names: str) -> dict[str, object]:
    return {"args": [[tensor(name) for name in names]], "kwargs": {}}
