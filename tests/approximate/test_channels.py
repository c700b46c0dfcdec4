"""Channels are skipped: which ones, how many, and what makes up for them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from mcusim.approximate import approximated
from mcusim.approximate.approximation import Degree
from mcusim.approximate.moments import Moments
from mcusim.approximate.significance import Reading, order
from mcusim.graph import Graph
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.optimize import optimize
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, DataError
from tests.approximate.networks import loss, network, reduced, same, wanted, with_layer
from tests.graphs import Builder


def told_twice() -> tuple[Graph, Array]:
    """Filters 4 to 7 of the first convolution say what 0 to 3 say: the others can do without them."""
    graph, x = network()
    first = graph["conv2d_1"]
    assert isinstance(first, WeightedSum)
    kernel, bias = first.kernel.copy(), np.abs(first.bias)
    kernel[4:], bias[4:] = 2 * kernel[:4], 2 * bias[:4]
    return with_layer(graph, replace(first, kernel=kernel, bias=bias)), x


def test_what_others_tell_as_well_is_found_and_made_up_for() -> None:
    graph, x = told_twice()
    own = {"channels": {"conv2d_1": 4}}
    made = reduced(graph, x, own)
    assert made["conv2d_1"].shape[-1] == 4 and loss(graph, made, x) < 1e-3
    assert loss(graph, reduced(graph, x, own, compensation="none"), x) > 0.1
    assert made.notes == ("channels are skipped (obs): 4 of 8 in 'conv2d_1'",)


def test_least_squares_is_better_than_the_bias_and_that_better_than_nothing() -> None:
    graph, x = network()
    own = {"channels": {"conv2d_1": 2, "conv2d_4": 2}}
    every = [loss(graph, reduced(graph, x, own, compensation=how), x) for how in ("least-squares", "bias", "none")]
    assert every[0] < every[1] < every[2]


def test_sums_below_zero_may_be_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round comes nearer to what an activation lets through; least squares of all sums do not know of it."""
    graph, x = network()
    made = []
    for rounds in (0, 1, 8):
        monkeypatch.setattr("mcusim.approximate.moments.ROUNDS", rounds)
        made.append(reduced(graph, x, {"channels": {"conv2d_1": 4}}))
    errors = [loss(_until(graph), _until(one), x) for one in made]
    assert errors[2] < errors[1] < errors[0]


def _until(graph: Graph, name: str = "conv2d_4") -> Graph:
    """What its second convolution answers."""
    return replace(graph, layers=graph.layers[: graph.layers.index(graph[name]) + 1], outputs=())


def test_of_samples_not_seen_it_is_better_too() -> None:
    graph, x = network()
    other = Builder((14, 14, 3), seed=77).samples(60)
    own = {"channels": {"conv2d_1": 4}}
    assert loss(graph, reduced(graph, x, own), other) < loss(graph, reduced(graph, x, own, compensation="none"), other)


def reading(weights: list[list[float]], mean: list[float], covariance: Array, worth: list[float]) -> Reading:
    size, sums = len(mean), len(worth)
    moments = Moments(10**9, np.array(mean), covariance, np.zeros(sums), np.zeros((size, sums)), np.ones(sums))
    return Reading(np.array(weights), moments, np.array(worth))


@pytest.mark.parametrize(
    ("significance", "expected"),
    [
        ("magnitude", [1, 2, 0]),  # 1.0, 1.5, 4 of three channels, each twice among six inputs
        ("paper", [0, 2, 1]),  # 0.4, 1.5, 10
        ("obs", [2, 0, 1]),  # 2 never changes; 1 is what counts
    ],
)
def test_significances_by_hand(significance: str, expected: list[int]) -> None:
    weights = [[3, 0], [1, 0], [1, 0], [1, 0], [0, 0], [0, 0.5]]
    mean = [0.1, 10, 1, 0.1, 10, 1]
    covariance = np.diag([0.01, 4, 1e-9, 0.01, 4, 1e-9])
    one = reading(weights, mean, covariance, [1, 1])
    assert list(order([one], 3, wanted(significance=significance))) == expected


def test_obs_counts_sums_by_what_they_are_worth() -> None:
    """Channel 0 is read by a sum that nobody needs."""
    weights, covariance = [[3.0, 0.0], [0.0, 1.0]], np.eye(2)
    assert list(order([reading(weights, [0, 0], covariance, [1, 1])], 2, wanted())) == [1, 0]
    assert list(order([reading(weights, [0, 0], covariance, [0.01, 1])], 2, wanted())) == [0, 1]


def test_obs_sees_all_that_reads_the_channels() -> None:
    one, other = (reading([[a], [b]], [0, 0], np.eye(2), [1]) for a, b in ((2.0, 1.0), (0.0, 3.0)))
    assert list(order([one], 2, wanted())) == [1, 0]
    assert list(order([one, other], 2, wanted())) == [0, 1]


def test_chance_is_that_of_the_seed() -> None:
    draws = [tuple(order([], 20, wanted(significance="random", seed=seed))[:5]) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2] and len(set(draws[0])) == 5


@pytest.mark.parametrize(("degree", "left"), [(1, 8), (2, 6), (3, 6), (0.25, 6), (0.99, 2), (8, 2), (1.0, 2)])
def test_pairs_are_left_and_at_least_one(degree: float, left: int) -> None:
    graph, x = network()
    made = reduced(graph, x, {"channels": {"conv2d_1": degree}}, significance="magnitude", compensation="none")
    assert made["conv2d_1"].shape[-1] == left


@pytest.mark.parametrize("named", [True, False])
def test_who_wants_less_than_a_pair_is_told(named: bool) -> None:
    graph, x = network()
    layers: dict[str, dict[str, Degree]] = {"channels": {"conv2d_1": 1}} if named else {}
    made = reduced(graph, x, layers, channels=0 if named else 1, significance="magnitude", compensation="none")
    assert not made.skipped and "'conv2d_1' (fewer than a pair can go)" in made.notes[-1]


@pytest.mark.parametrize("kind", ["channels", "rows"])
def test_who_wants_next_to_nothing_is_told_that_it_is_nothing(kind: str) -> None:
    """Likewise of models without any layer that is fit, such as a recurrent one."""
    graph, x = network()
    made = reduced(graph, x, dead_channels=False, **{kind: 0.01})
    assert not made.skipped and made.notes[-1].startswith(f"'{kind}' skips nothing here: ")


def test_layers_of_their_own_and_all_others() -> None:
    graph, x = network()
    made = reduced(graph, x, {"channels": {"conv2d_4": 0}}, channels=0.5, significance="magnitude")
    assert {one.layer: one.count for one in made.skipped} == {"conv2d_1": 4, "dense_8": 4}
    assert made.notes[-1] == "all channels stay in 'dense_10' ('dense_10' is an output)"


def test_residual_sums_keep_theirs() -> None:
    builder = Builder((6, 6, 4))
    start = builder.conv(4, padding="same")
    inner = builder.conv(8, padding="same")
    builder.add("Add", start, builder.conv(4, padding="same"))
    builder.add("GlobalAveragePooling2D")
    builder.dense(3)
    graph, x = optimize(builder.graph()), builder.samples(20)
    made = reduced(graph, x, channels=0.5)
    assert [one.layer for one in made.skipped] == [inner] and "(Add) reads its channels" in made.notes[-1]


def test_who_names_one_of_a_sum_means_all_that_is_added() -> None:
    """Of a pointwise shortcut, of a block that adds what it reads, and behind an activation."""
    builder = Builder((6, 6, 4))
    first = builder.conv(6, padding="same", activation="relu")
    builder.add("Add", first, second := builder.conv(6, padding="same"))
    builder.add("ReLU")
    around = builder.last.name
    between = builder.conv(4, padding="same", activation="relu")
    inside = builder.conv(8, padding="same")
    builder.add("Add", inside, shortcut := builder.conv(8, 1, around))
    builder.add("GlobalAveragePooling2D")
    builder.dense(3)
    graph, x = optimize(builder.graph()), builder.samples(80)
    with pytest.raises(ConfigurationError, match="reads channels that its own are added to"):
        reduced(graph, x, {"channels": {second: 2}})
    made = reduced(graph, x, {"channels": {shortcut: 4}}, channels=0.5)
    assert {one.layer: one.count for one in made.skipped} == {shortcut: 4, inside: 4, between.removesuffix("_relu"): 2}
    assert f"{second!r} (" in made.notes[-1] and f"{inside!r} (" not in made.notes[-1]
    assert made.macs < graph.macs and loss(graph, made, x) < 0.3
    kept = reduced(graph, x, {"channels": {shortcut: 4}}, compensation="none", significance="magnitude")
    assert loss(graph, made, x) < loss(graph, kept, x)


def test_layers_that_cannot_be() -> None:
    graph, x = network()
    with pytest.raises(ConfigurationError, match="no layer 'conv9'"):
        reduced(graph, x, {"channels": {"conv9": 2}})
    with pytest.raises(ConfigurationError, match="it is no convolution or dense layer"):
        reduced(graph, x, {"channels": {"maxpooling2d_3": 2}})
    with pytest.raises(DataError, match="need calibration samples"):
        reduced(graph, x[:0], channels=2)


def test_nothing_to_skip_changes_nothing() -> None:
    graph, x = network()
    made = reduced(graph, x, channels=1, significance="magnitude")
    assert made.layers == graph.layers and not made.skipped
    same(graph, made, x)


def test_an_exploration_may_begin_with_nothing() -> None:
    graph, x = network()
    assert reduced(graph, x, dead_channels=False, channels=0).layers == graph.layers


@pytest.mark.parametrize("steps", [2, 7])
@pytest.mark.parametrize("degree", [5, 0.5, 1.0, 2])
def test_steps_end_where_one_would(steps: int, degree: Degree) -> None:
    """And a report tells how many are gone of how many there were. Rows are parted in the last one only."""
    graph, x = network()
    whole = wanted(channels=degree, rows=0.5, dead_channels=1)
    at_once, made = approximated(graph, x, whole), graph
    for step in range(1, steps + 1):
        before, part = made.skipped_by_kind.get("channels", {}), Fraction(step, steps)
        degrees = {name: replace(one, part=part) for name, one in whole.degrees.items()}
        made = approximated(made, x, replace(whole, degrees=degrees))
        own = made.skipped_by_kind.get("channels", {})
        assert all(count <= own[name] for name, count in before.items())
        assert step == steps or "rows" not in made.skipped_by_kind
    assert made.skipped_by_kind == at_once.skipped_by_kind
    assert [layer.shape for layer in made] == [layer.shape for layer in at_once]
    assert {(one.kind, one.layer): one.total for one in made.skipped} == {
        (one.kind, one.layer): one.total for one in at_once.skipped
    }
