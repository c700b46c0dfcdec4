"""Layers without weights, on as many numbers at a time as a word holds: pools, sums, activations, copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from mcusim.graph import Layer
from mcusim.kernels import lanes_addition, lanes_max, lanes_moves, lanes_pooling
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant, why_no_dsp
from mcusim.layers.add import Add
from mcusim.layers.concatenate import Concatenate
from mcusim.layers.pooling import AveragePooling, MaxPooling
from mcusim.layers.relu import ReLU
from mcusim.program import LayerCode

NAME = "lanes"
SUMMARY = "layers without weights: numbers side by side in words (Cortex-M4)"
ANY_STORAGE = True
CODE_BYTES = 300  # of a call, about


class _Layer(NamedTuple):
    """What the kernel has to say of one type of layer."""

    why_not: Callable[[Any, Inputs], str | None]
    cost: Callable[[Any, Inputs, int], float]
    code: Callable[[Any, Inputs], LayerCode]


def fits(layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    if why := why_no_dsp(core):
        return why
    if type(layer) not in _LAYERS:
        return "it is for pools, sums, activations and copies"
    return _LAYERS[type(layer)].why_not(layer, inputs)


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, wait_states: int = 0) -> float:
    return _LAYERS[type(layer)].cost(layer, inputs, wait_states)


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    made = _LAYERS[type(layer)].code(layer, inputs)
    return replace(made, code_bytes=CODE_BYTES * len(made.calls))


_LAYERS: Mapping[type[Layer], _Layer] = {
    Add: _Layer(lanes_addition.why_not, lanes_addition.cost, lanes_addition.add),
    AveragePooling: _Layer(lanes_pooling.why_no_average, lanes_pooling.average_cost, lanes_pooling.average_pooling),
    Concatenate: _Layer(lanes_moves.why_no_concatenation, lanes_moves.concatenation_cost, lanes_moves.concatenate),
    MaxPooling: _Layer(lanes_pooling.why_no_window, lanes_max.max_cost, lanes_max.max_pooling),
    ReLU: _Layer(lambda layer, inputs: None, lanes_moves.relu_cost, lanes_moves.relu),
}
