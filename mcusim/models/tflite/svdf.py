"""TFLite's SVDF over the steps of a sample -> two convolutions: of the features of each step, and along the steps."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mcusim.graph import Layer
from mcusim.layers import Convert, Convolution, Pointwise
from mcusim.layers.planes import NO_PADDING, Padding
from mcusim.models.tflite.call import AGAIN, Call, affine_of
from mcusim.models.tflite.sums import integer_bias, summed
from mcusim.numbers.affine import Affine, Scaled, conversion, sum_factors, weighted_sum
from mcusim.numbers.affine_functions import every
from mcusim.numbers.functions import Function
from mcusim.numbers.tables import Lookup
from mcusim.system.arrays import Array

FEATURES, TIME, BIAS, STATE = 1, 2, 3, 4


def _svdf(call: Call) -> None:
    """Each unit sums `rank` filters: numbers of a step, and weights of the last `memory` steps."""
    shape = call.shape()
    features, time = call.weights(FEATURES, rank=2), call.constant(TIME)
    rank = call.option("rank")
    if len(shape) != 2 or rank < 1 or len(features) % rank or time.shape[:1] != features.shape[:1] or time.ndim != 2:
        raise call.refused(f"has weights of shape {features.shape} and {time.shape}, {rank} for each unit", AGAIN)
    if features.shape[1] != shape[1]:
        raise call.refused(f"has weights for {features.shape[1]} features and gets {shape[1]}", AGAIN)
    steps, filters, memory = shape[0], len(features), time.shape[1]
    units = filters // rank
    # (units x rank, memory) -> (units, 1, memory, rank)
    along = np.ascontiguousarray(time.reshape(units, rank, memory).transpose(0, 2, 1)[:, None])
    first = call.step("features", (steps, filters), call.view(0, shape))
    padding: Padding = (NO_PADDING[0], (memory - 1, 0))
    window: dict[str, Any] = {"input_shape": (steps, filters), "groups": units, "padding": padding}
    kernel = features.reshape(filters, 1, 1, -1)
    if call.out is None:
        none: dict[str, Any] = {"bias": np.zeros(filters, np.float32), "has_bias": False}
        made = call.add(Convolution(**first, **none, kernel=kernel, input_shape=shape))
        second = {**call.own((steps, units), made.name), **summed(call, along.astype(np.float32), TIME, BIAS)}
        call.activated(Convolution(**second, **window))
        return
    _on_integers(call, first, kernel, along, window, call.out)


def _on_integers(
    call: Call, first: dict[str, Any], kernel: Array, along: Array, window: dict[str, Any], out: Affine
) -> None:
    """What is kept has 16 bits, or 8; TFLM leaves the activation out."""
    entry, kept = call.numbers(), call.tensors[STATE]
    state = affine_of(kept) if kept is not None else None
    if entry is None or state is None or entry.bits != 8 or len(call.entry(TIME).tensor.scales) != 1:
        raise call.refused("has a state without a scale", AGAIN)
    if state.zero and state.bits != 8:
        raise call.refused("has a state of 16 bits whose zero is not 0", AGAIN)
    steps, filters = first["shape"]
    own = _fields(kernel, np.zeros(filters, np.int64), call, (FEATURES, entry, replace(state, zero=0)))
    made: Layer = call.add(Convolution(**{**first, **own}, input_shape=call.shape()))
    if state.zero:
        made = _moved(call, made, state)
    wide = Affine(state.bits, out.scale, out.zero)
    bias, _ = integer_bias(call, BIAS, len(along))
    second = {**call.own((steps, len(along)), made.name), **_fields(along, bias, call, (TIME, state, wide)), **window}
    if wide == out:
        call.add(Convolution(**second))
        return
    summed_up = call.add(Convolution(**{**second, "name": call.unique(f"{call.name}_wide")}))
    call.add(Convert(**call.own((steps, len(along)), summed_up.name), conversion=conversion(wide, out)))


def _moved(call: Call, source: Layer, state: Affine) -> Layer:
    """To the zero of the state: TFLM adds that to what is saturated already, and 8 bits wrap."""
    entry = replace(state, zero=0)
    lookup = Lookup(entry, state, (every(entry) + state.zero).astype(np.int8))
    own = {**call.step("state", source.shape, source.name), "numbers": state}
    return call.add(Pointwise(**own, function=Function("leaky_relu", (1.0,)), lookup=lookup))


def _fields(kernel: Array, bias: Array, call: Call, numbers: tuple[int, Affine, Affine]) -> dict[str, Any]:
    """`numbers`: which input the weights are, and what they are multiplied with and become."""
    place, entry, out = numbers
    scaled = Scaled(entry.bits, tuple(float(scale) for scale in call.entry(place).tensor.scales))
    factors = sum_factors(entry, scaled, out)
    made = weighted_sum(kernel.astype(scaled.dtype), bias, scaled, entry, out, factors, fold=True)
    return {**vars(made), "zero": entry.zero, "has_bias": bool(bias.any())}


CONVERTERS: Mapping[str, Callable[[Call], None]] = {"SVDF": _svdf}
