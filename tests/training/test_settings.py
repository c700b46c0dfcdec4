"""The [training] table: ranges and the step schedule."""

from __future__ import annotations

from typing import Any

import pytest

from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import Place, validate
from mcusim.training.settings import TrainingSettings


def test_rate_falls_when_milestones_are_done() -> None:
    settings = TrainingSettings(epochs=300, milestones=(100, 200, 250))
    assert [settings.rate(epoch) for epoch in (0, 99)] == [0.05, 0.05]
    assert settings.rate(100) == pytest.approx(0.05 * 0.13)
    assert settings.rate(249) == pytest.approx(0.05 * 0.13**2)
    assert settings.rate(299) == pytest.approx(0.05 * 0.13**3)


def test_milestones_come_as_a_list_from_toml() -> None:
    assert TrainingSettings(milestones=[3, 5]).milestones == (3, 5)  # type: ignore[arg-type]


def test_whole_numbers_from_toml_are_numbers() -> None:
    settings = TrainingSettings(learning_rate=1, momentum=0, mixup=1)
    assert all(isinstance(value, float) for value in (settings.learning_rate, settings.momentum, settings.mixup))


def test_edges_of_the_ranges_are_allowed() -> None:
    TrainingSettings(epochs=1, batch_size=1, momentum=0, weight_decay=0, gamma=1, mixup=0, validation=0.5)


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"epochs": 2.0},
        {"epochs": True},
        {"epochs": 10**9},
        {"batch_size": 0},
        {"batch_size": "64"},
        {"optimizer": "rmsprop"},
        {"schedule": "linear"},
        {"flip": 1},
        {"shift": -1},
        {"cutout": 0.5},
        {"noise": -0.1},
        {"patience": -1},
        {"optimizer": ["sgd"]},
        {"learning_rate": 0},
        {"learning_rate": -0.1},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"learning_rate": "fast"},
        {"momentum": 1},
        {"momentum": -0.5},
        {"weight_decay": -1e-4},
        {"gamma": 0},
        {"gamma": 1.1},
        {"mixup": -1},
        {"mixup": None},
        {"validation": 0.6},
        {"milestones": 100},
        {"milestones": [0]},
        {"milestones": [20, 10]},
        {"milestones": [10, 10]},
        {"milestones": [1.5]},
        {"milestones": [2.0]},
        {"milestones": [True]},
        {"learning_rate": 10**400},
    ],
)
def test_out_of_range(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"'{next(iter(values))}' is ") as caught:
        validate(TrainingSettings, values, Place("[training]"))
    assert caught.value.hint and caught.value.where == "[training]"


def test_cosine_falls_to_nothing() -> None:
    settings = TrainingSettings(epochs=10, learning_rate=1, schedule="cosine")
    assert [settings.rate(done) for done in (0, 5, 10)] == pytest.approx([1, 0.5, 0])


def test_one_cycle_rises_before_it_falls() -> None:
    settings = TrainingSettings(epochs=10, learning_rate=1, schedule="one-cycle")
    assert [settings.rate(done) for done in (0, 1.5, 3, 6.5, 10)] == pytest.approx([0.04, 0.52, 1, 0.5, 0])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"schedule": "cosine", "milestones": [2]}, "'milestones' are of schedule 'step', not 'cosine'"),
        ({"patience": 3}, "'patience' needs samples that are held out"),
    ],
)
def test_what_does_not_go_together(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        validate(TrainingSettings, values, Place("[training]"))
    assert caught.value.hint
