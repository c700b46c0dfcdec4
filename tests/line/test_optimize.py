"""What fuses, and what must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcusim.graph import Graph, Output
from mcusim.line.optimize import drop_softmax, optimize
from tests.graphs import Builder


def kinds(builder: Builder) -> list[str]:
    return [layer.kind for layer in optimize(builder.graph())][1:]


def test_relu_joins_the_layer_before_it() -> None:
    builder = Builder((8, 3))
    builder.conv(4, activation="relu6")
    builder.add("MaxPooling1D")
    builder.add("ReLU")
    assert kinds(builder) == ["Conv1D", "MaxPooling1D"]


def test_a_layer_that_two_read_keeps_its_sum() -> None:
    builder = Builder((8, 3))
    start = builder.conv(3, padding="same")
    relu = builder.add("ReLU")
    builder.add("Add", start, relu)
    assert kinds(builder) == ["Conv1D", "ReLU", "Add"]


def test_normalization_after_relu_stays() -> None:
    builder = Builder((8, 3))
    builder.conv(3, activation="relu")
    builder.normalization()
    assert kinds(builder) == ["Conv1D", "BatchNormalization"]


def test_normalization_joins_convolution_and_dense_before_their_relu() -> None:
    builder = Builder((8, 3))
    builder.conv(3)
    builder.normalization()
    builder.add("ReLU")
    builder.add("Flatten")
    builder.dense(4)
    builder.normalization()
    assert kinds(builder) == ["Conv1D", "Reshape", "Dense"]


def test_padding_joins_convolutions_but_not_pooling() -> None:
    builder = Builder((8, 3))
    builder.add("ZeroPadding1D", padding=1)
    builder.conv(3)
    builder.add("ZeroPadding1D", padding=1)
    builder.add("MaxPooling1D")
    assert kinds(builder) == ["Conv1D", "ZeroPadding1D", "MaxPooling1D"]


def test_only_the_softmax_at_the_output_is_dropped() -> None:
    builder = Builder((8, 3))
    builder.add("Softmax")
    builder.conv(3, activation="softmax")
    graph = optimize(builder.graph())
    assert [layer.kind for layer in graph][1:] == ["Softmax", "Conv1D", "Softmax"], "whether it is needed the task says"
    assert drop_softmax(graph, keep=["output"]) is graph
    graph = drop_softmax(graph)
    assert [layer.kind for layer in graph][1:] == ["Softmax", "Conv1D"]
    assert "dropped the softmax" in graph.notes[0]


def test_nothing_to_fuse_with_the_input() -> None:
    builder = Builder((8, 3))
    builder.add("ReLU")
    assert kinds(builder) == ["ReLU"]


def test_scalings_join_their_reader_however_many_there_are() -> None:
    """Neither recursion nor a look at all layers for each."""
    builder = Builder((4,))
    for _ in range(1100):
        builder.add("Rescaling", scale=0.9, offset=0.1)
        builder.dense(4)
    graph, x = builder.graph(), builder.samples()
    assert {layer.kind for layer in optimize(graph)} == {"Input", "Dense"}
    small = Graph(graph.layers[:5])
    np.testing.assert_allclose(optimize(small).run(x), small.run(x), rtol=1e-5, atol=1e-5)


def test_a_scaling_joins_its_reader_through_reshapes_unless_others_read_it() -> None:
    builder = Builder((2, 4))
    builder.add("Rescaling", scale=[1.0, 2.0, 3.0, 4.0], offset=0.5)
    builder.add("Rescaling", scale=0.5, offset=[1.0, 0.0, -1.0, 0.0])
    shared = builder.add("Flatten")
    builder.dense(3)
    graph, x = builder.graph(), builder.samples()
    assert [layer.kind for layer in optimize(graph)] == ["Input", "Reshape", "Dense"]
    np.testing.assert_allclose(optimize(graph).run(x), graph.run(x), rtol=1e-5, atol=1e-5)
    read = replace(graph, outputs=(Output("end", graph.layers[-1].name), Output("flat", shared)))
    assert [layer.kind for layer in optimize(read)].count("BatchNormalization") == 2
