"""Parameters of architectures: checked, with defaults, one number or a list."""

from __future__ import annotations

from typing import Any

import pytest

from mcusim.system.errors import ConfigurationError
from mcusim.training.architectures import ARCHITECTURES
from mcusim.training.parameters import CnnParameters, MlpParameters, ResNetV1Parameters, read_parameters


def test_nothing_given_gives_defaults() -> None:
    assert read_parameters(MlpParameters, {}, "mlp") == MlpParameters()
    assert read_parameters(ResNetV1Parameters, {}, "resnetv1").stages == ((16, 3, 1), (16, 3, 2))


def test_one_number_stands_for_all() -> None:
    cnn = read_parameters(CnnParameters, {"filters": [4, 8, 16], "kernel_size": 5, "pool_size": [2, 1, 2]}, "cnn")
    assert cnn.stages == ((4, 5, 2), (8, 5, 1), (16, 5, 2))


def test_resnet_stages() -> None:
    given = {"filters": [8, 16, 32], "kernel_size": [7, 3, 3], "strides": [2, 1, 2], "blocks": [2, 3]}
    assert read_parameters(ResNetV1Parameters, given, "resnetv1").stages == ((8, 7, 2), (16, 3, 1), (32, 3, 2))


@pytest.mark.parametrize(
    ("architecture", "given", "message"),
    [
        ("cnn", {"filter": 3}, "no parameter 'filter'.*\n.*\n.*did you mean 'filters'"),
        ("cnn", {"filters": 0}, "'filters' is 0"),
        ("cnn", {"filters": [8, -1]}, "'filters' is"),
        ("cnn", {"filters": []}, "'filters' is"),
        ("cnn", {"filters": [8.0]}, "'filters' is"),
        ("cnn", {"filters": "16"}, "'filters' is '16'"),
        ("cnn", {"filters": True}, "'filters' is True"),
        ("cnn", {"filters": 10**9}, "'filters' is 1000000000"),
        ("cnn", {"filters": [1] * 65}, "'filters' is"),
        ("cnn", {"filters": [4, 8], "kernel_size": [3, 3, 3]}, "'kernel_size' has 3 entries, 2 are needed"),
        ("cnn", {"filters": [4, 8], "pool_size": [2, 2, 2]}, "'pool_size' has 3 entries"),
        ("cnn", {"global_pool": "median"}, "'global_pool' is 'median'"),
        ("cnn", {"global_pool": ["max"]}, "'global_pool' is"),
        ("cnn", {"dropout": 1}, "'dropout' is 1"),
        ("cnn", {"dropout": float("nan")}, "'dropout' is nan"),
        ("cnn", {"batch_norm": 1}, "'batch_norm' is 1"),
        ("mlp", {"units": {"a": 1}}, "'units' is"),
        ("resnetv1", {"strides": [1, 2, 2]}, "'strides' has 3 entries, 2 are needed"),
        ("resnetv1", {"blocks": [1] * 3, "filters": [8, 8]}, "'filters' has 2 entries, 4 are needed"),
    ],
)
def test_refused_before_keras_is_imported(architecture: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        ARCHITECTURES[architecture].make(given, (32, 32, 3))
    assert caught.value.hint
