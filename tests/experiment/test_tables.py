"""Tables that decide something by themselves."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from mcusim.experiment.tables import DatasetChoice, Quantization
from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import COMMAND_LINE, validate


def choice(task: Any) -> DatasetChoice:
    return validate(DatasetChoice, {"name": "digits", "task": task}, COMMAND_LINE)


def test_a_task_for_each_output() -> None:
    assert choice("classification").tasks_of(("a", "b")) == dict.fromkeys("ab", "classification")
    assert choice({"b": "classification"}).tasks_of(("a", "b")) == dict.fromkeys("ab", "classification")
    assert DatasetChoice(name="digits").tasks_of(("",)) == {"": "classification"}


@pytest.mark.parametrize("task", ["clasification", {"a": "clasification"}])
def test_an_unknown_task(task: Any) -> None:
    with pytest.raises(ConfigurationError, match="unknown task 'clasification'") as caught:
        choice(task)
    assert "classification" in (caught.value.hint or "")


def test_an_output_that_the_data_set_has_not() -> None:
    with pytest.raises(ConfigurationError, match="no labels for an output 'wher'") as caught:
        choice({"wher": "classification"}).tasks_of(("who", "where"))
    assert caught.value.hint == "did you mean 'where'?"


def quantization(**written: Any) -> Quantization:
    return validate(Quantization, written, COMMAND_LINE)


def test_data_types_of_single_layers() -> None:
    chosen = quantization(data_type="int8", layers={"conv1": "int16", "logits": "int12"})
    assert chosen.layers == (("conv1", "int16"), ("logits", "int12"))
    assert chosen.label == "int8 conv1=int16 logits=int12"
    assert pickle.loads(pickle.dumps(chosen)) == chosen and hash(chosen)


WRONG = [
    ({"layers": {"a": "float32"}}, "unknown integer data type 'float32'"),
    ({"layers": {"a": 16}}, "layers"),
    ({"layers": ["a"]}, "layers"),
    ({"layers": {"a": "int8"}, "scheme": "per-network", "format": "Q7.1"}, "'layers' has no use"),
]


@pytest.mark.parametrize(("written", "what"), WRONG)
def test_data_types_that_cannot_be(written: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        quantization(data_type="int8", **written)
    with pytest.raises(ConfigurationError, match="float32 is not quantized"):
        quantization(data_type="float32", layers={"a": "int8"})
