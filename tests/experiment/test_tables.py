"""Tables that decide something by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from mcusim.experiment.tables import DatasetChoice
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
