"""Layers without weights, on as many numbers at a time as a word holds: pools, sums, activations, copies."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from mcusim import layers
from mcusim.graph import Layer
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.lanes import addition, combined, converts, copies, lookups, moves, pooling, products, windows
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.program import LayerCode

NAME = "lanes"
SUMMARY = "layers without weights: numbers side by side in words (Cortex-M4)"
LOADS = 0.2  # of its cycles, from RAM
ANY_STORAGE = AFFINE = NEEDS_DSP = True
CODE_BYTES, AROUND_BYTES = 300, 100  # of a call, about: of one that is C, and of one that calls routines


class _Layer(NamedTuple):
    """What the kernel has to say of one type of layer."""

    why_not: Callable[[Any, Inputs], str | None]
    cost: Callable[[Any, Inputs, Memory], float]
    code: Callable[[Any, Inputs], LayerCode]


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if type(layer) not in _LAYERS:
        return "it is for pools, sums, activations and copies"
    return _LAYERS[type(layer)].why_not(layer, inputs)


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    return _LAYERS[type(layer)].cost(layer, inputs, memory)


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    made = _LAYERS[type(layer)].code(layer, inputs)
    return replace(made, code_bytes=(AROUND_BYTES if made.routines else CODE_BYTES) * len(made.calls))


def _of_pool(why_not: Callable[[Any, Inputs], str | None], pool: Callable[[Any, Inputs], windows.Pool]) -> _Layer:
    def cost(layer: Any, inputs: Inputs, memory: Memory) -> float:
        return pool(layer, inputs).cycles(memory)

    return _Layer(why_not, cost, lambda layer, inputs: windows.pooling(layer, pool(layer, inputs)))


_LAYERS: Mapping[type[Layer], _Layer] = {
    layers.Add: _Layer(addition.why_not, addition.cost, addition.add),
    layers.AveragePooling: _of_pool(pooling.why_not, pooling.means),
    layers.Concatenate: _Layer(moves.why_no_concatenation, moves.concatenation_cost, moves.concatenate),
    layers.Convert: _Layer(converts.why_not, converts.cost, converts.code),
    layers.MaxPooling: _of_pool(windows.why_no_window, windows.largest),
    layers.Multiply: _Layer(products.why_not, products.cost, products.multiply),
    layers.Pointwise: _Layer(lookups.why_not, lookups.cost, lookups.look_up),
    layers.ReLU: _Layer(lambda layer, inputs: None, moves.relu_cost, moves.relu),
    **dict.fromkeys((layers.BroadcastAdd, layers.Subtract), _Layer(combined.why_not, combined.cost, combined.combine)),
    **dict.fromkeys(
        (layers.Reshape, layers.StridedCopy, layers.ZeroPadding), _Layer(copies.why_not, copies.cost, copies.copy)
    ),
}
