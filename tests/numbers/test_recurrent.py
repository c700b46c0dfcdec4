"""The tables of gates over all their inputs, and what states do at their limits."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mcusim.numbers.functions import Function
from mcusim.numbers.numbers import LINEAR, RELU, Activation
from mcusim.numbers.recurrent import FloatStates, IntegerStates, table
from mcusim.system.assets import CODEGEN

SIGMOID, TANH = Function("sigmoid"), Function("tanh")
ALL = np.arange(-(1 << 15), 1 << 15)


def states(activation: Function | Activation = TANH, cell: int = 12, state: int = 15) -> IntegerStates:
    return IntegerStates(SIGMOID, activation, 14, 13, state, cell, state)


@pytest.mark.parametrize(
    ("function", "units"),
    [
        (SIGMOID, 2.0),
        (TANH, 4.2),
        (Function("softsign"), 8.5),
        (Function("hard_sigmoid", (0.2,)), 1.5),
        (Function("hard_sigmoid", (1 / 6,)), 1.5),
    ],
)
def test_a_table_is_near_to_its_function_everywhere(function: Function, units: float) -> None:
    made = IntegerStates(function, TANH, 0, 0, 15, 15, 15).opened(ALL)
    exact = np.clip(function.exact(ALL / 4096) * 32768, -32768, 32767)
    assert np.abs(made - exact).max() <= units
    assert (np.diff(made) >= 0).all()
    assert len(table(function)) == 257


def test_both_arithmetics_agree_within_their_resolution() -> None:
    random = np.random.default_rng(0)
    forget, enter, show = random.uniform(0, 1, (3, 1000))
    cell, candidate = random.uniform(-3, 3, 1000), random.uniform(-1, 1, 1000)
    exact, integer = FloatStates(SIGMOID, TANH), states()
    one = [np.rint(x * 32768).clip(-32768, 32767).astype(np.int64) for x in (forget, enter, candidate, show)]
    carried = integer.carried(one[0], np.rint(cell * 4096).astype(np.int64), one[1], one[2])
    expected = exact.carried(forget, cell, enter, candidate)
    assert np.abs(carried / 4096 - expected).max() < 1 / 4096
    shown = integer.shown(one[3], integer.bounded(carried))
    assert np.abs(shown / 32768 - exact.shown(show, np.tanh(expected))).max() < 4e-4
    mixed = integer.mixed(one[0], one[2], one[2][::-1])
    assert np.abs(mixed / 32768 - exact.mixed(forget, candidate, candidate[::-1])).max() < 1e-4


@pytest.mark.parametrize("activation", [TANH, RELU, LINEAR])
@pytest.mark.parametrize(("cell", "state"), [(15, 15), (-20, -20), (12, 3), (3, 12), (-40, 15)])
def test_extreme_numbers_saturate(activation: Function | Activation, cell: int, state: int) -> None:
    made = states(activation, cell, state)
    low, high = -(1 << 15), (1 << 15) - 1
    ends = np.array([low, low, high, high, 0])
    sums = np.array([-(2**31), 2**31 - 1, -(2**31), 2**31 - 1, 0])
    gates = np.array([0, high, high, 0, 5])
    for values in (
        made.joined(sums, sums),
        made.joined(sums, sums, candidate=True),
        made.reset_joined(sums, gates, sums),
        made.carried(gates, ends, gates, ends),
        made.shown(gates, made.bounded(ends)),
        made.mixed(gates, ends, ends),
    ):
        assert values.min() >= low and values.max() <= high


@pytest.mark.parametrize("gate", [SIGMOID, *(Function("hard_sigmoid", (slope,)) for slope in (0.2, 1 / 6))])
@pytest.mark.parametrize("activation", [TANH, LINEAR, RELU, SIGMOID, Function("hard_sigmoid", (0.25,))])
def test_c_is_told_both_functions_and_each_by_the_name_of_its_field(
    gate: Function, activation: Function | Activation
) -> None:
    told = FloatStates(gate, activation).fields()
    declared = set(re.findall(r"\w+", (CODEGEN / "numbers" / "states.h").read_text(encoding="utf-8")))
    assert set(told) <= declared and {told["gate"], told["activation"]} <= declared
    for name, function in (("gate", gate), ("activation", activation)):
        slopes = function.parameters if isinstance(function, Function) else ()
        assert [told[f"{name}_slope"]] == np.float32(slopes).tolist() if slopes else f"{name}_slope" not in told
