"""Products of integers that hardly move their sums: which are skipped, and that C computes what is left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcusim.approximate import approximated
from mcusim.approximate.approximation import Degree
from mcusim.experiment.approximation import Approximation
from mcusim.experiment.kernel_choice import KernelChoice
from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph, Skipped
from mcusim.kernels.choice import Destination
from mcusim.layers import Convolution, Dense
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.front import quantized_graph, reduced_graph
from mcusim.line.lower import lower
from mcusim.models.source import Source
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, McusimError
from mcusim.system.validation import Place, validate
from tests.approximate.networks import network, wanted
from tests.compiled import run_compiled


def skipping(tau: Degree, of_layers: dict[str, Degree] | None = None, **words: object) -> tuple[Graph, Graph, Array]:
    """A quantized graph, the same with products skipped, and samples."""
    graph, x = network()
    chosen = Quantization(**{"data_type": "int8", **words})  # type: ignore[arg-type]
    layers = [{"name": name, "tau": own} for name, own in (of_layers or {}).items()]
    told = Approximation(dead_channels=False, tau=tau, layer=layers)
    real = reduced_graph(Source(graph), x, chosen, told)
    exact = quantized_graph(Source(graph), x, chosen)
    return exact, quantized_graph(Source(graph), x, chosen, real=real, approximation=told), x


def kernel_of(graph: Graph, name: str) -> Array:
    layer = graph[name]
    assert isinstance(layer, WeightedSum)
    return layer.kernel


@pytest.mark.parametrize("scheme", ["per-channel", "per-layer"])
def test_those_go_that_are_a_small_part_of_their_sum(scheme: str) -> None:
    exact, made, x = skipping(0.02, scheme=scheme)
    layer, name = exact["conv2d_4"], "conv2d_4"
    assert isinstance(layer, Convolution)
    inputs = np.concatenate([values[layer.inputs[0]] for values in exact.values(x)]).astype(float) - layer.zero
    means = np.asarray(layer.taps(inputs, 10**9)).mean(axis=(0, 1)).reshape(layer.kernel.shape[1:])
    products = layer.kernel * means
    share = np.abs(products) / np.abs(products.sum(axis=(1, 2, 3), keepdims=True))
    left = kernel_of(made, name)
    np.testing.assert_array_equal(left, np.where(share < 0.02, 0, layer.kernel))
    count = int(((share < 0.02) & (layer.kernel != 0)).sum())
    assert Skipped("tau", name, count, left.size) in made.skipped and 0 < count < left.size
    assert f"{count} of {left.size} in '{name}'" in made.notes[-1]


def test_what_is_skipped_is_weight_times_real_input() -> None:
    """Numbers whose zero is not 0 are in the bias, so it changes with the weights: else each sum would be shifted."""
    exact, made, x = skipping(0.05)
    old, new = exact["conv2d_1"], made["conv2d_1"]
    assert isinstance(old, Convolution) and isinstance(new, Convolution) and old.zero != 0
    entry = next(iter(exact.values(x)))[old.inputs[0]].astype(np.int64)
    of_zero = replace(old, bias=np.zeros_like(old.bias), rescale=None).taps(entry - old.zero, 10**9)
    assert of_zero is not None
    sums = [of_zero[0] @ layer.kernel.reshape(8, -1).T.astype(np.int64) for layer in (old, new)]
    whole = old.taps(entry, 10**9)
    assert whole is not None
    raw = [whole[0] @ one.kernel.reshape(8, -1).T.astype(np.int64) + one.bias for one in (old, new)]
    np.testing.assert_array_equal(raw[1] - raw[0], sums[1] - sums[0])


def test_dense_layers_are_for_who_names_them() -> None:
    _, made, _ = skipping(0.02)
    assert {one.layer for one in made.skipped} == {"conv2d_1", "conv2d_4"}
    exact, made, _ = skipping(0.0, {"dense_8": 0.02})
    assert [one.layer for one in made.skipped] == ["dense_8"] and isinstance(made["dense_8"], Dense)
    np.testing.assert_array_equal(kernel_of(made, "conv2d_4"), kernel_of(exact, "conv2d_4"))


def test_a_threshold_of_nothing_skips_nothing() -> None:
    exact, made, x = skipping(0.0)
    assert not made.skipped and made.notes == exact.notes
    np.testing.assert_array_equal(made.run(x), exact.run(x))


@pytest.mark.parametrize("scheme", ["per-channel", "per-layer"])
def test_c_has_the_same_bits_on_the_kernel_that_leaves_them_out(scheme: str) -> None:
    _, made, x = skipping(0.08, scheme=scheme)
    program = lower(made, Destination("cortex-m4"), KernelChoice(default=("unpacked",)))
    assert [step.kernel for step in program.steps].count("unpacked") == 4
    np.testing.assert_array_equal(run_compiled(made, x[:4], program=program), made.run(x[:4]))


@pytest.mark.parametrize("words", [{"data_type": "float32"}, {"data_type": "int16"}, {"data_type": "w8a16"}])
def test_other_numbers_are_refused(words: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=f"'tau' is for convolutions in int8: .* as {words['data_type']} has"):
        skipping(0.01, **words)


def test_a_layer_that_is_named_has_to_have_such_products() -> None:
    with pytest.raises(ConfigurationError, match="'maxpooling2d_3' cannot be approximated by 'tau': it is no conv"):
        skipping(0.0, {"maxpooling2d_3": 0.1})
    with pytest.raises(ConfigurationError, match="has no layer 'conv9'"):
        skipping(0.0, {"conv9": 0.1})
    with pytest.raises(ConfigurationError, match="'conv2d_4' cannot be approximated by 'tau': it is not in int8"):
        skipping(0.0, {"conv2d_4": 0.1}, layers={"conv2d_4": "int16"})


@pytest.mark.parametrize("tau", [-0.1, 1.5, float("nan"), "small", True])
def test_a_threshold_is_a_share(tau: object) -> None:
    with pytest.raises(McusimError, match="tau"):
        validate(Approximation, {"tau": tau}, Place("experiment.toml").at("approximation"))


def test_integers_are_no_matter_of_the_real_graph() -> None:
    graph, x = network()
    assert approximated(graph, x, wanted(tau=0.5)).skipped == ()
