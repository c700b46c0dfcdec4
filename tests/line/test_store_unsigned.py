"""Tensors of affine numbers without a sign: the same answers, and only where everybody can take them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.graph import Graph, Layer
from mcusim.layers.add import Add
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.dense import Dense
from mcusim.layers.merge import Multiply, Subtract
from mcusim.layers.pointwise import Pointwise
from mcusim.layers.pooling import AveragePooling, MaxPooling
from mcusim.layers.reshape import Reshape
from mcusim.layers.softmax import Softmax
from mcusim.layers.transposed_convolution import TransposedConvolution
from mcusim.line.store_unsigned import store_unsigned
from mcusim.numbers import affine, affine_functions, affine_softmax
from mcusim.numbers.affine import Affine
from mcusim.numbers.functions import FUNCTIONS
from mcusim.numbers.numbers import RELU
from mcusim.system.arrays import Array
from tests.affine_nets import Net
from tests.compiled import run_compiled


class Least(Net):
    """Every tensor's zero is the least number, as behind a ReLU; but the input's."""

    def numbers(self, bits: int = 8) -> Affine:
        zero = -128 if hasattr(self, "layers") else 5
        return replace(super().numbers(bits), zero=zero)


def network(seed: int) -> Graph:
    """All that can be stored so, in a row."""
    net = Least(seed, (6, 6, 4))
    net.convolution(8)
    first = net.last
    window = {"input_shape": first.shape, "size": (3, 3), "strides": (1, 1), "padding": ((1, 1), (1, 1))}
    net.layers.append(MaxPooling(**net.given(first.shape), **window, numbers=net.entry()))  # type: ignore[arg-type]
    mean = affine.averaging(net.entry(), 9)
    net.layers.append(AveragePooling(**net.given(first.shape), **window, averaging=mean, numbers=mean.numbers))  # type: ignore[arg-type]
    net.convolution(8, groups=8)
    second, out = net.last, net.numbers()
    total = affine.addition([affine.as_affine(one.numbers) for one in (first, second)], out)  # type: ignore[arg-type]
    net.layers.append(Add(**net.given(first.shape, first, second), addition=total, numbers=out, activation=RELU))  # type: ignore[arg-type]
    added, out = net.last, net.numbers()
    both = tuple(affine.conversion(affine.as_affine(one.numbers), out) for one in (first, added))  # type: ignore[arg-type]
    given = net.given((6, 6, 16), first, added)
    net.layers.append(Concatenate(**given, axis=2, conversions=both, numbers=out))  # type: ignore[arg-type]
    spread = net.sum_of((4, 2, 2, 16), fold=False)
    around = {"input_shape": (6, 6, 16), "strides": (2, 2), "cut": (0, 0)}
    net.layers.append(TransposedConvolution(**net.given((12, 12, 4)), **around, **spread))  # type: ignore[arg-type]
    whole = {"input_shape": (12, 12, 4), "size": (12, 12), "strides": (12, 12), "padding": ((0, 0), (0, 0))}
    means = affine.mean(net.entry(), net.numbers(), 144)
    net.layers.append(AveragePooling(**net.given((1, 1, 4)), **whole, averaging=means, numbers=means.numbers))  # type: ignore[arg-type]
    net.layers.append(Reshape(**net.given((4,)), numbers=net.last.numbers))  # type: ignore[arg-type]
    net.layers.append(Dense(**net.given((5,)), **net.sum_of((5, 4))))  # type: ignore[arg-type]
    chances = affine_softmax.softmax(net.entry(), Affine(8, 1 / 256, -128))
    net.layers.append(Softmax(**net.given((5,)), softmaxing=chances, numbers=chances.numbers))  # type: ignore[arg-type]
    return net.graph()


def samples(graph: Graph) -> Array:
    q = np.random.default_rng(1).integers(-128, 128, (16, *graph.inputs[0].shape))
    q[0], q[1] = -128, 127
    numbers = graph.inputs[0].numbers
    assert numbers is not None
    return numbers.decode(q)


def signed(layer: Layer) -> bool:
    assert isinstance(layer.numbers, Affine)
    return layer.numbers.signed


@pytest.mark.parametrize("seed", range(6))
def test_answers_are_the_same(seed: int) -> None:
    graph = network(seed)
    stored, x = store_unsigned(graph), samples(graph)
    names = [layer.name for layer in stored if not signed(layer)]
    # All but the input, what the softmax reads, which takes signs alone, and its own output.
    assert names == [layer.name for layer in graph.layers[1:-2]]
    wanted = graph.run(x)
    assert np.array_equal(stored.run(x), wanted)
    assert np.array_equal(run_compiled(stored, x), wanted)
    inner = graph.layers[:-4]  # up to where many numbers are left
    cut = replace(graph, layers=inner, outputs=())
    assert len(np.unique(cut.run(x))) > 20
    assert np.array_equal(store_unsigned(cut).run(x), cut.run(x))


def test_what_is_joined_in_the_numbers_that_it_has() -> None:
    """As TFLite joins, which demands equal scales: nothing is converted."""
    net = Least(1, (6, 6, 4))
    net.convolution(8)
    one = net.last
    net.layers.append(Concatenate(**net.given((6, 6, 16), one, one), axis=2, numbers=one.numbers))  # type: ignore[arg-type]
    net.convolution(4)
    graph = net.graph()
    stored, x = store_unsigned(graph), samples(graph)
    assert [signed(layer) for layer in stored][:3] == [True, False, False]
    assert np.array_equal(stored.run(x), graph.run(x))
    assert np.array_equal(run_compiled(stored, x), graph.run(x))


def test_proofs_are_made_anew() -> None:
    graph = network(0)
    stored = store_unsigned(graph)
    second = next(layer for layer in graph.layers[4:] if layer.kind == "DepthwiseConv2D")
    weights = second.weights["kernel"].reshape(8, -1).astype(int)
    most = max(np.maximum(weights, 0).sum(axis=1).max(), np.maximum(-weights, 0).sum(axis=1).max())
    assert 255 * most <= stored[second.name].accumulator_peak <= 255 * most + 128 * np.abs(weights).sum() + 3000


def test_one_who_cannot_take_it_keeps_its_input_as_it_was() -> None:
    net = Least(3, (6, 6, 4))
    net.convolution(8)
    net.layers.append(Reshape(**net.given((288,)), numbers=net.last.numbers))  # type: ignore[arg-type]
    chances = affine_softmax.softmax(net.entry(), Affine(8, 1 / 256, -128))
    net.layers.append(Softmax(**net.given((288,)), softmaxing=chances, numbers=chances.numbers))  # type: ignore[arg-type]
    graph = net.graph()
    assert store_unsigned(graph) is graph


def number_by_number(seed: int) -> Graph:
    """A squeeze and excitation, and a difference."""
    net = Least(seed, (5, 4, 8))
    net.convolution(8)
    first, entry = net.last, net.entry()
    lookup = affine_functions.logistic(entry, Affine(8, 1 / 256, -128))
    numbers = lookup.numbers
    sigmoid = {"function": FUNCTIONS["sigmoid"], "lookup": lookup, "numbers": numbers}
    net.layers.append(Pointwise(**net.given(first.shape), **sigmoid))  # type: ignore[arg-type]
    second = net.last
    merged = {**net.given(first.shape, first, second), "input_shapes": (first.shape, second.shape)}
    product = affine.product(entry, affine.as_affine(numbers), replace(entry, scale=entry.scale / 2))
    net.layers.append(Multiply(**merged, product=product, numbers=product.numbers))  # type: ignore[arg-type]
    third = net.last
    less = affine.addition([affine.as_affine(one.numbers) for one in (third, first)], net.numbers())  # type: ignore[arg-type]
    merged = {**net.given(first.shape, third, first), "input_shapes": (third.shape, first.shape)}
    net.layers.append(Subtract(**merged, addition=less, numbers=less.numbers))  # type: ignore[arg-type]
    net.convolution(4)
    return net.graph()


@pytest.mark.parametrize("seed", [0, 1])
def test_tables_products_and_differences(seed: int) -> None:
    graph = number_by_number(seed)
    stored = store_unsigned(graph)
    assert [layer.numbers.minimum for layer in stored if layer.numbers] == [-128, 0, 0, 0, 0, -128]
    q = np.random.default_rng(seed).integers(-128, 128, (6, 5, 4, 8))
    x = affine.as_affine(graph.inputs[0].numbers).decode(q)  # type: ignore[arg-type]
    want = graph.run(x)
    assert len(np.unique(want)) > 2
    np.testing.assert_array_equal(stored.run(x), want)
    np.testing.assert_array_equal(run_compiled(stored, x), want)
