"""Dense layers from their last input to the first."""

from __future__ import annotations

from dataclasses import replace

from mcusim.graph import Layer
from mcusim.kernels import plain
from mcusim.kernels.kernel import DEFAULT, Inputs, Variant
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.program import LayerCode

NAME = "countdown"
SUMMARY = "dense layers on integers, from the last input to the first"
ANY_STORAGE = True


def fits(layer: Layer, inputs: Inputs) -> str | None:
    if layer.kind != "Dense":
        return "it is for dense layers"
    return "its order of sums is another" if layer.numbers is None else None


def cost(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
    return 0.9 * plain.cost(layer, inputs)


def code(layer: Layer, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
    made = plain.code(layer, inputs)
    return replace(made, calls=tuple(replace(call, kernel="dense_countdown") for call in made.calls))
