"""Functions in float32: the bits of their C twins, and near to the true ones over all that float32 holds."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.graph import Graph, Output
from mcusim.layers.pointwise import Pointwise
from mcusim.numbers.functions import FUNCTIONS, LARGEST, Function
from mcusim.system.arrays import Array
from mcusim.system.records import fields_of
from tests.compiled import run_compiled
from tests.graphs import Builder

PARAMETERS: dict[str, tuple[float, ...]] = {
    "celu": (0.7,),
    "elu": (1.3,),
    "hard_sigmoid": (1 / 6,),
    "hard_silu": (0.2,),
    "leaky_relu": (0.3,),
    "selu": (1.6732632, 1.050701),
    "threshold_relu": (0.1, 0.5, -LARGEST, 6.0),
}
EVERY = [Function(name, PARAMETERS.get(name, ())) for name in FUNCTIONS]
# Where the result is small because two numbers nearly cancel, or because it is a fit.
ABSOLUTE = {"erf": 5e-7, "gelu_tanh": 1e-7, "hard_sigmoid": 1e-7, "hard_silu": 4e-7}
RELATIVE = {"gelu": 5e-6}


def name_of(function: Function) -> str:
    return function.name


def inputs() -> Array:
    """Large and small of both signs, and dense where functions bend."""
    large = np.logspace(-37, 38.5, 20_000)
    dense = [np.linspace(-95, 95, 60_001), np.linspace(-4, 4, 60_001), [0.0, -0.0, 88.72, 88.73, -87.0, 0.5, 1, -3]]
    return np.concatenate([large, -large, *dense]).astype(np.float32)


@pytest.mark.parametrize("function", EVERY, ids=name_of)
def test_it_is_near_to_the_true_function(function: Function) -> None:
    x = inputs()
    with np.errstate(invalid="ignore", over="ignore"):
        got, true = function.apply(x), function.exact(x)
    x = x[np.isfinite(true)]
    got, true = got[np.isfinite(true)], true[np.isfinite(true)]
    ordinary = (np.abs(true) > 1.2e-38) & (np.abs(true) < 3.4e38) & (x >= -87)
    relative, absolute = RELATIVE.get(function.name, 4e-7), ABSOLUTE.get(function.name, 0.0)
    np.testing.assert_allclose(got[ordinary], true[ordinary], rtol=relative, atol=absolute)
    assert (np.abs(got[x < -87] - true[x < -87]) <= 4e-7 * np.abs(true[x < -87]) + 2e-36).all()
    if function.bounds:
        assert function.bounds.low - 1e-6 <= got.min() and got.max() <= function.bounds.high + 1e-6


@pytest.mark.parametrize("function", EVERY, ids=name_of)
def test_nan_stays_nan(function: Function) -> None:
    if function.name not in ("threshold_relu",):  # every comparison with NaN is false: 0 on both sides
        assert np.isnan(function.apply(np.array([np.nan, 1.0]))[0])


@pytest.mark.parametrize("function", EVERY, ids=name_of)
def test_its_slopes_are_those_of_its_ends(function: Function) -> None:
    far = (
        np.array([-2000.0, -1000.0, 10.0, 12.0]) if function.name == "exponential" else np.array([-2e3, -1e3, 1e3, 2e3])
    )
    rise = np.diff(function.exact(far))[[0, 2]] / np.diff(far)[[0, 2]]
    if function.name != "exponential":  # to the right it has none: its numbers saturate
        np.testing.assert_allclose(rise, function.slopes, atol=1e-5)


def side_by_side(width: int) -> Graph:
    """All functions of one input, each an output: one build for all of them."""
    builder = Builder((width,))
    made = [Pointwise(name=f.name, inputs=("input",), shape=(width,), function=f) for f in EVERY]
    return Graph((*builder.layers, *made), outputs=tuple(Output(f.name, f.name) for f in EVERY))


def test_c_gives_the_same_bits() -> None:
    x = inputs()
    x = np.concatenate([x, np.zeros(-len(x) % 100, np.float32)]).reshape(-1, 100)
    graph = side_by_side(100)
    answers, expected = (fields_of(found) for found in (run_compiled(graph, x), graph.run(x)))
    assert len(answers) == len(EVERY)
    for name, found in answers.items():
        np.testing.assert_array_equal(found.view(np.uint32), expected[name].view(np.uint32), name)
