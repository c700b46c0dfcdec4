"""Architectures as Keras builds them: shapes, sizes, and the paper's ResNetv1-6 exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.line.optimize import drop_softmax, optimize
from mcusim.line.quantize import quantize
from mcusim.system.errors import ConfigurationError
from mcusim.training.architectures import build_model
from tests.compiled import run_compiled
from tests.live_keras import graph_of

pytestmark = pytest.mark.train

# filters: (parameters, MACs) for 128 x 9 inputs and 6 classes
RESNETV1_6 = {
    16: (3_958, 333_920),
    24: (8_430, 709_776),
    32: (14_566, 1_224_896),
    40: (22_366, 1_879_280),
    48: (31_830, 2_672_928),
    64: (55_750, 4_678_016),
    80: (86_326, 7_240_160),
}


@pytest.mark.parametrize("filters", RESNETV1_6)
def test_resnetv1_6_has_the_size_of_the_papers(filters: int) -> None:
    graph = graph_of(build_model("resnetv1", {"filters": filters}, (128, 9), 6), "resnet")
    assert (graph.parameters, graph.macs) == RESNETV1_6[filters]


def test_resnetv1_6_topology() -> None:
    """The shortcut's convolution sees all 128 positions and pools afterwards; ReLU follows the pool in block 1."""
    model = build_model("resnetv1", {"filters": 16}, (128, 9), 6)
    inputs = {
        layer.name: [tensor._keras_history[0].name for tensor in _list(layer.input)] for layer in model.layers[1:]
    }
    assert inputs == {
        "conv1": ["input"],
        "relu1": ["conv1"],
        "block1_conv1": ["relu1"],
        "block1_pool": ["block1_conv1"],
        "block1_relu1": ["block1_pool"],
        "block1_conv2": ["block1_relu1"],
        "block1_shortcut": ["relu1"],
        "block1_shortcut_pool": ["block1_shortcut"],
        "block1_add": ["block1_conv2", "block1_shortcut_pool"],
        "block1_relu2": ["block1_add"],
        "block2_conv1": ["block1_relu2"],
        "block2_relu1": ["block2_conv1"],
        "block2_conv2": ["block2_relu1"],
        "block2_add": ["block2_conv2", "block1_relu2"],
        "block2_relu2": ["block2_add"],
        "global_pool": ["block2_relu2"],
        "logits": ["global_pool"],
        "softmax": ["logits"],
    }
    assert model.get_layer("block1_shortcut").kernel_size == (1,)
    assert model.get_layer("block1_shortcut").output.shape == (None, 128, 16)
    assert model.get_layer("block1_conv1").kernel_size == (3,)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


CASES: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("mlp", {"units": [12, 7]}, (5,)),
    ("mlp", {"units": [], "dropout": 0.5}, (6, 2)),
    ("mlp", {"units": 9, "batch_norm": True, "dropout": 0.1}, (4, 4, 3)),
    ("cnn", {"filters": [4, 8], "units": [10]}, (20, 3)),
    ("cnn", {"filters": 4, "kernel_size": 4, "pool_size": 1, "global_pool": "average"}, (9, 9, 2)),
    ("cnn", {"filters": [4, 4], "batch_norm": True, "dropout": 0.2, "global_pool": "max"}, (8, 9, 1)),
    ("cnn", {"filters": 4, "padding": "valid"}, (9, 9, 2)),
    ("resnet8", {"filters": [4, 6]}, (9, 8, 2)),
    ("resnetv1", {"filters": 4, "batch_norm": True}, (16, 2)),
    ("resnetv1", {"filters": [4, 4, 8], "blocks": [2, 1], "strides": [2, 1, 2]}, (16, 15, 3)),
    ("resnetv1", {"filters": 4, "blocks": 1, "strides": 1, "global_pool": "none"}, (7, 2)),
    ("dscnn", {"filters": 4, "blocks": 1}, (12, 3)),
    ("dscnn", {"filters": 4, "blocks": 1, "kernel_size": 3, "strides": [2, 1]}, (9, 8, 1)),
    ("lstm", {"units": [4, 3]}, (6, 2)),
    ("gru", {"units": 4, "bidirectional": True, "dropout": 0.1}, (5, 3, 2)),
]


@pytest.mark.parametrize(("architecture", "parameters", "shape"), CASES)
def test_every_variant_becomes_the_same_graph(
    architecture: str, parameters: dict[str, Any], shape: tuple[int, ...]
) -> None:
    model = build_model(architecture, parameters, shape, 3, seed=1)
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    answers = np.asarray(model(x, training=False))
    assert answers.shape == (4, 3)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(graph_of(model, "model").run(x), answers, atol=1e-5)


SMALL: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("dscnn", {"filters": 4, "blocks": 1}, (12, 6, 1)),
    ("mobilenet", {"width": 0.01, "first_stride": 1}, (8, 1)),
    ("lstm", {"units": 3}, (4, 2)),
    ("gru", {"units": 3, "bidirectional": True}, (4, 2)),
    ("autoencoder", {"units": [4, 2, 4]}, (3, 2)),
]


@pytest.mark.parametrize(("architecture", "parameters", "shape"), SMALL, ids=[name for name, *_ in SMALL])
def test_its_integers_are_bit_exact_in_c(architecture: str, parameters: dict[str, Any], shape: tuple[int, ...]) -> None:
    source = graph_of(build_model(architecture, parameters, shape, 3, seed=1), "model")
    x = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    quantized = quantize(optimize(drop_softmax(source)), x, "int8", scheme="per-channel")
    np.testing.assert_array_equal(run_compiled(quantized, x), quantized.run(x))


def test_the_networks_of_cifar_10_have_their_sizes() -> None:
    """The papers' parameters, and maps of 30, 13, 11, 9, 2. MLPerf counts those of its normalizations."""
    lenet, alexnet, resnet8 = (build_model(name, {}, (32, 32, 3), 10) for name in ("lenet", "alexnet", "resnet8"))
    assert (lenet.count_params(), resnet8.count_params()) == (122_570, 78_666)
    for model, widths in ((lenet, [30, 13, 4]), (alexnet, [30, 13, 11, 9, 2])):
        assert [layer.output.shape[1] for layer in model.layers if layer.name.startswith("conv")] == widths
    assert resnet8.get_layer("block3_add").output.shape == (None, 8, 8, 64)


def test_the_networks_of_mlperf_tiny_have_their_sizes() -> None:
    """As its reference models print them: https://github.com/mlcommons/tiny."""
    keywords, words = build_model("dscnn", {}, (49, 10, 1), 12), build_model("mobilenet", {}, (96, 96, 3), 2)
    anomalies = build_model("autoencoder", {}, (640,), 0)
    assert [model.count_params() for model in (keywords, words, anomalies)] == [24_908, 221_794, 269_992]
    assert words.get_layer("block13_relu2").output.shape == (None, 3, 3, 256)


def test_an_autoencoder_answers_samples() -> None:
    model = build_model("autoencoder", {"units": [3]}, (4, 2), 0, seed=1)
    x = np.random.default_rng(0).normal(size=(4, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(
        graph_of(model, "model").run(x).reshape(x.shape), np.asarray(model(x, training=False)), atol=1e-5
    )


def test_two_dimensions_follow_the_input() -> None:
    model = build_model("resnetv1", {"filters": 4}, (16, 16, 3), 10)
    assert type(model.get_layer("conv1")).__name__ == "Conv2D"
    assert model.get_layer("block1_pool").output.shape == (None, 8, 8, 4)


def test_a_stage_that_widens_has_a_projection_and_others_none() -> None:
    names = {layer.name for layer in build_model("resnetv1", {"filters": [4, 8], "strides": 1}, (8, 2), 2).layers}
    assert "block1_shortcut" in names and "block2_shortcut" not in names
    assert "block1_shortcut_pool" not in names


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (build_model("mlp", {}, (4,), 2, seed=seed).get_weights()[0] for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("architecture", "parameters", "shape", "classes", "message"),
    [
        ("resnet", {}, (128, 9), 6, "no architecture 'resnet'.*\n.*did you mean 'resnet8'"),
        ("resnetv1", {}, (9,), 6, r"'resnetv1' cannot take samples of shape \(9,\)"),
        ("cnn", {}, (2, 2, 2, 2), 6, "'cnn' cannot take samples"),
        ("cnn", {"filters": [2, 2, 2, 2]}, (8, 8, 1), 3, "'pool4' pools 2 values where only 1 are left"),
        ("resnetv1", {"strides": [1, 9]}, (8, 8, 1), 3, "'block1_pool' pools 9 values where only 8 are left"),
        ("lenet", {}, (12, 12, 3), 10, "'conv3' reads 3 values where only 1 are left"),
        ("mlp", {}, (4,), 1, "needs 2 classes"),
        ("cnn", {"filters": 4096, "kernel_size": 999}, (8, 8, 3), 2, "'conv1' would have 12,263,436,288 weights"),
        ("dscnn", {"kernel_size": [3, 3]}, (9, 2), 3, "'kernel_size' has 2 entries, 1 are needed"),
        ("lstm", {"units": 4096}, (9, 2), 3, "'lstm1' would have 67,141,632 weights"),
        ("gru", {}, (9,), 3, "'gru' cannot take samples"),
        ("autoencoder", {"units": 4096}, (4096, 2), 0, "'dense1' would have 33,554,432 weights"),
        ("mlp", {"units": 4096}, (4097,), 2, "'dense1' would have 16,781,312 weights"),
    ],
)
def test_what_does_not_fit(
    architecture: str, parameters: dict[str, Any], shape: tuple[int, ...], classes: int, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        build_model(architecture, parameters, shape, classes)
    assert caught.value.hint
